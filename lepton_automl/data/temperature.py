"""The temperature that calibrates probabilities, learned from rows that a network has not seen."""

from __future__ import annotations

import math

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.calibration import TINY

LARGEST = math.log(20)  # the temperature is between 1/20 and 20
STEPS, CLOSE = 30, 1e-7
AKAIKE = 1.0  # by how much one more parameter has to lower the sum of log losses


def fit_temperature(probabilities: Array, targets: Array) -> float:
    """The temperature with the lowest log loss (Guo and others, On Calibration of Modern Neural Networks, 2017).

    A temperature below 1 is fitted with one row more that is spread over all rows and classes, or a model that is right on every row
    would get probabilities of 1 (as in Platt, Probabilistic Outputs for Support Vector Machines, 1999). This row never makes
    probabilities less sure. The result is 1 unless the loss falls by more than chance explains, by Akaike's criterion.

    Args:
        probabilities: [N, classes]; each row adds up to 1.
        targets: Class indices [N].
    """
    rows, classes = probabilities.shape
    if not rows:
        return 1.0
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    logs -= logs.max(1, keepdims=True)
    own = logs[np.arange(rows), targets]
    reached = (rows * own + logs.sum(1) / classes) / (rows + 1)
    inverse = _lowest(logs, reached)
    if inverse < 1:
        reached, inverse = own, min(1.0, _lowest(logs, own))
    if rows * (_loss(logs, reached, 1.0) - _loss(logs, reached, inverse)) <= AKAIKE:
        return 1.0
    return float(f"{1 / inverse:.6g}")


def _lowest(logs: Array, reached: Array) -> float:
    """The inverse temperature with the lowest loss; see `_loss`."""
    # The logarithm of the inverse temperature: the loss has one minimum in it. Newton's steps are kept between two bounds.
    place, low, high = 0.0, -LARGEST, LARGEST
    for _ in range(STEPS):
        inverse = math.exp(place)
        soft = np.exp(inverse * logs)
        soft /= soft.sum(1, keepdims=True)
        mean = (soft * logs).sum(1)
        slope = float((mean - reached).mean())
        curvature = float(((soft * logs**2).sum(1) - mean**2).mean())
        low, high = (low, place) if slope > 0 else (place, high)
        newton = inverse - slope / curvature if curvature > 0 else 0.0
        following = math.log(newton) if newton > 0 else -math.inf
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - place) < CLOSE:
            break
        place = following
    return math.exp(place)


def _loss(logs: Array, reached: Array, inverse: float) -> float:
    """The mean log loss at an inverse temperature.

    Args:
        logs: Log probabilities [N, classes].
        reached: The mean of each row's by its target probabilities [N].
        inverse: The inverse temperature.
    """
    return float((np.log(np.exp(inverse * logs).sum(1)) - inverse * reached).mean())

"""Whether an exported model answers as its module does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lepton_automl.errors import BundleError

from .session import OnnxModel

PROBABILITY_TOLERANCE = 1e-4  # absolute; runtimes sum in other orders, which moves a probability by 1e-6
VALUE_TOLERANCE = 1e-3  # share of the answers' standard deviation
ROUNDING = 1e-6  # share of the largest answer: what 32 bits lose of a value far from zero


def verify(module: nn.Module, model: OnnxModel, inputs: dict[str, Tensor], tolerance: float | None = None) -> float:
    """Compare an exported model with its module, on real rows.

    Args:
        module: Called as `module(**inputs)` in evaluation mode; gives probabilities [N, K] or values [N].
        model: The same, exported.
        inputs: The rows.
        tolerance: The largest difference that may be; by default 1e-4 of probability, or 1e-3 of the standard deviation
            of values.

    Returns:
        The largest difference found.

    Raises:
        BundleError: They differ by more, or in shape, or an answer is not finite.
    """
    expected = _answers(module, inputs)
    found = model({name: rows.cpu().numpy() for name, rows in inputs.items()})
    if found.shape != expected.shape:
        raise BundleError(f"the exported model gives the shape {found.shape}, the module {expected.shape}", where="verify")
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        raise BundleError(
            "an answer is not a finite number", where="verify", fix="The training diverged; lower the learning rate."
        )
    worst = float(np.abs(found - expected).max(initial=0.0))
    allowed = _tolerance(expected) if tolerance is None else tolerance
    if worst > allowed:
        raise BundleError(
            f"the exported model differs from the module by up to {worst:.3g} on {len(expected)} rows; {allowed:.3g} is allowed",
            where="verify",
            fix="This is a fault of the export; please report it with the model's recipe.",
        )
    return worst


def _answers(module: nn.Module, inputs: dict[str, Tensor]) -> NDArray[Any]:
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            answers: NDArray[Any] = module(**inputs).cpu().numpy()
    finally:
        module.train(was_training)
    return answers


def _tolerance(expected: NDArray[Any]) -> float:
    if expected.ndim > 1:
        return PROBABILITY_TOLERANCE
    return VALUE_TOLERANCE * float(expected.std()) + ROUNDING * float(np.abs(expected).max(initial=0.0))

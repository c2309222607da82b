"""The scores of a task, for networks in training and for exported artifacts."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lepton_automl.arrays import Json
from lepton_automl.errors import ConfigError
from lepton_automl.metric import RankedScore, Scorer, values_of
from lepton_automl.objective import CustomMetric
from lepton_automl.shipped import load_decoder
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

Numbers: TypeAlias = Tensor | NDArray[np.generic]


def scores(
    answers: Numbers, targets: Numbers, spec: DataSpec, decoder: Json | None = None, *, weights: Numbers | None = None
) -> dict[str, float]:
    """Every score of the task.

    A score that is not defined on these rows is left out: `auroc` if all are of one class, `r2` if all values
    are equal. Definitions are those of scikit-learn.

    Args:
        answers: The task's answers, [N] or [N, K]: probabilities, or values in the target's own unit.
        targets: Targets in the target's own unit (see `in_target_unit`).
        spec: The task.
        decoder: Fitted decoder settings, such as thresholds.
        weights: The weight of each row, [N]; None if all count alike. A user's own metric ignores them.

    Returns:
        Scores by the names of the task's metrics.
    """
    outputs, truth = torch.as_tensor(answers).cpu(), torch.as_tensor(targets).cpu()
    task = task_of(spec)
    if weights is None:
        values = task.scores(outputs, truth, spec.output, decoder)
    else:
        own_weights = torch.as_tensor(weights).cpu().numpy()
        values = values_of(task.scorers(spec.output, decoder), outputs.numpy(), truth.numpy(), own_weights)
    if spec.metric is not None:
        values[spec.metric.name] = _own_score(spec.metric, outputs.numpy(), truth.numpy(), spec, decoder)
    return {name: score for name, score in values.items() if not math.isnan(score)}


def scorers_of(spec: DataSpec, decoder: Json | None = None) -> dict[str, Scorer]:
    """The functions that compute each score of the task, and the user's own, from arrays; for the arguments see `scores`."""
    scorers = dict(task_of(spec).scorers(spec.output, decoder))
    if (own := spec.metric) is not None:
        scorers[own.name] = RankedScore(lambda answers, targets: _own_score(own, answers, targets, spec, decoder))
    return scorers


def _own_score(metric: CustomMetric, outputs: NDArray[Any], truth: NDArray[Any], spec: DataSpec, decoder: Json | None) -> float:
    """The score by the user's own metric, which gets targets and answers in the form that the user sees."""
    task, output = task_of(spec), {"target": spec.target, **spec.output.shipped(), "decoder": decoder or {}}
    decode_targets, answering = task.decode_targets(truth, spec.output), load_decoder({"task": spec.task, **output})
    if metric.on == "outputs":
        return metric.score(decode_targets, answering.probabilities(outputs) if task.probabilities else outputs)
    try:
        answers = answering.decode(outputs, {})
    except KeyError as error:
        what = f"the metric {metric.name!r} needs answers, which the task {spec.task!r} cannot make without the input's {error}"
        raise ConfigError(what, where="metric", fix='Score the outputs: CustomMetric.of(function, on="outputs").') from error
    return metric.score(decode_targets, answers)


def in_target_unit(values: Tensor, spec: DataSpec) -> Tensor:
    """Stored targets, or answers in the same unit, converted to the target's own unit."""
    return task_of(spec).to_unit(values, spec.output)

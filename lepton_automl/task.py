"""The tasks and their scores."""

from __future__ import annotations

from typing import Literal

from .errors import ConfigError, one_of
from .objective import Direction

Task = Literal["binary", "multiclass", "regression"]
CLASSIFICATION: dict[str, Direction] = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "f1": "maximize",
    "auroc": "maximize",
    "log_loss": "minimize",
}
REGRESSION: dict[str, Direction] = {"rmse": "minimize", "mae": "minimize", "r2": "maximize"}
METRICS: dict[str, Direction] = {**CLASSIFICATION, **REGRESSION}


def drop(metric: str, before: float, after: float) -> float:
    """How much worse a score became: the difference of shares; of an error, the share by which it grew."""
    return before - after if METRICS[metric] == "maximize" else (after - before) / max(abs(before), 1e-12)


def metrics_of(task: Task) -> dict[str, Direction]:
    """The scores that are computed for a task, the usual one first."""
    return REGRESSION if task == "regression" else CLASSIFICATION


def check_metric(metric: str, task: Task) -> Direction:
    """The direction of a metric.

    Raises:
        ConfigError: The task has no such metric.
    """
    known = metrics_of(task)
    if metric not in known:
        raise ConfigError(f"there is no metric {metric!r} for a {task} task", where="metric", fix=one_of(metric, known))
    return known[metric]

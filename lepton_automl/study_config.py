"""The configuration of a study, validated and stored in its journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value
from .factory import Factory
from .objective import Objective, known_costs
from .plans import PrunePlan, TrainPlan
from .profile import PROFILED
from .space import Space
from .specs import Budget, DataSpec, Deployment, PriorTrial, Query, Tracking


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Value):
    """The validated configuration of a study.

    Args:
        name: The study's name, unique in its home.
        data: The prepared data.
        deployment: The device and its limits.
        budget: The budget of the search.
        metric: The score, one of the task's metrics.
        objectives: What to optimise; the first is the score.
        space: The hyperparameters.
        train: The training plan, before hyperparameters change it.
        prune: The pruning plan; likewise.
        workers: Number of worker processes.
        seed: The seed of everything random.
        sampler: The name of the sampler that proposes configurations.
        grid: The hyperparameters that a grid search varies; if empty, all that have choices.
        factory: The factory of user-defined networks; None for the built-in ones.
        prior_trials: Trials of earlier studies, for a warm start.
        tracking: Where in MLflow it is shown.
        executor: The name of the executor that runs the trials.
        executor_settings: Its settings as JSON; empty if it has none, or all have their defaults.
        teacher: What networks may learn from besides the targets: `"auto"` for the most accurate models so far, `"given"` for
            the user's answers, which are beside the journal, or `"none"`.
        refit: Whether the chosen model is trained again at the end, on training and validation rows: `"auto"` if there is time,
            or `"none"`.
        ensemble: Whether finished networks are averaged at the end, if that is more accurate: `"auto"` or `"none"`.
        query: The SQL query that the data come from; None if they come from elsewhere.
    """

    name: str
    data: DataSpec
    deployment: Deployment
    budget: Budget
    metric: str
    objectives: tuple[Objective, ...]
    space: Space
    train: TrainPlan
    prune: PrunePlan
    workers: int = 2
    seed: int = 0
    sampler: str = "tpe"
    grid: tuple[str, ...] = ()
    factory: Factory | None = None
    prior_trials: tuple[PriorTrial, ...] = ()
    tracking: Tracking = field(default_factory=Tracking)
    executor: str = "local"
    executor_settings: dict[str, Any] = field(default_factory=dict)
    teacher: Literal["auto", "given", "none"] = "none"
    refit: Literal["auto", "none"] = "none"
    ensemble: Literal["auto", "none"] = "none"
    query: Query | None = None

    @property
    def code(self) -> tuple[Factory, ...]:
        """The user's code in the study: the factory of networks, and functions that compute objectives and the metric."""
        functions = [goal.function for goal in self.objectives if goal.function is not None]
        functions += [self.data.metric.function] if self.data.metric else []
        return (*([self.factory] if self.factory is not None else []), *functions)

    def costs(self, deployment: Deployment) -> tuple[Objective, ...]:
        """The costs that are measured besides those of every profile: objectives, and those that a deployment limits."""
        named = {goal.name: goal for goal in self.objectives if not goal.is_score}
        limited = (
            {name: cost for name, cost in known_costs().items() if name in deployment.hard_limits} if deployment.limits else {}
        )
        return tuple(cost for name, cost in (limited | named).items() if name not in PROFILED)

    def epochs_of(self, *, child: bool) -> int:
        """Epochs of one complete trial, over all folds and the refit; for a child, the recovery epochs."""
        return self.prune.recovery_epochs(self.train.epochs) if child else self.train.epochs * (self.data.folds + 1)

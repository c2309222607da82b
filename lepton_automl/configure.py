"""Makes the configuration of a study from a request and its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import families
from .custom import custom_epochs
from .errors import Complaints, ConfigError
from .execution.capacity import affordable_workers, cores
from .execution.executor import name_of_executor
from .objective import SCORE, CustomMetric, Objective, cost_named
from .plans import PrunePlan
from .plugins import names
from .space import Space
from .specs import DataSpec
from .study_config import StudyConfig
from .study_store import StudyStore
from .task import TeachableTask, all_metrics, check_metric, task_of
from .validate import check_family, check_model, prior_trials, warm_studies

if TYPE_CHECKING:
    from .api import AutoML

ACCURACY = "accuracy"  # stands for the study's metric among the objectives


def study_config(request: AutoML, spec: DataSpec, name: str) -> StudyConfig:
    """The study's configuration, from the request and the data.

    Raises:
        ConfigError: Arguments do not fit the data; all are listed.
    """
    user_metric = custom_metric(request.metric)
    if user_metric is not None:
        if user_metric.name in task_of(spec).metrics:
            what = f"the task has a metric {user_metric.name!r} already"
            raise ConfigError(what, where="metric", fix="Name yours: CustomMetric.of(function, name=...).")
        spec, metric = spec.replace(metric=user_metric), user_metric.name
    else:
        named = [name for name in request.objectives if name in all_metrics() and name != ACCURACY]
        metric = str(request.metric or next(iter([*named, *task_of(spec).metrics])))
    direction = check_metric(metric, spec)
    complaints = Complaints("AutoML")  # checked again: files may have changed since the request was made
    factory, custom_space = check_model(request.model, request.space, complaints)
    earlier = warm_studies(request.warm_start, StudyStore(request.home), complaints)
    check_family(request.family, spec, complaints)
    complaints.raise_any()
    names = (request.family,) if isinstance(request.family, str) else tuple(request.family or families.usual_names(spec))
    hyperparameters = request.hyperparameters
    if request.start is not None:
        from .sequential.search_start import FAMILY, start_changes

        check_family(FAMILY, spec, complaints)
        complaints.raise_any()
        names, hyperparameters = (FAMILY,), {**start_changes(request.start, spec), **hyperparameters}
    plan = families.usual_plan(spec, next(iter(names), ""))
    teacher = teacher_for(request, spec)
    space = (
        custom_space.restrict(hyperparameters)
        if custom_space
        else families.add_hyperparameters(_with_teacher(families.space_for(spec, names), teacher), spec, hyperparameters)
    )
    return StudyConfig(
        name=name,
        data=spec,
        deployment=request.deployment,
        budget=request.budget,
        metric=metric,
        objectives=(
            Objective(name=SCORE, direction=direction),
            *_costs(request.objectives),
        ),
        space=space,
        train=custom_epochs(dict(request.space or {}), plan) if factory else plan,
        prune=PrunePlan(),
        workers=request.workers or affordable_workers(cores())[0],
        seed=request.seed,
        factory=factory,
        sampler=request.sampler,
        executor=name_of_executor(request.executor),
        executor_settings={} if isinstance(request.executor, str) else request.executor.to_json(),
        grid=tuple(request.grid),
        teacher=teacher,
        refit=request.refit,
        ensemble=request.ensemble,
        prior_trials=prior_trials(earlier, space),
    )


def teacher_for(request: AutoML, spec: DataSpec) -> Literal["auto", "given", "none"]:
    """What the study's networks may learn from besides the targets.

    With cross-validation no model of the study teaches, as it has seen the rows that a fold is scored on. A grid has no place
    for a further hyperparameter.

    Raises:
        ConfigError: The user gave a teacher, and nothing can learn from it.
    """
    given = not isinstance(request.teacher, str) or request.teacher not in {"auto", "none"}
    reason = "the networks are trained by their own steps" if request.model is not None else ""
    if not isinstance(task_of(spec), TeachableTask):
        reason = f"networks of the task {spec.task!r} learn from targets alone"
    if given and reason:
        raise ConfigError(f"a teacher is given, but {reason}", where="teacher", fix="Leave it out.")
    if given:
        return "given"
    unused = reason or spec.folds or request.sampler == "grid"
    return "none" if unused or request.teacher == "none" else "auto"


def _with_teacher(space: Space, teacher: str) -> Space:
    return space if teacher == "none" else families.with_teacher(space)


def custom_metric(metric: Any) -> CustomMetric | None:
    """The user-defined metric, if there is one; a plain function is maximised."""
    return metric if isinstance(metric, CustomMetric) else CustomMetric.of(metric) if callable(metric) else None


def _costs(objectives: Sequence[str | Objective]) -> list[Objective]:
    """All objectives except the score."""
    costs = names("objectives")
    return [
        goal if isinstance(goal, Objective) else cost_named(goal).objective
        for goal in objectives
        if isinstance(goal, Objective) or goal in costs
    ]

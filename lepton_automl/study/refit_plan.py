"""How a finished model is refitted: for how many epochs, after which parents, in how much time, and why not."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_automl.families import TEACHER
from lepton_automl.jobs import TrialJob
from lepton_automl.refit import RefitJob, RefitRows, RetrainJob
from lepton_automl.search.budget import largest_reserve, usual_reserve
from lepton_automl.search.pace import epoch_seconds
from lepton_automl.state import StudyState
from lepton_automl.study_store import BUNDLE, RETRAINED
from lepton_automl.task import task_of
from lepton_automl.trial import Trial

ASSEMBLY = 1.0  # seconds to export and check the new model, in a worker that has the data open
SHARE = 0.6  # of the time reserved for the end of the study that a refit may take


def refit_job(
    state: StudyState,
    trial: Trial,
    job: Callable[[Trial], TrialJob],
    rows: RefitRows = "validation",
    retrained: Sequence[Trial] | None = None,
) -> RefitJob:
    """The request to refit a finished model.

    Args:
        state: The study.
        trial: The model's trial.
        job: Returns the job of a trial.
        rows: The rows to learn from besides the training rows.
        retrained: Of an ensemble, the members that were trained again; by default all. The others stay as they are.
    """
    assert trial.profile is not None
    members = members_of(state, trial)
    new = {member.number for member in (members if retrained is None else retrained)}
    again = retrain_job(state, trial, job, rows)
    return RefitJob(
        job=again.job,
        epochs=max((kept_epoch(state, member) for member in members), default=0) if trial.is_ensemble else again.epochs,
        trials=again.trials,
        trial_epochs=again.trial_epochs,
        bundles=tuple(str(Path(job(member).folder) / (RETRAINED if member.number in new else BUNDLE)) for member in members)
        if trial.is_ensemble
        else (),
        retrained=tuple(sorted(new)) if trial.is_ensemble else (),
        rows=rows,
        variant=trial.variant,
        scores=trial.scores,
        profile=trial.profile,
        resampled=trial.resampled,
    )


def retrain_job(
    state: StudyState, trial: Trial, job: Callable[[Trial], TrialJob], rows: RefitRows = "validation"
) -> RetrainJob:
    """The request to train a trial's network again; for the arguments see `refit_job`."""
    *before, own = lineage(state, trial)
    return RetrainJob(
        job=job(own),
        epochs=kept_epoch(state, own),
        trials=tuple(map(job, before)),
        trial_epochs=tuple(kept_epoch(state, member) for member in before),
        rows=rows,
    )


def members_of(state: StudyState, trial: Trial) -> list[Trial]:
    """The trials whose networks are trained again: the members of an ensemble, or the trial itself."""
    return [state.trials[number] for number in trial.proposed.members] or [trial]


def refit_obstacle(state: StudyState, trial: Trial, rows: RefitRows = "validation") -> str:
    """Why a finished model is not refitted, in words; empty if it can be."""
    data = state.settings.data
    if trial.status != "complete":
        return f"its status is {trial.status}"
    if rows == "all":
        if not data.test:
            return "there are no test rows"
        if any(own.proposed.config.get(TEACHER) for member in members_of(state, trial) for own in lineage(state, member)):
            return "its teacher has no answers for the test rows"
        return "it has learned from all rows already" if trial.refitted and trial.refitted.result.rows == "all" else ""
    if not data.validation:
        return "it has learned from all rows but the test rows already"
    return "it has learned from the validation rows already" if trial.refitted else ""


def refit_seconds(state: StudyState, trials: Sequence[Trial]) -> float:
    """Estimated seconds to train the networks of some trials again, on all workers at once, and to pack the result.

    The estimate comes from the paces of the trials and of those that they inherited weights from. There are more rows, but none is
    scored in between.
    """
    each = [_retrain_seconds(state, trial) for trial in trials]
    return _makespan(each, state.settings.workers) + ASSEMBLY


def fitting(state: StudyState, trials: Sequence[Trial], seconds: float) -> list[Trial]:
    """Those of some trials, the first ones first, whose networks can all be trained again in a time."""
    chosen: list[Trial] = []
    for trial in trials:
        if refit_seconds(state, [*chosen, trial]) <= seconds:
            chosen.append(trial)
    return chosen


def refit_room(state: StudyState) -> float:
    """Seconds that a refit may take of what a budget reserves for the end of the study; infinite if time is not limited."""
    budget = state.settings.budget.seconds(state.settings.deployment.device, state.settings.workers)
    return math.inf if budget is None else SHARE * largest_reserve(budget)


def finish_room(state: StudyState) -> float:
    """Seconds that a budget has for ensembles, acceleration and refits at its end; infinite if time is not limited."""
    budget = state.settings.budget.seconds(state.settings.deployment.device, state.settings.workers)
    return math.inf if budget is None else largest_reserve(budget) - usual_reserve(budget)


def _makespan(each: Sequence[float], workers: int) -> float:
    """Seconds until all of some jobs are done, if each free worker takes the next one."""
    busy = [0.0] * max(1, workers)
    for seconds in each:
        heapq.heapreplace(busy, busy[0] + seconds)
    return max(busy)


def _retrain_seconds(state: StudyState, trial: Trial) -> float:
    data = state.settings.data
    growth = 1 + data.validation / max(1, data.train)
    return growth * sum(_seconds(state, own) for own in lineage(state, trial))


def _seconds(state: StudyState, trial: Trial) -> float:
    """Seconds that a trial took up to the epoch whose weights it kept, and to be packed."""
    assert trial.result is not None
    packing = trial.result.seconds - trial.reports[-1].seconds if trial.epochs else trial.result.seconds
    pace = epoch_seconds(trial) or trial.result.seconds / max(1, trial.epochs)
    return kept_epoch(state, trial) * pace + packing


def lineage(state: StudyState, trial: Trial) -> list[Trial]:
    """A trial after those that it inherited weights from, the first one first."""
    parent = trial.proposed.parent
    return [*([] if parent is None else lineage(state, state.trials[parent])), trial]


def kept_epoch(state: StudyState, trial: Trial) -> int:
    """The epoch of a trial's plan whose weights it kept: the one with the lowest validation loss.

    With folds it is the last one, as the final network is trained without validation rows.
    """
    data = state.settings.data
    if data.folds:
        return state.settings.epochs_of(child=trial.is_child) // (1 if trial.is_child else data.folds + 1)
    losses = {
        report.epoch: task_of(data).validation_loss(report.scores, data.output)
        for report in trial.reports
        if report.epoch and len(report.scores) > 1  # before pruning there is only the training loss
    }
    finite = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
    return min(finite, key=lambda epoch: (finite[epoch], epoch)) if finite else trial.epochs

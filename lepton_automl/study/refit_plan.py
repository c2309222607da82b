"""How a finished model is refitted: for how many epochs, after which parents, in how much time, and why not."""

from __future__ import annotations

import math
from collections.abc import Callable

from lepton_automl.families import TEACHER
from lepton_automl.jobs import TrialJob
from lepton_automl.refit import RefitJob, RefitRows
from lepton_automl.search.budget import largest_reserve
from lepton_automl.search.pace import epoch_seconds
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.trial import Trial

SHARE = 0.7  # of the time reserved for the end of the study that a refit may take


def refit_job(state: StudyState, trial: Trial, job: Callable[[Trial], TrialJob], rows: RefitRows = "validation") -> RefitJob:
    """The request to refit a finished model.

    Args:
        state: The study.
        trial: The model's trial.
        job: Returns the job of a trial.
        rows: The rows to learn from besides the training rows.
    """
    *before, own = lineage(state, trial)
    assert trial.profile is not None
    return RefitJob(
        job=job(own),
        epochs=kept_epoch(state, own),
        trials=tuple(map(job, before)),
        trial_epochs=tuple(kept_epoch(state, member) for member in before),
        rows=rows,
        variant=trial.variant,
        scores=trial.scores,
        profile=trial.profile,
        resampled=trial.resampled,
    )


def refit_obstacle(state: StudyState, trial: Trial, rows: RefitRows = "validation") -> str:
    """Why a finished model is not refitted, in words; empty if it can be."""
    data = state.settings.data
    if trial.status != "complete":
        return f"its status is {trial.status}"
    if rows == "all":
        if not data.test:
            return "there are no test rows"
        if any(member.proposed.config.get(TEACHER) for member in lineage(state, trial)):
            return "its teacher has no answers for the test rows"
        return "it has learned from all rows already" if trial.refitted and trial.refitted.result.rows == "all" else ""
    if not data.validation:
        return "it has learned from all rows but the test rows already"
    return "it has learned from the validation rows already" if trial.refitted else ""


def refit_seconds(state: StudyState, trial: Trial) -> float:
    """Estimated seconds of a refit, from the paces of the trial and of those that it inherited weights from.

    It has more rows, but none is scored in between, and no other worker is busy.
    """
    data = state.settings.data
    growth = 1 + data.validation / max(1, data.train)
    return growth * sum(_seconds(state, member) for member in lineage(state, trial))


def has_room(state: StudyState, seconds: float) -> bool:
    """Whether a refit of some seconds fits into what a budget can reserve for the end of the study."""
    budget = state.settings.budget.seconds(state.settings.deployment.device, state.settings.workers)
    return budget is None or seconds <= SHARE * largest_reserve(budget)


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

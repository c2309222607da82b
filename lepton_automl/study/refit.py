"""The refit of a finished model: it is trained again on training and validation rows, after everything was chosen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lepton_automl.errors import StudyError
from lepton_automl.events import ModelRefitted
from lepton_automl.jobs import TrialJob
from lepton_automl.refit import RefitResult, RefitRows
from lepton_automl.reporting.terminal import activity_line
from lepton_automl.trial import Trial

from .bottleneck import job_of
from .refit_plan import members_of, refit_job, refit_obstacle, retrain_job
from .tracking import StudyTracking
from .worker import ask_worker

if TYPE_CHECKING:
    from .client import StudyClient


def refit(study: StudyClient, trial: int, *, rows: RefitRows = "validation", progress: bool = True) -> None:
    """Refit a finished model in a worker process; `StudyModel.refit` is the usual way.

    Raises:
        StudyError: The model cannot be refitted, its network is made by code that may not run here, or it would be worse than its
            twin on rows that only it has learned from.
    """
    study.check_intact()
    study.check_trusted()
    state, known = study.state, study.state.trial(trial)
    if reason := refit_obstacle(state, known, rows):
        raise StudyError(f"the model of trial {trial} cannot be refitted: {reason}", where=study.name, fix="Use it as it is.")
    if rows == "all" and state.tested is None:
        fix = "Call evaluate_test() first, once all choices are made; or refit on the validation rows only."
        raise StudyError("the test split has not been opened", where=study.name, fix=fix)
    with activity_line(f"{study.name}/{trial}", shown=progress) as show:

        def job(member: Trial) -> TrialJob:
            return job_of(study, member)

        for member in members_of(state, known) if known.is_ensemble else ():
            request = retrain_job(state, member, job, rows)
            show(f"training the network of trial {member.number} again")
            ask_worker(study, request, show)
        last = refit_job(state, known, job, rows)
        result = ask_worker(study, last, show)
    assert isinstance(result, RefitResult)
    study.note(ModelRefitted(at=time.time(), result=result))
    StudyTracking(study).mirror_or_warn()

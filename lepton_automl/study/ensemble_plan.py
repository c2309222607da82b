"""Of which models a study makes an ensemble, in how much time, and what is recorded of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_automl import families
from lepton_automl.ensembling import EnsembleJob, EnsembleResult
from lepton_automl.events import TrialEnded, TrialProposed
from lepton_automl.family import ProgramFamily, family_named
from lepton_automl.jobs import TrialJob
from lepton_automl.recipe import CUSTOM
from lepton_automl.state import StudyState
from lepton_automl.study_store import BUNDLE
from lepton_automl.trial import Trial

CANDIDATES = 12  # the most accurate models, of which an ensemble is made
PACKING = 3.0  # seconds to put together, export and measure an ensemble


def candidates(state: StudyState) -> list[Trial]:
    """The models that an ensemble may be made of, the most accurate first; empty if no new one can be made.

    All take the same input as the most accurate one.
    """
    settings = state.settings
    if settings.ensemble != "auto" or settings.factory is not None:
        return []
    goal = settings.objectives[0]
    finished = [trial for trial in state.trials.values() if trial.status == "complete"]
    made = max((trial.number for trial in finished if trial.is_ensemble), default=-1)
    single = [trial for trial in finished if not trial.is_ensemble and _can_join(trial)]
    if len(single) < 2 or max(trial.number for trial in single) < made:
        return []
    ranked = sorted(single, key=lambda trial: (goal.cost(state.search_value(trial, goal)), trial.number))
    inputs = {trial.number: families.trial_spec(trial.proposed.config, settings.data).input for trial in ranked}
    alike = [trial for trial in ranked if inputs[trial.number] == inputs[ranked[0].number]]
    return alike[:CANDIDATES] if len(alike) > 1 else []


def ensemble_seconds(state: StudyState, models: Sequence[Trial]) -> float:
    """Estimated seconds to make an ensemble of some of these models; 0 if there are none."""
    rows = state.settings.data.validation
    calls = rows / state.settings.deployment.batch_size
    answering = sum(calls * trial.search_profile.latency_ms / 1000 for trial in models if trial.search_profile)
    return PACKING + answering if models else 0.0


def ensemble_job(state: StudyState, models: Sequence[Trial], job: Callable[[Trial], TrialJob], at: float) -> EnsembleJob:
    """The request to make an ensemble of some of these models.

    Args:
        state: The study.
        models: The candidates, the most accurate first.
        job: Returns the job of a trial.
        at: The time.
    """
    number = 1 + max(state.trials)
    proposed = models[0].proposed.replace(at=at, trial=number, uid=uuid.uuid4().hex)
    return EnsembleJob(
        job=job(Trial(number, proposed)),
        bundles={trial.number: str(Path(job(trial).folder) / BUNDLE) for trial in models},
    )


def ensemble_events(
    request: EnsembleJob, result: EnsembleResult, began: float, ended: float
) -> list[TrialProposed | TrialEnded]:
    """What is recorded of a new ensemble: a trial that was proposed and has ended; nothing if there is none."""
    if result.result is None:
        return []
    proposed = TrialProposed(
        at=began,
        trial=request.job.trial,
        uid=request.job.uid,
        config={},
        recipe=result.result.recipe,
        origin="ensemble",
        members=result.members,
    )
    return [proposed, TrialEnded(at=ended, result=result.result)]


def _can_join(trial: Trial) -> bool:
    """Whether a network is exported as one program whose recipe is known."""
    family = str(trial.proposed.recipe.get("family", CUSTOM))
    return family != CUSTOM and not isinstance(family_named(family), ProgramFamily)

"""Advice for a search that ended without a model: what it would have needed, and what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .errors import StudyError

if TYPE_CHECKING:
    from .state import StudyState
    from .trial import Trial

NONE = "no model is ready"
ENOUGH_TRIALS = 6  # trials that an extended budget should allow
OVERHEAD_SECONDS = 1.0  # approximate time of a trial besides its epochs: export, timing and packing
MIN_TRIAL_SHARE = 0.85  # minimum share of a time budget that trials get: what `search.budget.LARGEST_RESERVE` leaves


def no_model(state: StudyState) -> StudyError:
    """The error that says why there is no model to choose, and what to do."""
    if state.ended is None:
        fix = _failure(state) or "Wait for the first model, or look at study.trials."
        return StudyError(NONE, where=state.settings.name, fix=fix)
    cause = state.ended.reason.partition(f"; {NONE}")[0]
    return StudyError(f"{cause}; {NONE}", where=state.settings.name, fix=advice(state, state.ended.at))


def end_reason(state: StudyState, reason: str, now: float) -> str:
    """Why a search ended, as every view shows it; with advice if it found no model."""
    if state.front():
        return reason
    to_do = advice(state, now).splitlines()[0]
    failure = _failure(state).partition(": ")[2].partition("\n")[0]
    return f"{reason}; {NONE}" if failure and failure in reason else f"{reason}; {NONE}. {to_do}"


def advice(state: StudyState, now: float) -> str:
    """What to do to get a model, judged by the trials so far."""
    return _failure(state) or _limits(state) or _more(state, now)


def _failure(state: StudyState) -> str:
    failed = [trial.result.reason for trial in state.trials.values() if trial.result and trial.status == "failed"]
    return f"Its last failure: {failed[-1]}" if failed else ""


def _limits(state: StudyState) -> str:
    broken = [trial for trial in state.trials.values() if trial.status == "infeasible"]
    if not broken or len(broken) < len(state.trials):
        return ""
    why = broken[-1].exceeded_limit or (broken[-1].result.reason if broken[-1].result else "")
    return f"Every candidate exceeded a hard limit; the last one: {why}. Raise the limit."


def _more(state: StudyState, now: float) -> str:
    budget, settings = state.settings.budget, state.settings
    seconds = budget.seconds(settings.deployment.device, settings.workers)
    if seconds is None:
        unit = "trials" if budget.trials is not None else "epochs"
        amount = ENOUGH_TRIALS if unit == "trials" else ENOUGH_TRIALS * settings.epochs_of(child=False)
        return f"Continue with extend({unit}={amount})."
    need = _needed(state, seconds, now)
    if budget.minutes is not None:
        more = f"minutes={math.ceil(need / 60)}"
    else:
        more = f"cost={(budget.cost or 0.0) * need / seconds:.2g}"
    took = trial_seconds(state)
    known = f"a full trial takes about {took:.2g} s" if took else "no network has trained long enough to be timed"
    return (
        f"{_benchmarking(state)} {known}: extend({more}) continues with "
        f"{settings.train.epochs} epochs per trial; a new search with a larger budget may give each trial more."
    )


def _needed(state: StudyState, seconds: float, now: float) -> float:
    """Seconds missing for `ENOUGH_TRIALS` trials, or the budget again, including those by which it is already exceeded."""
    overdrawn = max(0.0, state.spent(now) - seconds)
    trials = ENOUGH_TRIALS * trial_seconds(state) / state.settings.workers
    return (overdrawn + (trials or seconds)) / MIN_TRIAL_SHARE


def _benchmarking(state: StudyState) -> str:
    if state.trials or state.started is None or state.host_benchmark is None:
        return "On this machine"
    return f"Preparing the data and benchmarking this machine took {state.host_benchmark.at - state.started.at:.2g} s, and"


def trial_seconds(state: StudyState) -> float:
    """Seconds that a full trial takes one worker, from the host benchmark and the trials so far; 0 while unknown."""
    epochs = state.settings.epochs_of(child=False)
    benchmark_seconds = state.host_benchmark.benchmark.epoch_seconds if state.host_benchmark else 0.0
    seconds = max([benchmark_seconds, *map(_epoch_seconds, state.trials.values())])
    return OVERHEAD_SECONDS + epochs * seconds if seconds else 0.0


def _epoch_seconds(trial: Trial) -> float:
    last = trial.reports[-1] if trial.reports else None
    return last.seconds / last.epoch if last and last.epoch else 0.0

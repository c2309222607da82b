"""The record of a trial's run, written when the trial ends. That of a stopped trial is small, as there may be thousands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from lepton_automl.jobs import Status
from lepton_automl.profile import Profile
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .dataset import dataset_record
from .records import NOTE, TRIAL, Point, RunRecord, flag, ms, points
from .run_description import network, trial_note

RUN_STATUS: dict[Status, str] = {"complete": "FINISHED", "stopped": "KILLED", "infeasible": "KILLED", "failed": "FAILED"}


def ended_trial(state: StudyState, trial: Trial, marked: dict[str, bool]) -> RunRecord:
    """The record of an ended trial.

    Args:
        state: The study.
        trial: The trial.
        marked: For each of the marks that may change, whether the trial has it.
    """
    result, proposed = trial.result, trial.proposed
    assert result is not None and trial.ended_at is not None
    tags = _tags(state, trial) | {NOTE: trial_note(state, trial)}
    if result.status == "complete":
        tags |= {f"lepton.{mark}": flag(present) for mark, present in marked.items()}
    return RunRecord(
        key=(TRIAL, proposed.uid),
        name=name_of(state, trial),
        start_ms=ms(proposed.at),
        status=RUN_STATUS[result.status],
        end_ms=ms(trial.ended_at),
        params={name: str(setting) for name, setting in proposed.config.items()},
        # The most important come first: MLflow's page of a run lists metrics in the order they were logged.
        metrics=(*points(_figures(state, trial), trial.ended_at, result.epochs), *_curve(state, trial)),
        tags={name: value for name, value in tags.items() if value or trial.resumed},  # clears earlier values
        texts=_texts(trial),
        dataset=dataset_record(state.settings.data) if result.status == "complete" else None,
    )


def changed_trial(
    state: StudyState,
    number: int,
    *,
    tags: dict[str, str] | None = None,
    metrics: Iterable[Point] = (),
    status: str = "",
    texts: dict[str, str] | None = None,
) -> RunRecord:
    """A change to a trial that is in the store already, with an updated description."""
    trial = state.trials[number]
    return RunRecord(
        key=(TRIAL, trial.proposed.uid),
        name=name_of(state, trial),
        start_ms=ms(trial.proposed.at),
        whole=False,
        status=status,
        tags={**(tags or {}), NOTE: trial_note(state, trial)},
        metrics=tuple(metrics),
        texts=texts or {},
    )


def name_of(state: StudyState, trial: Trial) -> str:
    """The name of a trial's run; names sort in the order of the trials."""
    return f"{state.settings.name}-{trial.number:04d}"


def costs(profile: Profile) -> dict[str, float]:
    """A profile as metrics, with related metrics grouped by their names."""
    return {
        "latency_ms.p50": profile.latency_ms,
        "latency_ms.low": profile.latency.low,
        "latency_ms.high": profile.latency.high,
        "size_bytes": profile.size_bytes,
        "parameters": profile.parameters,
        **({"macs": profile.macs} if profile.macs else {}),
        "wall_ms.p50": profile.wall.median,
        "wall_ms.p95": profile.wall.p95,
        **_other_costs(profile),
    }


def _other_costs(profile: Profile) -> dict[str, float]:
    """The other costs that are objectives or limited, by names that MLflow accepts."""
    return {re.sub(r"[^\w.\- ]", "_", name): value for name, value in profile.costs.items() if not math.isnan(value)}


def rung(trial: Trial) -> int:
    """The number of rungs that a trial has reached; 0 if it was never compared."""
    return len({report.epoch for report in trial.reports if report.waits and report.epoch})


def _tags(state: StudyState, trial: Trial) -> dict[str, str]:
    """The tags to filter by; more of them for a completed trial."""
    result, proposed = trial.result, trial.proposed
    assert result is not None
    feasible = trial.search_profile is not None and not state.settings.deployment.exceeded_limit(trial.search_profile)
    tags = {
        "lepton.trial": str(trial.number),
        "lepton.status": result.status,
        "lepton.reason": result.reason,
        "lepton.origin": proposed.origin,
        "lepton.feasible": flag(feasible) if trial.search_profile else "",
        "lepton.rung": str(rung(trial)),
        "lepton.recipe": network(trial),
        "lepton.parent_trial": "" if proposed.parent is None else str(proposed.parent),
        "lepton.members": ",".join(map(str, proposed.members)),
        "lepton.teachers": ",".join(map(str, proposed.teachers)),
        "lepton.retries": str(trial.retries) if trial.retries else "",
    }
    if result.status != "complete":
        return tags
    more = {"lepton.study": state.settings.name, "lepton.bundle": result.folder, "lepton.variant": trial.variant.name}
    return tags | more


def _texts(trial: Trial) -> dict[str, str]:
    """The traceback, and the output of completed and failed trials, as text artifacts."""
    result = trial.result
    assert result is not None
    texts = {"traceback.txt": result.traceback, "stdout.txt": result.printed if result.status in {"complete", "failed"} else ""}
    return {path: text for path, text in texts.items() if text}


def _curve(state: StudyState, trial: Trial) -> Iterator[Point]:
    """The scores by epoch; scores of the exported artifact replace those of the last epoch."""
    result = trial.result
    assert result is not None
    shown = {state.settings.metric, "train_loss"} if result.status == "stopped" else None
    for report in trial.reports:
        scores = {
            name: value
            for name, value in report.scores.items()
            if (shown is None or name in shown) and not (report.epoch == result.epochs and name in result.scores)
        }
        yield from points(scores, trial.proposed.at + report.seconds, report.epoch)


def _figures(state: StudyState, trial: Trial) -> dict[str, float]:
    """The final metrics of a trial. `score` is the study's metric with its 95 % interval, for completed trials only."""
    result = trial.result
    assert result is not None
    spent = {"epochs": result.epochs, "seconds": result.seconds}
    if result.status in {"stopped", "infeasible"}:
        return {**result.scores, **_main_costs(trial.search_profile), **spent}
    score = state.search_value(trial, state.settings.objectives[0]) if result.status == "complete" else math.nan
    ends = result.resampled.intervals.get(state.settings.metric) if result.resampled else None
    head = {} if math.isnan(score) else {"score": score, **({"score.low": ends[0], "score.high": ends[1]} if ends else {})}
    cost_metrics = costs(trial.search_profile) if trial.search_profile else {}
    return {**head, **cost_metrics, **result.scores, **spent, "cpu_seconds": result.cpu_seconds}


def _main_costs(profile: Profile | None) -> dict[str, float]:
    """The costs that trials are compared by, without their intervals."""
    names = ("latency_ms.p50", "size_bytes", "parameters", *(_other_costs(profile) if profile else ()))
    return {name: value for name, value in costs(profile).items() if name in names} if profile else {}

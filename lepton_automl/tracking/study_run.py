"""The content of a study's own run: its request, environment, progress and cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from lepton_automl.events import (
    Event,
    HostBenchmarked,
    ReferencesScored,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    TrialEnded,
    TrialProposed,
)
from lepton_automl.jobs import Status
from lepton_automl.state import StudyState

from .records import Point, ms, points

KINDS: tuple[Status, ...] = ("complete", "stopped", "infeasible", "failed")


def settings(state: StudyState) -> dict[str, str]:
    """The request, machine and versions as parameters, which are written once and cannot change; the most important first."""
    started = state.started
    assert started is not None
    config = started.config  # the original request: the budget may be extended
    groups = {"deployment": config.deployment.to_json(), "budget": config.budget.to_json()}
    params = {"metric": config.metric, "objectives": ", ".join(f"{goal.name} ({goal.direction})" for goal in config.objectives)}
    params |= {f"{part}.{name}": str(value) for part, values in groups.items() for name, value in values.items() if value}
    for name in ("name", "modality", "task", "target", "train", "validation", "test", "folds", "digest"):
        params[f"data.{name}"] = str(getattr(config.data, name))
    params |= {"sampler": config.sampler, "seed": str(config.seed), "workers": str(config.workers)}
    params["warm_start"] = ", ".join(dict.fromkeys(prior.study for prior in config.prior_trials))
    params |= {f"space.{name}": hyperparameter.describe() for name, hyperparameter in config.space.items()}
    # Fixed training settings; the prefix differs from that of hyperparameters, which are parameters of the trials.
    plan = config.train.to_json().items()
    params |= {f"plan.{name}": str(value) for name, value in plan if f"train.{name}" not in config.space}
    params |= {f"host.{name}": value for name, value in started.machine.items()}
    return params | {f"version.{package}": version for package, version in started.versions.items()}


def machine(event: HostBenchmarked) -> dict[str, str]:
    """The benchmark of the machine, as parameters."""
    reference, epoch = event.benchmark.reference.median, event.benchmark.epoch_seconds
    timed = {"host.epoch_seconds": f"{epoch:.4g}"} if epoch else {}
    return {"host.processor": event.benchmark.host, "host.reference_ms": f"{reference:.4g}", **timed}


def source(started: StudyStarted) -> dict[str, str]:
    """The caller's git work tree, in the tags that the MLflow UI knows."""
    return {f"mlflow.source.git.{name}": value for name, value in started.git.items()}


def text_artifacts(state: StudyState) -> dict[str, str]:
    """The complete request and environment as text artifacts, by path."""
    assert state.started is not None
    environment = {"environment.txt": "\n".join(state.started.environment) + "\n"} if state.started.environment else {}
    return {"study.json": json.dumps(state.started.config.to_json(), indent=1)} | environment


def status(news: Sequence[Event]) -> tuple[str, int | None]:
    """MLflow's status of a study and its end, from the last event that ended or resumed it or proposed a trial."""
    last = next((event for event in reversed(news) if isinstance(event, StudyEnded | StudyResumed | TrialProposed)), None)
    if isinstance(last, StudyEnded):
        return ("FAILED" if last.chosen is None else "FINISHED"), ms(last.at)
    return ("RUNNING" if last else ""), None


def progress(state: StudyState, event: Event) -> Iterator[Point]:
    """The points that an event adds to the study's own curves, after the state has applied it; deterministic."""
    if isinstance(event, ReferencesScored):
        known = {
            f"reference.{reference.name}.{name}": score
            for reference in event.result.references
            for name, score in reference.scores.items()
        }
        yield from points(known, event.at, state.ends)
    if isinstance(event, TrialEnded | StudyEnded):
        front = state.front()
        best = {"best_score": state.score(front[0])} if front and isinstance(event, TrialEnded) else {}
        totals = Counter(trial.status for trial in state.trials.values() if trial.result)
        counts = {f"trials.{kind}": totals[kind] for kind in KINDS}
        yield from points({**best, "front_size": len(front), **counts, **spent(state)}, event.at, state.ends)


def spent(state: StudyState) -> dict[str, float]:
    """What a study has used so far: trials, epochs, time, and money if prices are known."""
    config, seconds = state.settings, state.spent(state.last_at)
    hours = seconds * config.workers / 3600
    price = config.budget.prices.get(config.deployment.device)
    used = {"trials": len(state.trials), "epochs": state.epochs, "minutes": seconds / 60, "device_hours": hours}
    used |= {} if price is None else {"cost": hours * price}
    return {f"spent.{name}": round(value, 4) for name, value in used.items()}

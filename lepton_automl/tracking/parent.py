"""A study's own run: what was asked, by what and where, how it goes, and what it has cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from lepton_automl.events import Event, HostWeighed, StudyEnded, StudyResumed, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.state import StudyState

from .records import Point, ms, points


def settings(state: StudyState) -> dict[str, str]:
    """What was asked, and by what and where, as parameters: they are told once and cannot change."""
    started = state.started
    assert started is not None
    config = started.config  # as it began: a budget may grow
    asked = {"target": config.target.to_json(), "budget": config.budget.to_json()}
    params = {f"{part}.{name}": str(value) for part, values in asked.items() for name, value in values.items() if value}
    for name in ("name", "modality", "task", "target", "train", "validation", "test", "folds", "digest"):
        params[f"data.{name}"] = str(getattr(config.data, name))
    params |= {f"space.{name}": knob.describe() for name, knob in config.space.items()}
    params |= {f"train.{name}": str(value) for name, value in config.train.to_json().items()}
    params |= {f"version.{package}": version for package, version in started.versions.items()}
    params |= {f"host.{name}": value for name, value in started.machine.items()}
    if state.weighed:
        params["host.processor"] = state.weighed.weighed.host
    objectives = ", ".join(f"{goal.name} ({goal.direction})" for goal in config.objectives)
    return params | {
        "metric": config.metric,
        "objectives": objectives,
        "sampler": config.sampler,
        "workers": str(config.workers),
        "seed": str(config.seed),
        "warm_start": ", ".join(dict.fromkeys(one.study for one in config.precedents)),
    }


def source(started: StudyStarted) -> dict[str, str]:
    """The caller's work tree, in the tags that MLflow's own pages know."""
    return {f"mlflow.source.git.{name}": value for name, value in started.git.items()}


def papers(state: StudyState) -> dict[str, str]:
    """What is kept whole beside the parameters, as texts by path."""
    assert state.started is not None
    environment = {"environment.txt": "\n".join(state.started.environment) + "\n"} if state.started.environment else {}
    return {"study.json": json.dumps(state.started.config.to_json(), indent=1)} | environment


def status(news: Sequence[Event]) -> tuple[str, int | None]:
    """MLflow's status of a study, and its end: whichever came last of an end, a new trial and a resumption."""
    last = next((event for event in reversed(news) if isinstance(event, StudyEnded | StudyResumed | TrialProposed)), None)
    if isinstance(last, StudyEnded):
        return ("FAILED" if last.chosen is None else "FINISHED"), ms(last.at)
    return ("RUNNING" if last else ""), None


def progress(state: StudyState, event: Event) -> Iterator[Point]:
    """What the study's own curves gain by an event, which the state has just taken in: the same whenever it is written."""
    if isinstance(event, HostWeighed):
        weighed = event.weighed
        own = {"host.reference_ms": weighed.reference.median, "host.epoch_seconds": weighed.epoch_seconds}
        yield from points(own, event.at, 0)
    if isinstance(event, TrialEnded | StudyEnded):
        front = state.front()
        best = {"best_score": state.score(front[0])} if front and isinstance(event, TrialEnded) else {}
        counts = Counter(f"trials.{trial.status}" for trial in state.trials.values() if trial.result)
        yield from points({**best, "front_size": len(front), **counts, **spent(state)}, event.at, state.ends)


def spent(state: StudyState) -> dict[str, float]:
    """What a study has used up so far: of its budget, of its workers' time, and of money where prices were given."""
    config, seconds = state.settings, state.spent(state.last_at)
    hours = seconds * config.workers / 3600
    price = config.budget.prices.get(config.target.device)
    used = {"trials": len(state.trials), "epochs": state.epochs, "minutes": seconds / 60, "device_hours": hours}
    return {f"spent.{name}": value for name, value in used.items()} | ({} if price is None else {"spent.cost": hours * price})

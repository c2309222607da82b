"""A study's own run: what was asked, by what and where, how it goes, and what it has cost."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from lepton_automl.events import Event, StudyEnded, StudyResumed, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.state import StudyState

from .records import Point, ms, points


def settings(state: StudyState) -> dict[str, str]:
    """What was asked, and by what and where, as parameters: they are told once and cannot change."""
    config, started = state.settings, state.started
    assert started is not None
    asked = {"target": config.target.to_json(), "budget": config.budget.to_json()}
    params = {f"{part}.{name}": str(value) for part, values in asked.items() for name, value in values.items() if value}
    for name in ("name", "modality", "task", "target", "train", "validation", "test", "folds", "digest"):
        params[f"data.{name}"] = str(getattr(config.data, name))
    params |= {f"space.{name}": knob.describe() for name, knob in config.space.items()}
    # What no knob turns; under another name than the knobs', which the trials have as their own parameters.
    params |= {
        f"plan.{name}": str(value) for name, value in config.train.to_json().items() if f"train.{name}" not in config.space
    }
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
    return {"study.json": json.dumps(state.settings.to_json(), indent=1)} | environment


def status(news: Sequence[Event]) -> tuple[str, int | None]:
    """MLflow's status of a study, and its end: whichever came last of an end, a new trial and a resumption."""
    last = next((event for event in reversed(news) if isinstance(event, StudyEnded | StudyResumed | TrialProposed)), None)
    if isinstance(last, StudyEnded):
        return ("FAILED" if last.chosen is None else "FINISHED"), ms(last.at)
    return ("RUNNING" if last else ""), None


def progress(state: StudyState, news: Sequence[Event]) -> Iterator[Point]:
    """The study's own curve: the best score after each ended trial of `news`, and the counts after the last."""
    goal = state.settings.objectives[0]
    fresh = [event for event in news if isinstance(event, TrialEnded)]
    ended, told = [t for t in state.trials.values() if t.result], {event.result.trial for event in fresh}
    known = [state.score(t) for t in ended if t.status == "complete" and t.number not in told]
    for step, event in enumerate(fresh, state.ends - len(fresh) + 1):
        if event.result.status == "complete":
            known.append(state.score(state.trials[event.result.trial]))
        known = sorted((score for score in known if not math.isnan(score)), key=goal.cost)[:1]
        if known:
            yield Point("best_score", known[0], ms(event.at), step)
    last = next((event for event in reversed(news) if isinstance(event, TrialEnded | StudyEnded)), None)
    if last is not None:
        counts = Counter(f"trials.{trial.status}" for trial in ended)
        yield from points({"front_size": len(state.front()), **counts, **spent(state)}, last.at, state.ends)
    if state.weighed:
        own = {
            "host.reference_ms": state.weighed.weighed.reference.median,
            "host.epoch_seconds": state.weighed.weighed.epoch_seconds,
        }
        yield from points(own, state.weighed.at, 0)


def spent(state: StudyState) -> dict[str, float]:
    """What a study has used up so far: of its budget, of its workers' time, and of money where prices were given."""
    config, seconds = state.settings, state.spent(state.last_at)
    hours = seconds * config.workers / 3600
    price = config.budget.prices.get(config.target.device)
    used = {"trials": len(state.trials), "epochs": state.epochs, "minutes": seconds / 60, "device_hours": hours}
    return {f"spent.{name}": value for name, value in used.items()} | ({} if price is None else {"spent.cost": hours * price})

"""A study's own run: what was asked, by what and where, how it goes, and what it has cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from lepton_automl.events import Event, HostBenchmarked, StudyEnded, StudyResumed, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.jobs import Status
from lepton_automl.state import StudyState

from .records import Point, ms, points

KINDS: tuple[Status, ...] = ("complete", "stopped", "infeasible", "failed")


def settings(state: StudyState) -> dict[str, str]:
    """What was asked, and by what and where, as parameters: they are told once and cannot change; what matters comes first."""
    started = state.started
    assert started is not None
    config = started.config  # as it began: a budget may grow
    groups = {"deployment": config.deployment.to_json(), "budget": config.budget.to_json()}
    params = {"metric": config.metric, "objectives": ", ".join(f"{goal.name} ({goal.direction})" for goal in config.objectives)}
    params |= {f"{part}.{name}": str(value) for part, values in groups.items() for name, value in values.items() if value}
    for name in ("name", "modality", "task", "target", "train", "validation", "test", "folds", "digest"):
        params[f"data.{name}"] = str(getattr(config.data, name))
    params |= {"sampler": config.sampler, "seed": str(config.seed), "workers": str(config.workers)}
    params["warm_start"] = ", ".join(dict.fromkeys(prior.study for prior in config.prior_trials))
    params |= {f"space.{name}": hyperparameter.describe() for name, hyperparameter in config.space.items()}
    # What no hyperparameter changes; under another name than the hyperparameters', which the trials have as their own parameters.
    plan = config.train.to_json().items()
    params |= {f"plan.{name}": str(value) for name, value in plan if f"train.{name}" not in config.space}
    params |= {f"host.{name}": value for name, value in started.machine.items()}
    return params | {f"version.{package}": version for package, version in started.versions.items()}


def machine(event: HostBenchmarked) -> dict[str, str]:
    """What weighing found of the machine, as parameters too."""
    reference, epoch = event.benchmark.reference.median, event.benchmark.epoch_seconds
    return {
        "host.processor": event.benchmark.host,
        "host.reference_ms": f"{reference:.4g}",
        "host.epoch_seconds": f"{epoch:.4g}",
    }


def source(started: StudyStarted) -> dict[str, str]:
    """The caller's work tree, in the tags that MLflow's own pages know."""
    return {f"mlflow.source.git.{name}": value for name, value in started.git.items()}


def text_artifacts(state: StudyState) -> dict[str, str]:
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
    if isinstance(event, TrialEnded | StudyEnded):
        front = state.front()
        best = {"best_score": state.score(front[0])} if front and isinstance(event, TrialEnded) else {}
        totals = Counter(trial.status for trial in state.trials.values() if trial.result)
        counts = {f"trials.{kind}": totals[kind] for kind in KINDS}
        yield from points({**best, "front_size": len(front), **counts, **spent(state)}, event.at, state.ends)


def spent(state: StudyState) -> dict[str, float]:
    """What a study has used up so far: of its budget, of its workers' time, and of money where prices were given."""
    config, seconds = state.settings, state.spent(state.last_at)
    hours = seconds * config.workers / 3600
    price = config.budget.prices.get(config.deployment.device)
    used = {"trials": len(state.trials), "epochs": state.epochs, "minutes": seconds / 60, "device_hours": hours}
    used |= {} if price is None else {"cost": hours * price}
    return {f"spent.{name}": round(value, 4) for name, value in used.items()}

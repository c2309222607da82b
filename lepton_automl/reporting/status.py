"""The status of a study in a few lines; imports little, so that `lepton status` starts quickly."""

from __future__ import annotations

import time
from typing import Any

from lepton_automl.state import StudyState
from lepton_automl.texts import clean, many

NOT_AT_WORK = {"lost": "unfinished", "paused": "paused"}  # the word for unfinished trials, by status
LONGEST = 600  # characters of another program's message


def status_json(state: StudyState, status: str) -> dict[str, Any]:
    """The status of a study as JSON.

    `used` is the share of the budget that is used, 1 if the study has ended; `left` what is left of the unit that runs out
    first, empty if the study has ended; `running` the running trials, none if the process is lost; `step` the current step
    before the first model, with an estimate of its duration.
    """
    now = state.last_at if status in {"lost", "ended"} else time.time()
    share, left = budget_used(state, state.spent(now)) if status != "ended" else (1.0, "")
    chosen = state.choose().number if state.front() else None
    runs = status != "lost"  # trials of a lost process are not running
    return {
        "study": state.settings.name,
        "status": status,
        "trials": _counts(state),
        "running": sorted(state.running) if runs else [],
        "epochs": state.epochs,
        "front": len(state.front()),
        "chosen": chosen,
        "used": round(share, 4),
        "left": left,
        "step": startup_step(state, status, now) or None,
        "last_event_s": round(time.time() - state.last_at, 1) if state.last_at else None,
        "paused": state.paused.reason if state.paused and status == "paused" else None,
        "ended": state.ended.reason if state.ended else None,
        "mlflow": clean(state.mlflow_trouble, LONGEST) or None,
    }


def status_lines(state: StudyState, status: str) -> list[str]:
    """The status of a study as lines of text."""
    summary = status_json(state, status)
    word = NOT_AT_WORK.get(status, "running")
    named = sorted((word if name == "running" else name, number) for name, number in summary["trials"].items())
    counts = ", ".join(f"{number} {name}" for name, number in named) or "no trials yet"
    over = status == "ended" and summary["ended"]
    lines = [
        f"100% done: {summary['ended']}" if over else f"{summary['used']:.0%} of the budget used; {summary['left']}",
        counts,
    ]
    lines.append(f"{many(summary['epochs'], 'epoch')} trained; {many(summary['front'], 'model')} on the front")
    now = summary["step"] or running_trials(state, word)
    age = [f"last event {summary['last_event_s']:.0f} s ago"] if summary["last_event_s"] is not None and not over else []
    behind = [f"MLflow is behind: {summary['mlflow']}"] if summary["mlflow"] else []
    return [*lines, *([now] if now else []), *behind, *age]


def _counts(state: StudyState) -> dict[str, int]:
    statuses = [trial.status for trial in state.trials.values()]
    return {name: statuses.count(name) for name in sorted(set(statuses))}


def budget_used(state: StudyState, seconds: float) -> tuple[float, str]:
    """The share of the budget that is used, and what is left of the unit that will run out first."""
    budget, settings = state.settings.budget, state.settings
    parts: list[tuple[float, str]] = []
    whole = budget.seconds(settings.deployment.device, settings.workers)
    if whole is not None:
        left = max(0.0, whole - seconds)
        parts.append((seconds / whole, f"{int(left // 60)}:{int(left % 60):02d} left"))
    if budget.trials is not None:
        done = len(state.trials) - len(state.running)
        parts.append((done / budget.trials, f"{max(0, budget.trials - done)} trials left"))
    if budget.epochs is not None:
        parts.append((state.epochs / budget.epochs, f"{max(0, budget.epochs - state.epochs)} epochs left"))
    share, left_over = max(parts)
    return min(1.0, share), left_over


def startup_step(state: StudyState, status: str, now: float) -> str:
    """The current step before the first model, and about how long it will take; empty once there is a model.

    Args:
        state: The study.
        status: The status of the study.
        now: Seconds since the epoch.
    """
    if state.front() or status not in {"starting", "running"}:
        return ""
    if state.host_benchmark is None:
        return "measuring this machine's speed, about 10 s"
    data, host = state.settings.data, state.host_benchmark
    whole = host.epochs * (data.folds + 1)  # one training per fold, and a final one on all rows
    trial = max(state.running.values(), key=lambda running: running.epochs, default=None)
    if trial is None:
        estimate = whole * host.benchmark.epoch_seconds
        return f"building a network; a model takes about {_about(estimate)}" if estimate else "building the first network"
    began = trial.intervals[-1].began if trial.intervals else now
    each = (now - began) / trial.epochs if trial.epochs else host.benchmark.epoch_seconds
    left = max(0.0, (whole - trial.epochs) * each)
    step = f"trial {trial.number} is at epoch {trial.epochs} of {whole}"
    return f"{step}; the first model in about {_about(left)}" if each else step


def _about(seconds: float) -> str:
    """An estimated time, rounded."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} minutes"


def running_trials(state: StudyState, word: str = "running") -> str:
    """The unfinished trials and their epochs, after a word for their status; empty if there are none."""
    phrases = []
    for trial in state.trials.values():
        if trial.result is None:
            last = trial.reports[-1] if trial.reports else None
            score = last.scores.get(state.settings.metric) if last else None
            phrases.append(f"trial {trial.number} at epoch {trial.epochs}" + (f" ({score:.4f})" if score is not None else ""))
    return f"{word}: " + ", ".join(phrases) if phrases else ""

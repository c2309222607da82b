"""How a study stands, in a few lines; imports little, so that `lepton status` starts at once."""

from __future__ import annotations

import time
from typing import Any

from lepton_automl.state import StudyState


def status_json(state: StudyState, status: str) -> dict[str, Any]:
    """How a study stands, for machines."""
    share, left = used(state, state.spent(time.time()) if status not in {"lost", "ended"} else state.spent(state.last_at))
    chosen = state.choose().number if state.front() else None
    return {
        "study": state.settings.name,
        "status": status,
        "trials": _counts(state),
        "running": sorted(state.running),
        "epochs": state.epochs,
        "front": len(state.front()),
        "chosen": chosen,
        "used": round(share, 4),
        "left": left,
        "last_event_s": round(time.time() - state.last_at, 1) if state.last_at else None,
        "ended": state.ended.reason if state.ended else None,
        "mlflow": state.untracked or None,
    }


def status_lines(state: StudyState, status: str) -> list[str]:
    """The same for people."""
    told = status_json(state, status)
    counts = ", ".join(f"{number} {name}" for name, number in sorted(told["trials"].items())) or "no trials yet"
    lines = [f"{told['used']:.0%} of the budget used; {told['ended'] or told['left']}", counts]
    lines.append(f"{told['epochs']} epochs trained; {told['front']} models on the front")
    now = running(state)
    age = [f"last event {told['last_event_s']:.0f} s ago"] if told["last_event_s"] is not None else []
    behind = [f"MLflow is behind: {state.untracked}"] if state.untracked else []
    return [*lines, *([now] if now else []), *behind, *age]


def _counts(state: StudyState) -> dict[str, int]:
    statuses = [trial.status for trial in state.trials.values()]
    return {name: statuses.count(name) for name in sorted(set(statuses))}


def used(state: StudyState, seconds: float) -> tuple[float, str]:
    """The share of the budget that is used, and what is left of the unit that will run out first."""
    budget, settings = state.settings.budget, state.settings
    told: list[tuple[float, str]] = []
    whole = budget.seconds(settings.target.device, settings.workers)
    if whole is not None:
        left = max(0.0, whole - seconds)
        told.append((seconds / whole, f"{int(left // 60)}:{int(left % 60):02d} left"))
    if budget.trials is not None:
        done = len(state.trials) - len(state.running)
        told.append((done / budget.trials, f"{max(0, budget.trials - done)} trials left"))
    if budget.epochs is not None:
        told.append((state.epochs / budget.epochs, f"{max(0, budget.epochs - state.epochs)} epochs left"))
    share, left_over = max(told)
    return min(1.0, share), left_over


def running(state: StudyState) -> str:
    """The running trials and how far they are; empty where there are none."""
    told = []
    for trial in state.trials.values():
        if trial.result is None:
            last = trial.reports[-1] if trial.reports else None
            score = last.scores.get(state.settings.metric) if last else None
            told.append(f"trial {trial.number} at epoch {trial.epochs}" + (f" ({score:.4f})" if score is not None else ""))
    return "running: " + ", ".join(told) if told else ""

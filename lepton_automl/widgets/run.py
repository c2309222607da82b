"""The head of the dashboard: progress, time left, workers, trials by status, and the best models so far."""

from __future__ import annotations

import math
import operator
from typing import Any

import ipywidgets as w

from lepton_automl.corrected import corrected_score
from lepton_automl.reporting.cost_axes import CostAxis, other_costs
from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.latency import latency_text
from lepton_automl.reporting.status import status_json
from lepton_automl.reporting.tables import score_interval, with_interval
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .drawing import DIM, INK, LINE, SOFT, Drawing
from .protocols import OVER, StudySnapshot
from .style import COLOURS, MARKS, SHAPES
from .view import View

ORDER = ("complete", "stopped", "infeasible", "failed", "running")


STATUS_TEXTS = {
    "ending": "saving the chosen model",
    "lost": "The search process is gone; resume continues it",
}


class RunView(View):
    """The head of a dashboard."""

    def __init__(self) -> None:
        self._view = w.HTML()
        super().__init__(self._view)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the status."""
        self._view.value = run_html(snapshot)


def run_html(snapshot: StudySnapshot) -> str:
    """The status and progress of a study, as HTML without scripts."""
    state = snapshot.state
    summary = status_json(state, snapshot.status)
    facts = run_facts(snapshot)
    listed = "".join(f"<div><span>{html_text(name)}</span><b>{html_text(value)}</b></div>" for name, value in facts.items())
    behind = (
        f'<div class="l-warn">▲ MLflow is behind: {html_text(state.mlflow_trouble, 600)}</div>' if state.mlflow_trouble else ""
    )
    percent = round(100 * summary["used"], 1)
    return (
        f'<div class="l-head"><span class="l-name">{html_text(state.settings.name)}</span>'
        f'<span class="l-badge">{html_text(snapshot.status)}</span><span>{html_text(badge_text(snapshot))}</span>{_status_counts(summary["trials"])}</div>'
        f'<div class="l-bar" role="progressbar" aria-label="budget used" aria-valuenow="{percent}">'
        f'<i style="width:{percent}%;background:#0072B2"></i></div>'
        f'<div class="l-facts">{listed}</div>{behind}'
    )


def draw_run(drawing: Drawing, snapshot: StudySnapshot) -> None:
    """Draw the status and progress in a static picture."""
    state = snapshot.state
    summary = status_json(state, snapshot.status)
    head: list[tuple[str, dict[str, Any]]] = [
        (state.settings.name, {"size": 17, "bold": True}),
        (snapshot.status, {"bold": True, "frame": INK}),
        (badge_text(snapshot), {}),
    ]
    counts = [
        (f"{summary['trials'][name]} {name}", {"mark": (SHAPES[name], COLOURS[name])})
        for name in ORDER
        if name in summary["trials"]
    ]
    drawing.flow([[badge] for badge in (*head, *(counts or [("no trials yet", {})]))], gap=12)
    drawing.y += 10
    drawing.box(drawing.left, drawing.y, drawing.right, drawing.y + 8, fill=SOFT, edge=LINE, round_by=4)
    end = drawing.left + (drawing.right - drawing.left) * summary["used"]
    if end > drawing.left + 8:
        drawing.box(drawing.left, drawing.y, end, drawing.y + 8, fill=COLOURS["complete"], round_by=4)
    drawing.y += 8
    drawing.flow(
        [[(name, {"colour": DIM, "size": 11}), (value, {"bold": True})] for name, value in run_facts(snapshot).items()]
    )
    drawing.y += 8


def badge_text(snapshot: StudySnapshot) -> str:
    """A short explanation beside the status."""
    if snapshot.status == "ended" and snapshot.state.ended:
        return snapshot.state.ended.reason
    if snapshot.status == "paused" and snapshot.state.paused:
        return snapshot.state.paused.reason.splitlines()[0]
    summary = status_json(snapshot.state, snapshot.status)
    return STATUS_TEXTS.get(
        snapshot.status, "; ".join(filter(None, (summary["left"] if snapshot.state.host_benchmark else "", summary["step"])))
    )


def run_facts(snapshot: StudySnapshot) -> dict[str, str]:
    """The figures so far, by name."""
    state = snapshot.state
    facts = {
        f"best {state.settings.metric}": best(state),
        f"{state.settings.metric} expected of the choice": expected(state),
        "fastest on the front": fastest(state),
        **{f"least {cost.label}": least(state, cost) for cost in other_costs(state) if cost.objective.direction == "minimize"},
        "on the front": str(len(state.front())),
        "workers busy": f"{len(state.running)} of {state.settings.workers}" if snapshot.status not in OVER else "",
        "epochs": f"{state.epochs:,}",
    }
    return {name: value for name, value in facts.items() if value}


def _status_counts(counts: dict[str, int]) -> str:
    """The number of trials by status, each with a mark beside its colour."""
    badges = [
        f'<span><span style="color:{COLOURS[name]}">{MARKS[name]}</span> {counts[name]} {name}</span>'
        for name in ORDER
        if counts.get(name)
    ]
    return "".join(badges) or "<span>no trials yet</span>"


def best(state: StudyState) -> str:
    """The best score so far, with its trial; empty if none is complete."""
    front = state.front()
    if not front:
        return ""
    score = with_interval(f"{state.score(front[0]):.4f}", score_interval(state, front[0]))
    return f"{score}, trial {front[0].number}" if score.endswith(")") else f"{score} (trial {front[0].number})"


def expected(state: StudyState) -> str:
    """The score of the default choice, corrected for having been chosen; empty if it is not known."""
    corrected = corrected_score(state)
    return with_interval(f"{corrected.score:.4f}", (corrected.low, corrected.high)) if corrected else ""


def fastest(state: StudyState) -> str:
    """The lowest latency on the front, with its trial."""
    known = [(trial.profile.latency_ms, trial.number) for trial in state.front() if trial.profile]
    return f"{latency_text(min(known)[0])} (trial {min(known)[1]})" if known else ""


def least(state: StudyState, cost: CostAxis) -> str:
    """The smallest value of another objective on the front, with its trial."""
    known = [(value, trial) for trial in state.front() if not math.isnan(value := cost.value(trial))]
    if not known:
        return ""
    _, trial = min(known, key=operator.itemgetter(0))
    return f"{cost.show(trial)} (trial {trial.number})"


def trial_status(state: StudyState, trial: Trial) -> str:
    """A trial's status in a few words."""
    on = " on the front" if trial in state.front() else ""
    return f"{MARKS[trial.status]} {trial.status}{on}"

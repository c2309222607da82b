"""The run at a glance: how far, how long, who works, what became of the trials, and the best so far."""

from __future__ import annotations

import ipywidgets as w

from lepton_automl.reporting.labels import marked
from lepton_automl.reporting.terminal import status_json
from lepton_automl.state import StudyState, Trial

from .handle import Moment
from .style import COLOURS, MARKS
from .view import View

ORDER = ("complete", "stopped", "infeasible", "failed", "running")


ELSE = {
    "starting": "the machine is being weighed",
    "ending": "the chosen model is being handed over",
    "lost": "its process is gone; resume takes it up",
}


class RunView(View):
    """The head of a dashboard."""

    def __init__(self) -> None:
        self._told = w.HTML()
        super().__init__(self._told)

    def draw(self, moment: Moment) -> None:
        """Say how it stands."""
        self._told.value = run_html(moment)


def run_html(moment: Moment) -> str:
    """The run at a glance, as HTML without scripts."""
    state = moment.state
    told = status_json(state, moment.status)
    left = ELSE.get(moment.status, told["left"])
    if moment.status == "ended" and state.ended:
        left = state.ended.reason
    facts = {
        f"best {state.settings.metric}": best(state),
        "fastest on the front": fastest(state),
        "on the front": str(told["front"]),
        "workers busy": f"{len(state.running)} of {state.settings.workers}",
        "epochs": f"{told['epochs']:,}",
    }
    listed = "".join(f"<div><span>{marked(name)}</span><b>{marked(value)}</b></div>" for name, value in facts.items() if value)
    percent = round(100 * told["used"], 1)
    return (
        f'<div class="l-head"><span class="l-name">{marked(state.settings.name)}</span>'
        f'<span class="l-badge">{marked(moment.status)}</span><span>{marked(left)}</span>{_by_state(told["trials"])}</div>'
        f'<div class="l-bar" role="progressbar" aria-label="budget used" aria-valuenow="{percent}">'
        f'<i style="width:{percent}%;background:#0072B2"></i></div>'
        f'<div class="l-facts">{listed}</div>'
    )


def _by_state(counts: dict[str, int]) -> str:
    """Trials by how they ended: each with its mark, so that the colour is not all that tells."""
    told = [
        f'<span><span style="color:{COLOURS[name]}">{MARKS[name]}</span> {counts[name]} {name}</span>'
        for name in ORDER
        if counts.get(name)
    ]
    return "".join(told) or "<span>no trials yet</span>"


def best(state: StudyState) -> str:
    """The best score so far, with the trial that has it; empty where none is complete."""
    front = state.front()
    return f"{state.score(front[0]):.4f} (trial {front[0].number})" if front else ""


def fastest(state: StudyState) -> str:
    """The shortest latency on the front, with the trial that has it."""
    known = [(trial.profile.latency_ms, trial.number) for trial in state.front() if trial.profile]
    return f"{min(known)[0]:.3g} ms (trial {min(known)[1]})" if known else ""


def where_it_stands(state: StudyState, trial: Trial) -> str:
    """A trial's standing in a few words."""
    on = " on the front" if trial in state.front() else ""
    return f"{MARKS[trial.status]} {trial.status}{on}"

"""The timeline of trials by worker, with pruned and resumed trials."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_automl.state import StudyState
from lepton_automl.trial import Interval, Trial

from .front import hover
from .theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    Theme,
    apply_theme,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

LOOKS = {  # colour, and a pattern for colour-blind readers
    "front": (BLUE, ""),
    "complete": (SKY, ""),
    "stopped": (GREY, "/"),
    "infeasible": (PURPLE, "x"),
    "failed": (ORANGE, "\\"),
    "running": (GREEN, "."),
}
MOST = 2_000  # the latest bars shown
SHORT = 0.03  # share of the timeline, below which a phase is not named
ARROWS = 60  # the latest lines from parents to children shown


@dataclass(frozen=True)
class Bar:
    """One interval of a trial, on a worker.

    Args:
        trial: The trial.
        interval: When it ran.
        lane: The worker, counted from 0.
    """

    trial: Trial
    interval: Interval
    lane: int


def timeline_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """One bar for each interval of a trial. Events do not record the worker, so each interval takes the first free one.

    Lines lead from parents to the children that were pruned from them, diamonds mark resumed trials, and shaded areas are
    times in which the study was paused.

    Returns:
        Traces `front`, `complete`, `stopped`, `infeasible`, `failed`, `running`, then `pruned from`, then `resumed`;
        `customdata` of bars and diamonds is the trial's number.
    """
    import plotly.graph_objects as go

    packed = lanes(state)[-MOST:]
    began = state.started.at if state.started else 0.0
    front = {trial.number for trial in state.front()}
    figure = go.Figure()
    for name, (colour, pattern) in LOOKS.items():
        bars = [bar for bar in packed if _kind(bar, front) == name]
        figure.add_bar(
            y=[bar.lane + 1 for bar in bars],
            base=[(bar.interval.began - began) / 60 for bar in bars],
            x=[(_end(state, bar.interval) - bar.interval.began) / 60 for bar in bars],
            orientation="h",
            name=name,
            showlegend=bool(bars),
            customdata=[bar.trial.number for bar in bars],
            text=[str(bar.trial.number) for bar in bars],
            textposition="inside",
            insidetextanchor="middle",
            constraintext="none",
            textangle=0,
            hovertext=[hover(state, bar.trial) for bar in bars],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={
                "color": colour,
                "line": {"width": 0.5, "color": "white"},
                "pattern": {"shape": pattern, "fillmode": "overlay", "size": 6, "solidity": 0.15},
            },
        )
    _inheritance(figure, state, packed, began)
    _resumptions(figure, packed, began)
    workers = max((bar.lane + 1 for bar in packed), default=1)
    apply_theme(
        figure,
        theme,
        height=170 + 46 * workers,
        barmode="overlay",
        bargap=0.25,
        uniformtext={"minsize": 9, "mode": "hide"},
        xaxis={"title": {"text": "minutes since the start"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "worker"}, "dtick": 1, "autorange": "reversed"},
    )
    if not packed:
        minutes, all_workers = state.settings.budget.minutes or 10, state.settings.workers
        figure.update_layout(xaxis={"range": [0, minutes]}, yaxis={"range": [all_workers - 0.5, -0.5], "autorange": False})
    _phases(figure, state, began)
    for rest in state.rests:
        end = rest.ended if rest.ended is not None else state.last_at
        figure.add_vrect((rest.began - began) / 60, (end - began) / 60, fillcolor=GREY, opacity=0.2, line_width=0)
    return figure


def _phases(figure: go.Figure, state: StudyState, began: float) -> None:
    """Shade and name the phases before the first trial and after the last."""
    last = max((trial.ended_at or 0.0 for trial in state.trials.values()), default=0.0)
    phases = [("benchmarking this machine", began, state.host_benchmark.at if state.host_benchmark else began)]
    refits = [trial.refitted for trial in state.trials.values() if trial.refitted]
    if state.ended and last:
        during = [refit for refit in refits if refit.at <= state.ended.at]
        first = min((refit.at - refit.result.seconds for refit in during), default=state.ended.at)
        phases += [("choosing runtimes", last, first), *(("refit", first, refit.at) for refit in during[:1])]
    for name, start, end in phases:
        if end - start > SHORT * (state.last_at - began):
            words = {"annotation_text": name, "annotation_position": "top left", "annotation_font_size": 11}
            left, right = (start - began) / 60, (end - began) / 60
            figure.add_vrect(left, right, fillcolor=PURPLE, opacity=0.12, line_width=0, **words)


def lanes(state: StudyState) -> list[Bar]:
    """Intervals in order of their start, each on the first free worker."""
    intervals = sorted(
        ((interval, trial) for trial in state.trials.values() for interval in trial.intervals),
        key=lambda pair: (pair[0].began, pair[1].number),
    )
    free, busy, number_of_lanes, packed = list[int](), list[tuple[float, int]](), 0, []
    for interval, trial in intervals:
        while busy and busy[0][0] <= interval.began:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, number_of_lanes)
            number_of_lanes += 1
        lane = heapq.heappop(free)
        heapq.heappush(busy, (math.inf if interval.ended is None else interval.ended, lane))
        packed.append(Bar(trial, interval, lane))
    return packed


def _end(state: StudyState, interval: Interval) -> float:
    return interval.ended if interval.ended is not None else max(state.last_at, interval.began)


def _kind(bar: Bar, front: set[int]) -> str:
    if bar.trial.number in front and bar.interval is bar.trial.intervals[-1]:
        return "front"
    return "stopped" if bar.interval is not bar.trial.intervals[-1] else bar.trial.status


def _inheritance(figure: go.Figure, state: StudyState, packed: list[Bar], began: float) -> None:
    last = {bar.trial.number: bar for bar in packed}
    x: list[float | None] = []
    y: list[float | None] = []
    for bar in [bar for bar in packed if bar.trial.is_child and bar.interval is bar.trial.intervals[0]][-ARROWS:]:
        parent = last.get(bar.trial.proposed.parent or 0)
        if parent is not None:
            x += [(_end(state, parent.interval) - began) / 60, (bar.interval.began - began) / 60, None]
            y += [parent.lane + 1, bar.lane + 1, None]
    line = {"color": ORANGE, "width": 1}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name="pruned from", hoverinfo="skip", showlegend=bool(x))


def _resumptions(figure: go.Figure, packed: list[Bar], began: float) -> None:
    resumed = [bar for bar in packed if bar.interval is not bar.trial.intervals[0]]
    figure.add_scatter(
        x=[(bar.interval.began - began) / 60 for bar in resumed],
        y=[bar.lane + 1 for bar in resumed],
        customdata=[bar.trial.number for bar in resumed],
        text=[f"trial {bar.trial.number} resumed from epoch {bar.interval.epoch}" for bar in resumed],
        mode="markers",
        marker={"symbol": "diamond", "size": 9, "color": ORANGE, "line": {"width": 1, "color": "white"}},
        name="resumed",
        showlegend=bool(resumed),
        hovertemplate="%{text}<extra></extra>",
    )

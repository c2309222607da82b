"""Two studies side by side: what each was asked for and what it found, and pictures of both fronts on the same axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lepton_automl.reference_scores import TREES
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.texts import many

from . import narrative
from .cost_axes import LATENCY, front_axis
from .front import front_figure
from .latency import latency_text
from .reference_lines import name_reference_lines
from .tables import network, score_interval, tested_interval, with_interval
from .theme import Theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

SKIPPED = {"name", "data", "space", "prior_trials", "metric"}  # not settings, or shown in a row of their own
CLOSE = 0.06  # of an axis: between two ticks at least
MOST = 20  # settings that differ
Pair = tuple[str, str]


def facts(first: StudyState, second: StudyState) -> dict[str, Pair]:
    """The request and the results of both, by name; rows that are empty in both are left out."""
    of_first, of_second = _facts(first), _facts(second)
    known = {name: (of_first[name], of_second[name]) for name in of_first}
    return {name: pair for name, pair in known.items() if any(pair)}


def _facts(state: StudyState) -> dict[str, str]:
    settings, model, data = state.settings, narrative.chosen_model(state), state.settings.data
    tested = state.tested.scores.get(model.number, {}).get(settings.metric) if state.tested and model else None
    trees = next((one for one in (state.references.references if state.references else ()) if one.name == TREES), None)
    deployment, benchmark = settings.deployment, state.host_benchmark
    validation = f"{data.folds}-fold cross-validation" if data.folds else f"{data.validation:,} validation"
    return {
        "data": f"{data.name}: {data.train:,} training, {validation}, {data.test:,} test",
        "task": task_of(data).title(data),
        "metric": narrative.metric(state),
        "budget": narrative.budget(state),
        "machine": benchmark.benchmark.host if benchmark else "",
        "runs on": f"{deployment.device}, {many(deployment.threads, 'thread')}, batch of {deployment.batch_size:,}",
        "trials": f"{many(len(state.trials), 'trial')}, {len(state.front())} on the front, {state.spent(state.last_at) / 60:.1f} minutes",
        "chosen": f"trial {model.number}: {network(model)}" if model else "no model yet",
        "validation score": with_interval(f"{state.score(model):.4f}", score_interval(state, model)) if model else "",
        "test score": with_interval(f"{tested:.4f}", tested_interval(state, model)) if tested is not None and model else "",
        "latency": latency_text(model.profile.latency_ms) if model and model.profile else "",
        "size": narrative.format_size(model.profile.size_bytes) if model and model.profile else "",
        "boosted trees": f"{trees.scores[settings.metric]:.4f}" if trees and settings.metric in trees.scores else "",
    }


def different_settings(first: StudyState, second: StudyState) -> dict[str, Pair]:
    """The settings of the request that differ, by their path, with both values; at most the first twenty."""
    one, other = dict(_leaves(first.settings.to_json())), dict(_leaves(second.settings.to_json()))
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    return {name: (one.get(name, ""), other.get(name, "")) for name in names[:MOST]}


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            if path or name not in SKIPPED:
                yield from _leaves(part, (*path, name))
    else:
        yield ".".join(path), str(value)


def remarks(first: StudyState, second: StudyState) -> list[str]:
    """Whether scores and latencies of the two may be compared, in sentences."""
    said = []
    if first.settings.metric != second.settings.metric:
        said.append("Their metrics differ, so their scores are not comparable.")
    elif not same_rows(first, second):
        said.append("Their data differ, so their scores are not comparable.")
    if not same_clock(first, second):
        said.append("Their latencies were measured on different machines or settings, so they are not comparable.")
    return said


def same_rows(first: StudyState, second: StudyState) -> bool:
    """Whether the scores of both are of the same metric, on the same data."""
    one, other = first.settings, second.settings
    return one.metric == other.metric and one.data.digest == other.data.digest


def same_clock(first: StudyState, second: StudyState) -> bool:
    """Whether the latencies of both were measured on the same machine, in the same way."""
    hosts = [state.host_benchmark.benchmark.host if state.host_benchmark else "" for state in (first, second)]
    places = [
        (state.settings.deployment.device, state.settings.deployment.threads, state.settings.deployment.batch_size)
        for state in (first, second)
    ]
    return bool(hosts[0]) and hosts[0] == hosts[1] and places[0] == places[1]


def fronts(first: StudyState, second: StudyState, theme: Theme = "neutral") -> tuple[go.Figure, go.Figure]:
    """The front of each; an axis that may be compared shows the same range in both."""
    one, other = front_figure(first, theme), front_figure(second, theme)
    axes = [front_axis(state).name for state in (first, second)]
    if same_rows(first, second):
        _share(one.layout.yaxis, other.layout.yaxis)
    if axes[0] == axes[1] and (axes[0] != LATENCY or same_clock(first, second)):
        _share(one.layout.xaxis, other.layout.xaxis)
    for figure, state in ((one, first), (other, second)):
        name_reference_lines(figure, state)  # by the shared range
    return one, other


def _share(one: Any, other: Any) -> None:
    """Give two axes the same range and ticks, if both have a range and the same scale and unit."""
    if one.range is None or other.range is None or one.type != other.type or one.title.text != other.title.text:
        return
    ends = [min(one.range[0], other.range[0]), max(one.range[1], other.range[1])]
    marks = dict(itertools.chain(*(zip(axis.tickvals or (), axis.ticktext or (), strict=True) for axis in (one, other))))
    for axis in (one, other):
        axis.range = ends
        if marks:
            shown = _spread(sorted(marks), CLOSE * (ends[1] - ends[0])) if axis.type == "log" else sorted(marks)
            axis.tickvals, axis.ticktext = shown, [marks[mark] for mark in shown]


def _spread(marks: list[float], least: float) -> list[float]:
    """The ticks of a logarithmic axis that are at least so far from the one before."""
    kept: list[float] = []
    for mark in marks:
        if not kept or math.log10(mark / kept[-1]) >= least:
            kept.append(mark)
    return kept

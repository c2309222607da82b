"""The faces of a dashboard where nothing lives: a text for a terminal, a still picture for a notebook without a kernel."""

from __future__ import annotations

import math

from lepton_automl.reporting.dress import even_ticks, linear_ends, log_ends, log_ticks
from lepton_automl.reporting.labels import clean, marked
from lepton_automl.reporting.tables import front_table, last_score
from lepton_automl.reporting.terminal import status_lines
from lepton_automl.state import StudyState, Trial

from .cells import cell
from .handle import Moment
from .run import run_html
from .still import signed
from .style import COLOURS, GREY, MARKS

WIDE, HIGH, LEFT, LOW = 720, 300, 60, 34  # pixels of the picture, and of its margins
MOST = 300  # points beside the front
ROWS = 12  # models that are listed


def text_face(moment: Moment) -> str:
    """The study in lines of text."""
    state = moment.state
    rows = [[cell(row[name]) for name in _columns(state)] for row in front_table(state)[:ROWS]]
    table = [["trial", *_columns(state)[1:]], *rows] if rows else []
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(text.ljust(room) for text, room in zip(row, wide, strict=True)).rstrip() for row in table]
    head = f"study {state.settings.name}: {moment.status}"
    ended = [state.ended.reason] if state.ended else []
    told = [head, *status_lines(state, moment.status), *ended, *lines]
    return "\n".join(clean(line, 200) for line in told)


def _columns(state: StudyState) -> list[str]:
    return ["trial", state.settings.metric, "latency_ms", "size_bytes", "variant", "network"]


def snapshot_html(moment: Moment) -> str:
    """The study as it was when this was made: HTML and SVG without scripts."""
    attach = f"AutoML.attach({moment.state.settings.name!r}).dashboard()"
    return f"{run_html(moment)}{_picture(moment.state)}{_table(moment.state)}{signed(moment.now, attach)}"


def _picture(state: StudyState) -> str:
    front = state.front()
    others = [trial for trial in state.trials.values() if trial not in front and trial.status in {"complete", "stopped"}]
    points = [(one, *at) for one in (*others[-MOST:], *front) if (at := _at(state, one))]
    if not points:
        return ""
    xs, ys = log_ends(x for _, x, _ in points), linear_ends(y for _, _, y in points)
    across, up = Scale(math.log10(xs[0]), math.log10(xs[1]), LEFT, WIDE - 12), Scale(*ys, HIGH - LOW, 10)
    drawn = "".join(_point(one, across(math.log10(x)), up(y), faint=one not in front) for one, x, y in points)
    lines = "".join(_tick_x(across(math.log10(tick)), tick) for tick in log_ticks(*xs))
    lines += "".join(_tick_y(up(tick), tick) for tick in even_ticks(*ys))
    return (
        f'<svg role="img" aria-label="the front" viewBox="0 0 {WIDE} {HIGH}" style="width:min(100%,{WIDE}px)" font-size="11">'
        f'{lines}{drawn}<text x="{(WIDE + LEFT) / 2}" y="{HIGH - 2}" text-anchor="middle">latency, ms a call</text>'
        f'<text x="0" y="10">{clean(state.settings.metric)}</text></svg>'
    )


def _at(state: StudyState, trial: Trial) -> tuple[float, float] | None:
    score = last_score(state, trial)
    known = trial.profile is not None and score is not None and math.isfinite(score) and trial.profile.latency_ms > 0
    return (trial.profile.latency_ms, score) if known and trial.profile and score is not None else None


class Scale:
    """From values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high, self._start, self._end = low, high, start, end

    def __call__(self, value: float) -> float:
        """Where a value stands."""
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)


def _point(trial: Trial, x: float, y: float, *, faint: bool) -> str:
    look = f'fill="{COLOURS[trial.status]}" opacity="{0.35 if faint else 1}"'
    if trial.status == "stopped":
        return f'<text x="{x:.1f}" y="{y + 3:.1f}" font-size="8" text-anchor="middle" opacity=".4">{MARKS["stopped"]}</text>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 if faint else 5}" {look}><title>trial {trial.number}</title></circle>'


def _tick_x(x: float, value: float) -> str:
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{HIGH - LOW}" stroke="{GREY}" opacity=".3"/>'
    return f'{line}<text x="{x:.1f}" y="{HIGH - LOW + 14}" text-anchor="middle">{value:g}</text>'


def _tick_y(y: float, value: float) -> str:
    line = f'<line x1="{LEFT}" x2="{WIDE - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GREY}" opacity=".3"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'


def _table(state: StudyState) -> str:
    rows = front_table(state)[:ROWS]
    head = "".join(f"<th>{marked(name)}</th>" for name in _columns(state))
    body = "".join(f"<tr>{''.join(f'<td>{marked(cell(row[name]))}</td>' for name in _columns(state))}</tr>" for row in rows)
    return f'<table class="l-plain"><tr>{head}</tr>{body}</table>' if rows else ""

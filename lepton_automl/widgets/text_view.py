"""Static versions of a dashboard: a text for a terminal, a picture for a notebook without a kernel."""

from __future__ import annotations

import math
from itertools import pairwise

from lepton_automl.reporting.cost_axes import LATENCY, SIZE, CostAxis, front_axis, is_plane, other_costs, shown_front
from lepton_automl.reporting.front_axes import ErrorAxis, error_axis, in_view, with_zero
from lepton_automl.reporting.labels import clean
from lepton_automl.reporting.latency import in_unit, latency_unit
from lepton_automl.reporting.status import status_lines
from lepton_automl.reporting.tables import Row, last_score, with_interval
from lepton_automl.reporting.theme import even_ticks, linear_ends, log_ends, log_ticks
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .cells import cell
from .done import draw_done
from .drawing import DIM, Drawing
from .protocols import StudySnapshot
from .run import draw_run
from .static_view import draw_footer
from .style import COLOURS, SHAPES

HIGH, LEFT = 260, 56  # pixels: height of the front's plot, space left of it for labels
MOST = 300  # points that are not on the front
ROWS = 12  # models listed at most


def study_text(snapshot: StudySnapshot) -> str:
    """The study as lines of text."""
    state = snapshot.state
    head, rows = _front(state)
    table = [head, *rows] if rows else []
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(text.ljust(room) for text, room in zip(row, wide, strict=True)).rstrip() for row in table]
    title = f"study {state.settings.name}: {snapshot.status}"
    content = [title, *status_lines(state, snapshot.status), *lines]
    return "\n".join(clean(line, 200) for line in content)


def _front(state: StudyState) -> tuple[list[str], list[list[str]]]:
    """The column names and the rows of the front's table."""
    titles, rows = shown_front(state)
    further = (cost.name for cost in other_costs(state))
    names = ["trial", state.settings.metric, LATENCY, SIZE, *further, "variant", "network"]
    return [titles.get(name, name) for name in names], [[_cell(row, name) for name in names] for row in rows[:ROWS]]


def _cell(row: Row, name: str) -> str:
    """The text of a cell; the latency's interval is left out."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return cell(row[name]) if name == LATENCY or low is None or high is None else with_interval(cell(row[name]), (low, high))


def draw_snapshot(drawing: Drawing, snapshot: StudySnapshot, code: str) -> None:
    """Draw the study: its status, the front, its models, and the Python code that shows it live."""
    draw_run(drawing, snapshot)
    if snapshot.status == "ended":
        draw_done(drawing, snapshot.state)
    _draw_front(drawing, snapshot.state)
    _draw_models(drawing, snapshot.state)
    draw_footer(drawing, snapshot.now, code)


def _draw_front(drawing: Drawing, state: StudyState) -> None:
    front, cost, error = state.front(), front_axis(state), error_axis(state)
    others = [trial for trial in state.trials.values() if trial not in front and trial.status in {"complete", "stopped"}]
    points = [(trial, *at) for trial in (*others[-MOST:], *front) if (at := _at(state, trial, cost, error))]
    if not points:
        return
    own = [at for trial in front if (at := _at(state, trial, cost, error))]
    costs = in_view([x for x, _ in own], [x for _, x, _ in points])
    errors = in_view([y for _, y in own], [y for _, _, y in points])
    top = drawing.y + 30
    bottom, left, right = top + HIGH, drawing.left + LEFT, drawing.right - 8
    xs = (log_ends if cost.log else linear_ends)(costs)
    ys = (log_ends if error.log else linear_ends)(errors)
    across, up = Scale(xs, (left, right), log=cost.log), Scale(ys, (bottom, top), log=error.log)
    unit = latency_unit([xs[1]]) if cost.name == LATENCY else ""
    for tick in (log_ticks if cost.log else even_ticks)(*xs):
        drawing.line((across(tick), top), (across(tick), bottom))
        drawing.text(across(tick), bottom + 16, f"{in_unit(tick, unit):.6g}", size=11, colour=DIM, anchor="ms")
    for tick in with_zero(error, (log_ticks if error.log else even_ticks)(*ys), errors):
        drawing.line((left, up(tick)), (right, up(tick)))
        drawing.text(left - 7, up(tick) + 4, error.show(tick), size=11, colour=DIM, anchor="rs")
    steps = [(across(x), up(y)) for x, y in own] if is_plane(state) else []
    for (ax, ay), (bx, by) in pairwise(sorted(steps)):
        drawing.line((ax, ay), (bx, ay), (bx, by), colour=COLOURS["complete"])
    for entry, x, y in points:
        if not (xs[0] <= x <= xs[1] and ys[0] <= y <= ys[1]):
            continue
        faint = entry not in front
        size = 3.0 if faint else 5.5
        opacity = 0.45 if faint else 1
        drawing.mark(across(x), up(y), SHAPES[entry.status], size=size, colour=COLOURS[entry.status], opacity=opacity)
    title = f"latency, {unit} per call" if unit else clean(cost.title)
    drawing.text((left + right) / 2, bottom + 34, title, size=11, colour=DIM, anchor="ms")
    drawing.text(drawing.left, top - 10, error.title, size=11, colour=DIM)
    drawing.y = bottom + 40


def _at(state: StudyState, trial: Trial, cost: CostAxis, error: ErrorAxis) -> tuple[float, float] | None:
    """The cost and the error of a trial; None if one is not known or has no logarithm."""
    score, value = last_score(state, trial), cost.value(trial)
    known = score is not None and math.isfinite(score) and math.isfinite(value) and (value > 0 or not cost.log)
    return (value, error.value(score)) if known and score is not None else None


class Scale:
    """Maps values to pixels.

    Args:
        ends: The values at its ends.
        pixels: The pixels at its ends.
        log: Whether it is logarithmic.
    """

    def __init__(self, ends: tuple[float, float], pixels: tuple[float, float], *, log: bool) -> None:
        self._log, self._pixels = log, pixels
        self._low, self._high = (math.log10(end) if log else end for end in ends)

    def __call__(self, value: float) -> float:
        """The pixel position of a value."""
        at = math.log10(value) if self._log else value
        start, end = self._pixels
        return start + (at - self._low) / (self._high - self._low) * (end - start)


def _draw_models(drawing: Drawing, state: StudyState) -> None:
    head, rows = _front(state)
    if rows:
        drawing.table(head, rows, right=range(len(head) - 2))

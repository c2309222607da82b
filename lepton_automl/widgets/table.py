"""The table of all trials: a click on a column name sorts it, a click on a row selects a trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lepton_automl.reporting.labels import clean
from lepton_automl.reporting.tables import Row, other_objectives, trial_table

from .cells import cell, missing
from .protocols import StudySnapshot
from .view import View

PAGE = 25  # rows per page, so that a long study sends no more than a short one
FIRST = ("trial", "status", "score", "latency_ms", "size_bytes", "parameters")
THEN = ("epochs", "seconds", "origin")


class Grid(anywidget.AnyWidget):
    """The table widget, which ipywidgets lacks. Its script sets text only, never HTML."""

    _esm = Path(__file__).with_name("table.js")
    heads: traitlets.List[str] = traitlets.List().tag(sync=True)
    rows: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    sort = traitlets.Dict().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)


class TableView(View):
    """The trials.

    Args:
        choose: Called with the number of a row's trial.
    """

    def __init__(self, choose: Callable[[int], None]) -> None:
        self._choose = choose
        self._by, self._down, self._page = "trial", True, 0
        self._all: list[Row] = []
        self._costs: tuple[str, ...] = ()  # other objectives
        self._last: tuple[Any, ...] = ()
        self.grid = Grid()
        self.grid.on_msg(self._on_message)
        super().__init__(self.grid)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the current page if the study has changed."""
        state = snapshot.state
        self.grid.chosen = -1 if snapshot.chosen is None else snapshot.chosen
        version = (state.last_at, len(state.trials))
        if version == self._last:
            return
        self._last, metric = version, state.settings.metric
        rows, self._costs = trial_table(state), tuple(goal.name for goal in other_objectives(state))
        self._all = [{"score" if name == metric else name: value for name, value in row.items()} for row in rows]
        self._show()

    def _show(self) -> None:
        settings = (name for name in (self._all[0] if self._all else {}) if "." in name)
        names = [*FIRST, *self._costs, *THEN, *settings, "network", "reason"]
        rows = sorted_rows(self._all, self._by, down=self._down)
        pages = max(1, math.ceil(len(rows) / PAGE))
        self._page = min(self._page, pages - 1)
        page = rows[self._page * PAGE : (self._page + 1) * PAGE]
        with self.grid.hold_sync():
            self.grid.heads = [clean(name, 40) for name in names]
            self.grid.sort = {"by": clean(self._by, 40), "down": self._down}
            self.grid.caption = f"page {self._page + 1} of {pages}, {len(rows)} trials"
            self.grid.rows = [[cell(row.get(name)) for name in names] for row in page]

    def _on_message(self, _grid: Any, message: Any, _buffers: Any) -> None:
        """Handle a click on a column name, a row, or a page button."""
        match message:
            case {"sort": str(name)}:
                known = {clean(name, 40): name for row in self._all[:1] for name in row}
                costs = {"latency_ms", "size_bytes", *self._costs}
                self._down = not self._down if known.get(name) == self._by else name not in costs
                self._by = known.get(name, "trial")
                self._show()
            case {"turn": int(pages)}:
                self._page = max(0, self._page + pages)
                self._show()
            case {"choose": int(trial)}:
                self._choose(trial)


def sorted_rows(rows: list[Row], by: str, *, down: bool) -> list[Row]:
    """Sort rows by a column; rows without a value come last either way, numbers before text."""

    def key(row: Row) -> tuple[bool, Any]:
        value = row[by]
        return (True, str(value)) if isinstance(value, str) else (False, value)

    known = [row for row in rows if not missing(row.get(by))]
    return [*sorted(known, key=key, reverse=down), *(row for row in rows if missing(row.get(by)))]

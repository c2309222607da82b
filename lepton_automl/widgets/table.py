"""The table of all trials: sorted by a click on a column name, filtered by words and conditions, saved as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w
import traitlets

from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.tables import Row, chosen_trial, trial_table

from .cells import missing
from .columns import Column, table_columns
from .filter import filtered
from .protocols import StudySnapshot
from .view import View, button

PAGE = 25  # rows per page, so that a long study sends no more than a short one
CHOSEN, FRONT = "★", "●"


class Grid(anywidget.AnyWidget):
    """The table widget, which ipywidgets lacks. Its script sets text only, never HTML."""

    _esm = Path(__file__).with_name("table.js")
    heads: traitlets.List[str] = traitlets.List().tag(sync=True)
    names: traitlets.List[str] = traitlets.List().tag(sync=True)
    numbers: traitlets.List[bool] = traitlets.List().tag(sync=True)
    rows: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    trials: traitlets.List[int] = traitlets.List().tag(sync=True)
    marks: traitlets.List[str] = traitlets.List().tag(sync=True)
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
        self._columns: list[Column] = []
        self._last: tuple[Any, ...] = ()
        self._name, self._metric, self._default = "study", "score", -1
        self.grid = Grid()
        self.grid.on_msg(self._on_message)
        self.filter = w.Text(
            placeholder="filter: complete latency_ms<0.05",
            tooltip="Words, and conditions without spaces on the columns of study.trials: accuracy>0.9 size_bytes<5000",
            layout={"width": "min(100%, 260px)"},
        )
        self.front = w.ToggleButton(
            description="front only", tooltip="Show the models of the front only", layout={"width": "auto"}
        )
        self.csv = button("save CSV", self._save, tip="Download these trials with every column", icon="download")
        self.complaint = w.HTML()
        for control in (self.filter, self.front):
            control.observe(lambda _: self._filter(), "value")
        bar = w.Box([self.filter, self.front, self.csv], layout={"flex_flow": "row wrap"})
        super().__init__(bar, self.complaint, self.grid)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the current page if the study has changed."""
        state = snapshot.state
        self.grid.chosen = -1 if snapshot.chosen is None else snapshot.chosen
        version = (state.last_at, len(state.trials))
        if version == self._last:
            return
        self._last, self._name, self._metric = version, state.settings.name, state.settings.metric
        chosen = chosen_trial(state)
        self._default = -1 if chosen is None else chosen
        self._all = trial_table(state)
        self._columns = table_columns(state, self._all)
        self._show()

    def rows(self) -> list[Row]:
        """The rows that the filter leaves, in the order shown, and a complaint about the filter on the page."""
        rows = [row for row in self._all if row["on_front"]] if self.front.value else self._all
        columns = {**{name: name for name in (self._all[0] if self._all else {})}, "score": self._metric}
        aliased = [row | {"score": row.get(self._metric)} for row in rows]
        kept, complaint = filtered(aliased, self.filter.value, columns)
        self.complaint.value = f'<span class="l-warn">{html_text(complaint, 300)}</span>' if complaint else ""
        numbers = {row["trial"] for row in kept}
        return sorted_rows([row for row in rows if row["trial"] in numbers], self._by, down=self._down)

    def csv_text(self) -> str:
        """The rows that the filter leaves as CSV, with the columns of `study.trials`."""
        file = io.StringIO()
        names = list(dict.fromkeys(name for row in self._all for name in row))
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return file.getvalue()

    def _filter(self) -> None:
        self._page = 0
        self._show()

    def _show(self) -> None:
        rows = self.rows()
        pages = max(1, math.ceil(len(rows) / PAGE))
        self._page = min(self._page, pages - 1)
        page = rows[self._page * PAGE : (self._page + 1) * PAGE]
        of = f" of {len(self._all):,}" if len(rows) < len(self._all) else ""
        with self.grid.hold_sync():
            self.grid.heads = [column.title for column in self._columns]
            self.grid.names = [column.name for column in self._columns]
            self.grid.numbers = [column.number for column in self._columns]
            self.grid.sort = {"by": self._by, "down": self._down}
            self.grid.caption = (
                f"page {self._page + 1} of {pages}, {len(rows):,}{of} trials; {CHOSEN} chosen, {FRONT} on the front"
            )
            self.grid.trials = [row["trial"] for row in page]
            self.grid.marks = [self._mark(row) for row in page]
            self.grid.rows = [[column.text(row.get(column.name)) for column in self._columns] for row in page]

    def _mark(self, row: Row) -> str:
        return CHOSEN if row["trial"] == self._default else FRONT if row["on_front"] else ""

    def _save(self) -> None:
        self.grid.send({"csv": self.csv_text(), "name": f"{self._name}-trials.csv"})

    def _on_message(self, _grid: Any, message: Any, _buffers: Any) -> None:
        """Handle a click on a column name, a row, or a page button."""
        match message:
            case {"sort": str(name)}:
                known = next((column for column in self._columns if column.name == name), None)
                if known is None:
                    return
                self._down = not self._down if name == self._by else not known.cost
                self._by = name
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

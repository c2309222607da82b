"""Two studies side by side, updated from their journals."""

from __future__ import annotations

import threading
import time
from functools import partial

import ipywidgets as w
import plotly.graph_objects as go

from lepton_automl.errors import LeptonError
from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.side_by_side import Pair, different_settings, facts, fronts, remarks
from lepton_automl.state import StudyState

from .drawing import DIM, Drawing
from .picture import PictureView, Script
from .poller import Poller
from .protocols import StudyReader, StudySnapshot
from .static_view import PersistentBox, draw_footer
from .view import View, free_clicks

EVERY = 2.0  # seconds between polls
States = tuple[StudyState, StudyState]


class FactsView(View):
    """The request and the results of both in a table; what differs is bold."""

    def __init__(self, names: Pair) -> None:
        self._names, self._view = names, w.HTML()
        super().__init__(self._view)

    def show(self, states: States, statuses: Pair) -> None:
        """Show the table."""
        self._view.value = facts_html(self._names, states, statuses)


class SideBySide(PersistentBox):
    """Shows two studies side by side. Made by `Study.beside()`.

    Args:
        names: The studies' names.
        watch: Reads each study; used by this widget alone.
    """

    def __init__(self, names: Pair, watch: tuple[StudyReader, StudyReader]) -> None:
        self._names, self._watch = names, watch
        self._drawing = threading.RLock()
        self._statuses, self._states, _ = self._look()
        self._figures: tuple[go.Figure, go.Figure] = fronts(*self._states)
        self.facts = FactsView(names)
        self.plots = tuple(PictureView(partial(self._figure, at)) for at in (0, 1))
        columns = [w.VBox([w.HTML(f"<h4>{html_text(name)}</h4>"), plot]) for name, plot in zip(names, self.plots, strict=True)]
        pair = w.Box(columns)
        pair.add_class("l-pair")
        self._poller = Poller(self._poll, EVERY)
        super().__init__(Script(), self.facts, pair)
        self.draw()
        free_clicks(self)
        self._poller.start()

    def draw(self) -> None:
        """Draw both studies as they were last read."""
        with self._drawing:
            self._figures = fronts(*self._states)
            self.facts.show(self._states, self._statuses)
            for plot, state in zip(self.plots, self._states, strict=True):
                plot.forget_version()
                plot.draw(StudySnapshot(state=state, status="", now=time.time()))

    def _figure(self, at: int, _state: StudyState) -> go.Figure:
        return self._figures[at]

    def close(self) -> None:
        """Stop following the studies and remove the widget from the page."""
        self._poller.end()
        super().close()

    def _look(self) -> tuple[Pair, States, bool]:
        """The statuses, the states, and whether either has events that were not drawn."""
        (status, state, news), (other_status, other_state, other_news) = (watch.poll() for watch in self._watch)
        return (status, other_status), (state, other_state), bool(news or other_news)

    def _poll(self) -> float | None:
        with self._drawing:
            before = self._statuses
            try:
                self._statuses, self._states, changed = self._look()
            except LeptonError:  # one was removed
                return None
            if changed or before != self._statuses:
                self.draw()
                self.keep()
        return EVERY  # an ended study may be resumed elsewhere

    def __repr__(self) -> str:
        rows = facts(*self._states)
        wide = max(map(len, rows))
        return "\n".join(
            [
                f"{' ' * wide}  {self._names[0]} | {self._names[1]}",
                *(f"{name:{wide}}  {one} | {other}" for name, (one, other) in rows.items()),
            ]
        )

    @property
    def restore_code(self) -> str:
        """The Python code that shows it in another kernel."""
        return f"open_study({self._names[0]!r}).beside({self._names[1]!r})"

    def picture(self, drawing: Drawing) -> None:
        """Draw the table."""
        drawing.flow([[(" and ".join(self._names), {"size": 17, "bold": True})]])
        rows = [[name, *pair] for name, pair in facts(*self._states).items()]
        drawing.table(["", *self._names], rows)
        for remark in remarks(*self._states):
            drawing.paragraph(remark, colour=DIM)
        draw_footer(drawing, max(state.last_at for state in self._states), self.restore_code)


def facts_html(names: Pair, states: States, statuses: Pair) -> str:
    """The table as HTML without scripts."""
    rows = {"status": statuses, **facts(*states)}
    head = "".join(f"<th>{html_text(name)}</th>" for name in names)
    listed = "".join(_row(name, pair) for name, pair in rows.items())
    settings = "".join(_row(name, pair) for name, pair in different_settings(*states).items())
    more = (
        f'<details><summary>settings that differ</summary><table class="l-plain">{settings}</table></details>'
        if settings
        else ""
    )
    said = "".join(f'<div class="l-warn">▲ {html_text(line, 300)}</div>' for line in remarks(*states))
    return f'<table class="l-plain l-beside"><tr><th></th>{head}</tr>{listed}</table>{said}{more}'


def _row(name: str, pair: Pair) -> str:
    mark = "b" if pair[0] != pair[1] else "span"
    cells = "".join(f"<td><{mark}>{html_text(value, 160)}</{mark}></td>" for value in pair)
    return f"<tr><th>{html_text(name)}</th>{cells}</tr>"

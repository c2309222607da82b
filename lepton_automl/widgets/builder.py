"""The builder: a form that configures and starts a search, and shows the equivalent Python code."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w

from lepton_automl.data.options import DataOptions, options_for_metric
from lepton_automl.reporting.labels import html_text
from lepton_automl.specs import DataSpec
from lepton_automl.study_store import StudyStore

from .actions import Actions
from .data import DataView
from .drawing import DIM, Drawing
from .fields import CSS as FORM
from .goals import Goals
from .inferred import draw_inferred, inferred_html, inferred_text
from .more import More
from .plan import Plan
from .poller import Poller
from .preview_worker import Preview, PreviewWorker
from .sources import find_sources
from .static_view import PersistentBox, draw_footer
from .view import button, free_clicks

PICTURE_DELAY = 1.0  # seconds from a change to the static picture of it
Ready = tuple[DataSpec, DataOptions]
EMPTY = (
    '<p class="l-dim">Choose a notebook variable, enter a path or upload a file. What we detect in your data is shown here.</p>'
)


class Builder(PersistentBox):
    """Describes a search and starts it. Made by `lepton_automl.builder()`.

    Args:
        make: Creates a search, as `AutoML` does; its first argument is the prepared data, or None.
        names: The variables to choose from; by default those of the notebook or program.
        home: The folder of all studies.
        arguments: Arguments of `AutoML` that are fixed in advance.

    Attributes:
        study: The search that was started last; None before.
        dashboard: Its dashboard.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        names: Mapping[str, Any] | None,
        home: StudyStore,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.study: Any = None
        self.dashboard: Any = None
        self._make, self._automl_arguments = make, dict(arguments or {})
        self._drawing = threading.RLock()
        self._preview: Preview | None = None
        self._progress_text = self._source_code = ""
        self._busy = False
        self._preview_worker = PreviewWorker(home.folder, _weakly(self._show_progress), _weakly(self._show_preview))
        self._poller = Poller(self._save_picture, PICTURE_DELAY)
        self._names = _names() if names is None else names
        self._metric_options: dict[str, Any] = {}  # of the metric that the data are previewed for
        self.data = DataView(home.folder / "uploads", self._look)
        self.goals = Goals(self._make_request, home, self.draw)
        self.goals.metric.on_change(self._metric_changed)
        self.more = More(self._make_request, self._look, self.draw)
        self.actions = Actions(lambda: None)
        self.inferred, self.code, self._why = w.HTML(EMPTY), w.HTML(), w.HTML()
        self.start = button("start", self._start, tip="Start a search with these settings", icon="play", style="success")
        self.again = button("new search", self._reopen, tip="Show the form again")
        panel = w.VBox([self.inferred])
        panel.add_class("l-inferred")
        self.form = w.Box([w.VBox([self.data, self.goals.search]), self.goals, panel])
        self.form.add_class("l-form")
        row = w.HBox([self.start, self.again, self._why, self.actions.message])
        row.add_class("l-wrap")
        self.below = w.VBox()
        super().__init__(w.HTML(f"<style>{FORM}</style>"), self.form, self.more, self.code, row, self.below)
        self.add_class("lepton-builder")
        self._show_form(form=True)
        self.refresh()
        self.draw()
        free_clicks(self)
        _after_cells(self.refresh)

    # What was entered

    @property
    def plan(self) -> Plan:
        """The settings entered so far."""
        source = self.data.source
        return Plan(
            data=source.code if source else "...",
            automl_arguments={**self.goals.automl_arguments(), **self.more.automl_arguments(), **self._automl_arguments},
            deployment=self.goals.deployment_arguments(),
            budget=self.goals.budget_arguments(),
            fit_arguments={**self.data.fit_arguments, **self.more.fit_arguments},
            test=self.more.source.alone if self.more.source else "",
        )

    def refresh(self) -> None:
        """Update the variables on offer."""
        sources = find_sources(self._names)
        self.data.refresh(sources)
        self.more.refresh(sources)

    def _make_request(self, **automl_arguments: Any) -> Any:
        """A search that is only created to validate its arguments."""
        return self._make(None, **automl_arguments, **self._automl_arguments)

    def draw(self) -> None:
        """Update the Python code, the error messages and the start button."""
        with self._drawing:
            wrong = self.goals.show_errors() + self.more.show_errors()
            _set(self.code, _code_html(self.plan))
            why = self._missing_input(wrong) if self._form_shown else ""
            self.start.disabled = bool(why) or self._busy
            _set(self._why, f'<span class="l-dim">{html_text(why)}</span>' if why else "")
        if self._pictures:
            self._poller.start()

    def _missing_input(self, wrong: int) -> str:
        """Why a search cannot be started yet; empty if it can."""
        if self.data.source is None:
            return "Choose data first."
        if self._preview is None:
            return f"reading the data: {self._progress_text}" if self._progress_text else "reading the data"
        if self._preview.spec is None:
            return "These data cannot be used yet."
        return f"{wrong} field{'s' * (wrong > 1)} to correct" if wrong else ""

    # Preview

    def _look(self) -> None:
        """Preview the data again after another choice or correction."""
        with self._drawing:
            source = self.data.source
            before, self._source_code = self._source_code, source.code if source else ""
            self._preview, self._progress_text = None, ""
            if before != self._source_code:
                self.more.forget()
                self._update_fields(None)
            _set(self.inferred, '<p class="l-dim">reading the data …</p>' if source else EMPTY)
            self.draw()
            self._metric_options = options_for_metric(self._metric)
            options = {**self._metric_options, **self.data.fit_arguments, **self.more.preview_options}
        self._preview_worker.look(source, options, self.more.source)

    @property
    def _metric(self) -> Any:
        """The metric to optimize; None for the task's usual one."""
        return self._automl_arguments.get("metric", self.goals.metric.value)

    def _metric_changed(self) -> None:
        """Preview the data again if they are prepared differently for the new metric."""
        if options_for_metric(self._metric) != self._metric_options:
            self._look()

    def _update_fields(self, preview: Preview | None) -> None:
        """Update the fields for the data."""
        self.data.update(preview)
        self.goals.update(preview.spec if preview else None)
        self.more.update(preview)

    def _show_progress(self, word: str) -> None:
        """Show how far the preview is."""
        with self._drawing:
            if self._preview is None and self.data.source:
                self._progress_text = word
                _set(self.inferred, f'<p class="l-dim" role="status">reading the data: {html_text(word)} …</p>')
                self.draw()

    def _show_preview(self, preview: Preview) -> None:
        """Show a finished preview."""
        with self._drawing:
            self._preview = preview
            self._update_fields(preview)
            _set(self.inferred, inferred_html(preview))
            free_clicks(self.form)
            self.draw()

    # Actions

    def _start(self) -> None:
        preview, plan = self._preview, self.plan
        if preview is None:
            return
        self._busy = self.start.disabled = True
        self.actions.start("starting", lambda: self._begin(plan, preview))

    def _begin(self, plan: Plan, preview: Preview) -> str:
        try:
            study = self._make(self._ready(preview), **plan.arguments())
            test = preview.test.whole if preview.test else None
            self.study = study.fit(*preview.source.parts, test=test, wait=False, **plan.fit_arguments)
            self.dashboard = self.study.dashboard()
            self.dashboard.container = self
            self.update_restore_hint()
            self.below.children = [self.dashboard]
            self._show_form(form=False)
        finally:
            self._busy = False
            self.draw()
        return f"{self.study.name} is running in the background; builder.study controls it"

    def _show_form(self, *, form: bool) -> None:
        """Show the form, or the search that was started from it."""
        self._form_shown = form
        for part in (self.form, self.more, self.start):
            part.layout.display = "" if form else "none"
        self.again.layout.display = "none" if form else ""

    def _ready(self, preview: Preview) -> Ready | None:
        """The data prepared for the preview; None if they have changed since."""
        there = preview.spec is not None and Path(preview.spec.folder).is_dir()
        if not there or not preview.fresh:
            return None
        assert preview.spec is not None
        return preview.spec, DataOptions(**preview.options)

    def _reopen(self) -> None:
        self._show_form(form=True)
        self.actions.show("")
        self.refresh()
        self.draw()

    # Static picture

    @property
    def restore_code(self) -> str:
        """The Python code that restores it in another kernel."""
        return self.dashboard.restore_code if self.dashboard is not None else "lepton_automl.builder()"

    def picture(self, drawing: Drawing) -> None:
        """Draw the equivalent Python code, and the detected data before the start or the dashboard after it."""
        drawing.paragraph("equivalent Python code", colour=DIM, size=11)
        drawing.code([self.plan.imports, "", *self.plan.code.splitlines()])
        if self._form_shown:
            drawing.paragraph("not started yet", colour=DIM, size=11)
            if self._preview is not None:
                draw_inferred(drawing, self._preview)
        if self.dashboard is not None:
            self.dashboard.picture(drawing)
        else:
            draw_footer(drawing, time.time(), self.restore_code)

    def _save_picture(self) -> None:
        """Save a static picture; the next one follows the next change."""
        with self._drawing:
            self.keep()

    def close(self) -> None:
        """Stop watching and remove the builder from the page; a search that was started continues."""
        self._preview_worker.close()
        self._poller.end()
        if self.dashboard is not None:
            self.dashboard.close()
        super().close()

    # Text

    def __repr__(self) -> str:
        lines = ["a new search", *(inferred_text(self._preview) if self._preview else [])]
        why = self._missing_input(0)
        return "\n".join([*lines, *([f"({why})"] if why else []), self.plan.imports, self.plan.code])


def _code_html(plan: Plan) -> str:
    """The code to copy; a click selects all of it."""
    return (
        '<div class="l-dim">equivalent Python code</div>'
        f'<pre class="l-code" tabindex="0" aria-label="the equivalent Python code">{escape(plan.imports)}\n\n{escape(plan.code)}</pre>'
    )


def _set(html: w.HTML, text: str) -> None:
    if html.value != text:
        html.value = text


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """A bound method that does not keep its object alive."""
    held = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        alive = held()
        if alive is not None:
            alive(*arguments)

    return call


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _names() -> Mapping[str, Any]:
    """The variables of the notebook or program."""
    shell = _shell()
    names: Mapping[str, Any] = shell.user_ns if shell else vars(sys.modules["__main__"])
    return names


def _after_cells(act: Callable[[], None]) -> None:
    """Call a bound method after every cell, without keeping its object alive."""
    shell, held = _shell(), weakref.WeakMethod(act)
    if shell is None:
        return

    def again(*_: Any) -> None:
        alive = held()
        if alive is None:
            shell.events.unregister("post_run_cell", again)
        else:
            alive()

    shell.events.register("post_run_cell", again)

"""The builder: from data to a search without a line of Python, and the line that it equals."""

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

from lepton_automl.data.options import DataOptions
from lepton_automl.reporting.labels import marked
from lepton_automl.specs import DataSpec
from lepton_automl.study_store import StudyStore

from .actions import Acts
from .data import DataView
from .drawing import DIM, Drawing
from .fields import CSS as FORM
from .goals import Goals
from .inferred import draw_inferred, inferred_html, inferred_text
from .more import More
from .plan import Plan
from .poller import Pulse
from .preview_worker import Looker, Seen
from .sources import sources
from .static_view import Lasting, sign
from .view import button, free_clicks

SOON = 1.0  # seconds from a change to the still picture of it
Ready = tuple[DataSpec, DataOptions]
EMPTY = '<p class="l-dim">Choose a variable of the notebook, a path, or a file of your own: what is inferred about it stands here.</p>'


class Builder(Lasting):
    """Describes a search and starts it. Made by `lepton_automl.builder()`.

    Args:
        make: Makes a search, as `AutoML` does; its first argument is what is ready of the data, or None.
        names: The variables to choose from.
        home: Where studies live.
        said: Arguments of `AutoML` that stand already.

    Attributes:
        study: The search that was started last; None before.
        dashboard: Its dashboard.
    """

    def __init__(
        self, make: Callable[..., Any], names: Mapping[str, Any] | None, home: StudyStore, said: Mapping[str, Any] | None = None
    ) -> None:
        self.study: Any = None
        self.dashboard: Any = None
        self._make, self._said = make, dict(said or {})
        self._drawing = threading.RLock()
        self._seen: Seen | None = None
        self._word = self._of = ""
        self._busy = False
        self._looker = Looker(home.folder, _weakly(self._told), _weakly(self._saw))
        self._pulse = Pulse(self._keep, SOON)
        self._names = _names() if names is None else names
        self.data = DataView(home.folder / "uploads", self._look)
        self.goals = Goals(self._tried, home, self.draw)
        self.more = More(self._tried, self._look, self.draw)
        self.acts = Acts(lambda: None)
        self.inferred, self.code, self._why = w.HTML(EMPTY), w.HTML(), w.HTML()
        self.start = button("start", self._start, tip="Search with these settings", icon="play", style="success")
        self.again = button("another search", self._reopen, tip="Show the form again")
        panel = w.VBox([self.inferred])
        panel.add_class("l-inferred")
        self.form = w.Box([w.VBox([self.data, self.goals.search]), self.goals, panel])
        self.form.add_class("l-form")
        row = w.HBox([self.start, self.again, self._why, self.acts.said])
        row.add_class("l-wrap")
        self.below = w.VBox()
        super().__init__(w.HTML(f"<style>{FORM}</style>"), self.form, self.more, self.code, row, self.below)
        self.add_class("lepton-builder")
        self._turn(form=True)
        self.refresh()
        self.draw()
        free_clicks(self)
        _after_cells(self.refresh)

    # What is said

    @property
    def plan(self) -> Plan:
        """What was said so far."""
        source = self.data.source
        return Plan(
            data=source.code if source else "...",
            asked={**self.goals.asked(), **self.more.asked(), **self._said},
            deployment=self.goals.of_deployment(),
            budget=self.goals.of_budget(),
            said={**self.data.said, **self.more.said},
            test=self.more.source.alone if self.more.source else "",
        )

    def refresh(self) -> None:
        """Offer what the notebook holds now."""
        found = sources(self._names)
        self.data.refresh(found)
        self.more.refresh(found)

    def _tried(self, **asked: Any) -> Any:
        """A search that nobody starts: it is asked what is wrong with its arguments."""
        return self._make(None, **asked, **self._said)

    def draw(self) -> None:
        """Bring the line of Python, the complaints and the button up to date."""
        with self._drawing:
            wrong = self.goals.complain() + self.more.complain()
            _set(self.code, _code_html(self.plan))
            why = self._lacking(wrong) if self._asks else ""
            self.start.disabled = bool(why) or self._busy
            _set(self._why, f'<span class="l-dim">{marked(why)}</span>' if why else "")
        if self._stills:
            self._pulse.start()

    def _lacking(self, wrong: int) -> str:
        """What keeps a search from being started, in words."""
        if self.data.source is None:
            return "choose data first"
        if self._seen is None:
            return f"looking at the data: {self._word}" if self._word else "looking at the data"
        if self._seen.spec is None:
            return "the data cannot be used as they are"
        return f"{wrong} field{'s' * (wrong > 1)} to correct" if wrong else ""

    # What is seen

    def _look(self) -> None:
        """Something else was chosen or corrected."""
        with self._drawing:
            source = self.data.source
            before, self._of = self._of, source.code if source else ""
            self._seen, self._word = None, ""
            if before != self._of:
                self.more.forget()
                self._know(None)
            _set(self.inferred, '<p class="l-dim">looking …</p>' if source else EMPTY)
            self.draw()
        self._looker.look(source, {**self.data.said, **self.more.looks}, self.more.source)

    def _know(self, seen: Seen | None) -> None:
        """Offer what fits the data."""
        self.data.know(seen)
        self.goals.know(seen.spec if seen else None)
        self.more.know(seen)

    def _told(self, word: str) -> None:
        """How far the look is."""
        with self._drawing:
            if self._seen is None and self.data.source:
                self._word = word
                _set(self.inferred, f'<p class="l-dim" role="status">looking: {marked(word)} …</p>')
                self.draw()

    def _saw(self, seen: Seen) -> None:
        """The look is over."""
        with self._drawing:
            self._seen = seen
            self._know(seen)
            _set(self.inferred, inferred_html(seen))
            free_clicks(self.form)
            self.draw()

    # What is done

    def _start(self) -> None:
        seen, plan = self._seen, self.plan
        if seen is None:
            return
        self._busy = self.start.disabled = True
        self.acts.do("starting", lambda: self._begin(plan, seen))

    def _begin(self, plan: Plan, seen: Seen) -> str:
        try:
            study = self._make(self._ready(seen), **plan.arguments())
            test = seen.test.whole if seen.test else None
            self.study = study.fit(*seen.source.parts, test=test, wait=False, **plan.said)
            self.dashboard = self.study.dashboard()
            self.dashboard.around = self
            self.say_how_it_revives()
            self.below.children = [self.dashboard]
            self._turn(form=False)
        finally:
            self._busy = False
            self.draw()
        return f"{self.study.name} searches in a process of its own; builder.study is its handle"

    def _turn(self, *, form: bool) -> None:
        """Show the form, or what came of it."""
        self._asks = form
        for one in (self.form, self.more, self.start):
            one.layout.display = "" if form else "none"
        self.again.layout.display = "none" if form else ""

    def _ready(self, seen: Seen) -> Ready | None:
        """What was prepared for the look, if the data are still what they were."""
        there = seen.spec is not None and Path(seen.spec.folder).is_dir()
        if not there or not seen.fresh:
            return None
        assert seen.spec is not None
        return seen.spec, DataOptions(**seen.options)

    def _reopen(self) -> None:
        self._turn(form=True)
        self.acts.say("")
        self.refresh()
        self.draw()

    # What stays

    @property
    def revival(self) -> str:
        """The Python that brings it back in another kernel."""
        return self.dashboard.revival if self.dashboard is not None else "lepton_automl.builder()"

    def picture(self, drawing: Drawing) -> None:
        """Draw the Python that it equals; what was inferred, while nothing is started; the dashboard thereafter."""
        drawing.paragraph("in Python this is", colour=DIM, size=11)
        drawing.code([self.plan.imports, "", *self.plan.code.splitlines()])
        if self._asks:
            drawing.paragraph("a search that is not started", colour=DIM, size=11)
            if self._seen is not None:
                draw_inferred(drawing, self._seen)
        if self.dashboard is not None:
            self.dashboard.picture(drawing)
        else:
            sign(drawing, time.time(), self.revival)

    def _keep(self) -> None:
        """A still picture; the next one when something is drawn again."""
        with self._drawing:
            self.keep()

    def close(self) -> None:
        """Look no more, and take the builder off the page; a search that was started goes on."""
        self._looker.close()
        self._pulse.end()
        if self.dashboard is not None:
            self.dashboard.close()
        super().close()

    # Where there is no page

    def __repr__(self) -> str:
        lines = ["a new search", *(inferred_text(self._seen) if self._seen else [])]
        why = self._lacking(0)
        return "\n".join([*lines, *([f"({why})"] if why else []), self.plan.imports, self.plan.code])


def _code_html(plan: Plan) -> str:
    """A line to copy: a click selects all of it."""
    return (
        '<div class="l-dim">in Python this is</div>'
        f'<pre class="l-code" tabindex="0" aria-label="the Python that it equals">{escape(plan.imports)}\n\n{escape(plan.code)}</pre>'
    )


def _set(html: w.HTML, text: str) -> None:
    if html.value != text:
        html.value = text


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """A bound method that does not keep its object alive."""
    held = weakref.WeakMethod(method)

    def call(*given: Any) -> None:
        alive = held()
        if alive is not None:
            alive(*given)

    return call


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _names() -> Mapping[str, Any]:
    """The variables of the notebook, or of the program."""
    shell = _shell()
    names: Mapping[str, Any] = shell.user_ns if shell else vars(sys.modules["__main__"])
    return names


def _after_cells(act: Callable[[], None]) -> None:
    """Do something after every cell, for as long as its object is there."""
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

"""What all views share: a base, buttons that answer at once, and the way of a click past a cell that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as w

from lepton_automl.reporting.labels import clean

from .protocols import StudySnapshot


class View(w.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """One part of a dashboard.

    Args:
        children: Its widgets.
        classes: Of CSS.
    """

    _hold = False

    def __init__(self, *children: w.Widget, classes: tuple[str, ...] = ()) -> None:
        super().__init__(children=children)
        for name in classes:
            self.add_class(name)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Meanwhile what is set is no choice of a person's: whoever hears of it sees that `_hold` is set."""
        held, self._hold = self._hold, True
        try:
            yield
        finally:
            self._hold = held

    def draw(self, snapshot: StudySnapshot) -> None:
        """Bring what is shown up to date, and leave alone what has not changed."""
        raise NotImplementedError


def button(text: str, act: Callable[[], None], *, tip: str = "", icon: str = "", style: str = "") -> w.Button:
    """A button as wide as its text.

    Args:
        text: What it says.
        act: What it does.
        tip: What it does, in a sentence.
        icon: Of Font Awesome.
        style: Of ipywidgets, such as `"danger"`.
    """
    control = w.Button(description=clean(text), tooltip=clean(tip), icon=icon, button_style=style)
    control.layout.width = "auto"
    control.on_click(lambda _: act())
    return control


def descendants(widget: w.Widget) -> Iterator[w.Widget]:
    """A widget and all that it is made of."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)


def free_clicks(widget: w.Widget) -> None:
    """Let what a person does to a widget be heard while a cell runs.

    JupyterLab sends what happens to widgets to a subshell of the kernel (its setting `commsOverSubshells`), a thread beside
    the one that runs cells. ipykernel 7.4 sends it on to where the widget last *spoke* from, which for one that was made in
    a cell is the main shell: the click would wait for the running cell. Nothing here waits for answers in a cell, so that
    what the page asked for stands. (`ipykernel.kernelbase.Kernel.shell_channel_thread_main`.)
    """
    for descendant in descendants(widget):
        comm: Any = getattr(descendant, "comm", None)
        if comm is not None and hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = _as_sent  # noqa: SLF001  # there is no public way


def _as_sent(_data: Any, subshell: str | None) -> str | None:
    return subshell

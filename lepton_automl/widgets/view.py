"""The base of all views, buttons, and the handling of clicks while a cell runs."""

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
        classes: CSS classes.
    """

    _hold = False

    def __init__(self, *children: w.Widget, classes: tuple[str, ...] = ()) -> None:
        super().__init__(children=children)
        for name in classes:
            self.add_class(name)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Set values without reacting to them as user input: observers check `_hold`."""
        held, self._hold = self._hold, True
        try:
            yield
        finally:
            self._hold = held

    def draw(self, snapshot: StudySnapshot) -> None:
        """Update what has changed."""
        raise NotImplementedError


def button(text: str, act: Callable[[], None], *, tip: str = "", icon: str = "", style: str = "") -> w.Button:
    """A button as wide as its text.

    Args:
        text: The label.
        act: Called on a click.
        tip: The tooltip.
        icon: An icon name of Font Awesome.
        style: A button style of ipywidgets, such as `"danger"`.
    """
    control = w.Button(description=clean(text), tooltip=clean(tip), icon=icon, button_style=style)
    control.layout.width = "auto"
    control.on_click(lambda _: act())
    return control


def descendants(widget: w.Widget) -> Iterator[w.Widget]:
    """A widget and all its descendants."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)


def free_clicks(widget: w.Widget) -> None:
    """Let clicks on a widget be handled while a cell runs.

    JupyterLab sends widget messages to a subshell of the kernel (its setting `commsOverSubshells`), a thread beside the one
    that runs cells. ipykernel 7.4 forwards them to the shell from which the widget last *sent*, which for one created in a
    cell is the main shell: the click would wait for the running cell. Nothing here waits for replies in a cell, so the
    subshell that the page requested is kept. (`ipykernel.kernelbase.Kernel.shell_channel_thread_main`.)
    """
    for descendant in descendants(widget):
        comm: Any = getattr(descendant, "comm", None)
        if comm is not None and hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = _requested_subshell  # noqa: SLF001  # there is no public attribute


def _requested_subshell(_data: Any, subshell: str | None) -> str | None:
    return subshell

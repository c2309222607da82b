"""What stays when nothing lives: a still picture behind a widget, saved with its notebook, and a text where there is no page."""

from __future__ import annotations

import threading
import time
from typing import Any

import ipywidgets as w

from lepton_automl.reporting.labels import marked

from .style import CSS, HIDING

Bundle = dict[str, Any]


class Lasting(w.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A widget that leaves a picture of itself: shown by a notebook without a kernel, and by a page that is made of one.

    Args:
        children: Its widgets.

    Attributes:
        around: The widget that this one is a part of, whose picture shows this one too.
    """

    def __init__(self, *children: w.Widget) -> None:
        self.around: Lasting | None = None
        self._stills: list[Any] = []
        self._last, self._kept = "", 0.0
        self._keeping = threading.Lock()
        super().__init__(children=[w.HTML(f"<style>{CSS}{HIDING}</style>"), *children])
        for name in ("lepton", "lepton-live"):
            self.add_class(name)

    def picture(self) -> str:
        """How it looks now: HTML without scripts."""
        raise NotImplementedError

    def keep(self, age: float = 0.0) -> None:
        """Renew the pictures, where they are older than some seconds and not as it looks now."""
        if self.around is not None:
            self.around.keep(age)
        if self._stills and time.monotonic() >= self._kept + age:
            with self._keeping:  # what is newer comes last
                self._kept = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        from IPython.display import HTML

        now = still_html(self.picture())
        if now != self._last:
            self._last = now
            for still in self._stills:
                still.update(HTML(now))  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, **more: Any) -> Bundle:
        bundle: Bundle = super()._repr_mimebundle_(**more) or {}
        return {**bundle, "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """The widgets, and the picture behind them."""
        from IPython.display import HTML, display

        display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]
        if _in_kernel():
            self._last = ""  # this one is newer than the others
            self._stills.append(display(HTML(still_html(self.picture())), display_id=True))  # type: ignore[no-untyped-call]


def still_html(picture: str) -> str:
    """A picture with all that it takes to stand alone."""
    return f'<div class="lepton lepton-snapshot"><style>{CSS}{HIDING}</style>{picture}</div>'


def signed(at: float, code: str) -> str:
    """When a picture was made, and how what it shows comes to life.

    Args:
        at: Seconds since the epoch.
        code: The Python for it.
    """
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    return f'<p class="l-dim">A picture from {clock}. With a kernel: <code>{marked(code)}</code></p>'


def _in_kernel() -> bool:
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")

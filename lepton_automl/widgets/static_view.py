"""What stays when nothing lives: a picture behind a widget, saved with its notebook, and a text where there is no page."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

import anywidget
import ipywidgets as w

from lepton_automl.reporting.labels import html_text

from .drawing import DIM, Drawing
from .style import CSS, HIDING, LOST

Bundle = dict[str, Any]
WIDE = 860  # pixels of the picture
MARK = "lepton"  # in an output's metadata, where it is a picture of ours


class KernelWatch(anywidget.AnyWidget):
    """Marks the widget that it is in as lost, on the page, when the kernel is gone.

    ipywidgets does so when a person restarts the kernel, and in no other case: not when it is shut down, nor when it dies and is
    started again.
    """

    _esm = """
    export default { render({ model, el }) {
      const kernel = model.widget_manager?.kernel;
      const gone = new Set(["restarting", "autorestarting", "terminating", "dead"]);
      const look = () => { if (gone.has(kernel.status) || kernel.isDisposed) el.closest(".lepton-live")?.classList.add("lepton-lost"); };
      kernel?.statusChanged?.connect(look);
      kernel?.disposed?.connect(look);
      return () => { kernel?.statusChanged?.disconnect(look); kernel?.disposed?.disconnect(look); };
    } };
    """


class PersistentBox(w.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A widget that leaves a picture of itself: shown by a notebook without a kernel, and by a page that is made of one.

    The picture is a PNG, and its text a table: of HTML, JupyterLab shows neither styles nor drawings in a notebook that was
    written by somebody else.

    Args:
        children: Its widgets.

    Attributes:
        container: The widget that this one is a part of, whose picture shows this one too.
    """

    def __init__(self, *children: w.Widget) -> None:
        self.container: PersistentBox | None = None
        self._stills: list[Any] = []
        self._last, self._last_kept = b"", 0.0
        self._keeping = threading.Lock()
        self._lost = w.HTML()
        self._lost.add_class("l-lost")
        super().__init__(children=[w.HTML(f"<style>{CSS}{HIDING}{LOST}</style>"), self._lost, *children, KernelWatch()])
        for name in ("lepton", "lepton-live"):
            self.add_class(name)
        self.update_restore_hint()

    @property
    def restore_code(self) -> str:
        """The Python that brings it back in another kernel."""
        raise NotImplementedError

    def update_restore_hint(self) -> None:
        """Keep the page ready to tell what to run when the kernel is gone: nothing can be sent to it then."""
        needed = "from lepton_automl import AutoML" if self.restore_code.startswith("AutoML") else "import lepton_automl"
        self._lost.value = (
            '<div role="alert"><b>The kernel is not running.</b> This is the last state shown; a running search continues in the background. '
            f'Run this in a cell to see the current state:<pre class="l-code">{html_text(needed)}\n{html_text(self.restore_code)}</pre></div>'
        )

    def picture(self, drawing: Drawing) -> None:
        """Draw how it looks now."""
        raise NotImplementedError

    def keep(self, age: float = 0.0) -> None:
        """Renew the pictures, where they are older than some seconds and not as it looks now."""
        if self.container is not None:
            self.container.keep(age)
        if self._stills and time.monotonic() >= self._last_kept + age:
            with self._keeping:  # what is newer comes last
                self._last_kept = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        now = self.png()
        if now != self._last:
            self._last = now
            for still in self._stills:
                still.update(self._still(now), raw=True, metadata=METADATA)

    def png(self) -> bytes:
        """How it looks now, as a file."""
        drawing = Drawing(WIDE)
        self.picture(drawing)
        return drawing.png()

    def _still(self, png: bytes) -> Bundle:
        return {"image/png": base64.b64encode(png).decode(), "text/plain": repr(self)}

    def _repr_mimebundle_(self, **more: Any) -> Bundle:
        bundle: Bundle = super()._repr_mimebundle_(**more) or {}
        return {**bundle, "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """The widgets, the picture behind them, and what keeps one of the two out of sight."""
        from IPython.display import HTML, display

        bundle = self._repr_mimebundle_()
        if not _in_kernel():
            display(bundle, raw=True)  # type: ignore[no-untyped-call]
            return
        first = bundle["text/plain"].partition("\n")[0]  # the rest stands behind the picture
        display({**bundle, "text/plain": first}, raw=True)  # type: ignore[no-untyped-call]
        self._last = b""  # this one is newer than the others
        still = display(self._still(self.png()), raw=True, metadata=METADATA, display_id=True)  # type: ignore[no-untyped-call]
        self._stills.append(still)
        display(HTML(f'<div class="lepton-hiding"><style>{HIDING}</style></div>'))  # type: ignore[no-untyped-call]


METADATA = {"image/png": {"width": WIDE}, MARK: "picture"}


def draw_footer(drawing: Drawing, at: float, code: str) -> None:
    """Say below a picture when it was made, and how what it shows comes to life.

    Args:
        drawing: The picture.
        at: Seconds since the epoch.
        code: The Python for it.
    """
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    drawing.y += 8
    drawing.paragraph(f"Saved image from {clock}. To see it live, run: {code}", colour=DIM, size=11)


def _in_kernel() -> bool:
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")

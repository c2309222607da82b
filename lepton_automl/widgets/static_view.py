"""Static versions of a widget: a picture that is saved with the notebook, and a text for terminals."""

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
WIDE = 860  # pixels of the picture's width
MARK = "lepton"  # key in an output's metadata that marks our picture


class KernelWatch(anywidget.AnyWidget):
    """Marks the enclosing widget on the page as lost when the kernel has ended.

    ipywidgets does so only when the user restarts the kernel, not when it is shut down, or dies and is restarted.
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
    """A widget that saves a picture of itself, for notebooks without a kernel and for pages exported from them.

    The picture is a PNG, not HTML: JupyterLab strips styles and SVG from the HTML of an untrusted notebook.

    Args:
        children: Its widgets.

    Attributes:
        container: The enclosing widget, whose picture includes this one.
    """

    def __init__(self, *children: w.Widget) -> None:
        self.container: PersistentBox | None = None
        self._pictures: list[Any] = []
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
        """The Python code that restores it in another kernel."""
        raise NotImplementedError

    def update_restore_hint(self) -> None:
        """Update the hint that the page shows when the kernel has ended, as nothing can be sent to it then."""
        needed = "from lepton_automl import AutoML" if self.restore_code.startswith("AutoML") else "import lepton_automl"
        self._lost.value = (
            '<div role="alert"><b>The kernel is not running.</b> This is the last state shown; a running search continues in the background. '
            f'Run this in a cell to see the current state:<pre class="l-code">{html_text(needed)}\n{html_text(self.restore_code)}</pre></div>'
        )

    def picture(self, drawing: Drawing) -> None:
        """Draw the current state."""
        raise NotImplementedError

    def keep(self, age: float = 0.0) -> None:
        """Update the saved pictures if they are older than `age` seconds and outdated."""
        if self.container is not None:
            self.container.keep(age)
        if self._pictures and time.monotonic() >= self._last_kept + age:
            with self._keeping:  # keeps the order of updates
                self._last_kept = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        now = self.png()
        if now != self._last:
            self._last = now
            for handle in self._pictures:
                handle.update(self._picture_bundle(now), raw=True, metadata=METADATA)

    def png(self) -> bytes:
        """The current state as a PNG file."""
        drawing = Drawing(WIDE)
        self.picture(drawing)
        return drawing.png()

    def _picture_bundle(self, png: bytes) -> Bundle:
        return {"image/png": base64.b64encode(png).decode(), "text/plain": repr(self)}

    def _repr_mimebundle_(self, **more: Any) -> Bundle:
        bundle: Bundle = super()._repr_mimebundle_(**more) or {}
        return {**bundle, "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """Display the widgets, their static picture, and the style that hides one of the two."""
        from IPython.display import HTML, display

        bundle = self._repr_mimebundle_()
        if not _in_kernel():
            display(bundle, raw=True)  # type: ignore[no-untyped-call]
            return
        first = bundle["text/plain"].partition("\n")[0]  # the full text goes with the picture
        display({**bundle, "text/plain": first}, raw=True)  # type: ignore[no-untyped-call]
        self._last = b""  # so that the older pictures are updated too
        handle = display(self._picture_bundle(self.png()), raw=True, metadata=METADATA, display_id=True)  # type: ignore[no-untyped-call]
        self._pictures.append(handle)
        display(HTML(f'<div class="lepton-hiding"><style>{HIDING}</style></div>'))  # type: ignore[no-untyped-call]


METADATA = {"image/png": {"width": WIDE}, MARK: "picture"}


def draw_footer(drawing: Drawing, at: float, code: str) -> None:
    """Append the time of a picture and the code that shows it live.

    Args:
        drawing: The picture.
        at: Seconds since the epoch.
        code: The Python code.
    """
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    drawing.y += 8
    drawing.paragraph(f"Saved image from {clock}. To see it live, run: {code}", colour=DIM, size=11)


def _in_kernel() -> bool:
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")

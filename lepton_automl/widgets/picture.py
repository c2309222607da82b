"""A plotly figure that is updated in place, so that zoom and hidden traces are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import anywidget
import ipywidgets as w
import plotly.graph_objects as go
import traitlets

from lepton_automl.state import StudyState

from .loading import load_figure_widget
from .protocols import StudySnapshot
from .view import View, free_clicks

load_figure_widget()

Json = dict[str, Any]
TALL = 390  # pixels of height, so that a dashboard fits on a small screen
MARGIN = {"l": 56, "r": 8, "t": 34, "b": 44}
SPARED = ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"]
CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": SPARED}
BAR = {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,128,0.7)", "activecolor": "#0072B2"}  # transparent over the plot


class FigureSync(anywidget.AnyWidget):
    """Keeps the figure beside it up to date on the page.

    A `FigureWidget` reacts to size changes of the window only, and misses updates that are sent while its script (five
    megabytes) still loads. This widget triggers the resize, and requests the whole figure again when it is outdated: `meta`
    of the layout and of each trace holds the number of the drawing that changed it last.
    """

    expected: traitlets.List[int] = traitlets.List().tag(sync=True)  # the numbers in `meta`
    _esm = """
    export default { render({ model, el }) {
      let seen = "", behind = 0;
      el.style.width = "100%";
      const look = () => {
        const plot = el.parentElement?.parentElement?.querySelector(".js-plotly-plot");
        const svg = plot?.querySelector(".main-svg");
        if (!el.clientWidth || !svg) return;
        const has = [plot.layout, ...(plot.data ?? [])].map((part) => part?.meta);
        behind = String(has) === String(model.get("expected")) ? 0 : behind + 1;
        if (behind === 12) { behind = -12; model.send("behind"); }
        const sizes = `${el.clientWidth} ${svg.clientWidth}`;
        if (Math.abs(el.clientWidth - svg.clientWidth) < 3 || seen === sizes) return;
        seen = sizes;
        window.dispatchEvent(new Event("resize"));
      };
      const again = setInterval(look, 250);
      return () => clearInterval(again);
    } };
    """


class Script(anywidget.AnyWidget):
    """Plotly's script, sent once for all figures: each `FigureWidget` would send its own five megabytes to every page."""

    code = traitlets.Unicode().tag(sync=True)
    _esm = """
    export default { initialize({ model }) {
      const load = () => import(URL.createObjectURL(new Blob([model.get("code")], { type: "text/javascript" })));
      globalThis.leptonPlotly ??= load().then((script) => script.default);
    }, render() {} };
    """

    def __init__(self) -> None:
        super().__init__(code=str(go.FigureWidget._esm))  # noqa: SLF001  # there is no public attribute


class LiveFigure(go.FigureWidget):  # type: ignore[misc]  # plotly ships no types
    """A `FigureWidget` whose current state is sent to a second tab or a reloaded page.

    Plotly sends such a page the state at the creation of the widget, and drops from its own data what a page has reported as
    the default (`plotly.basewidget`, as of 7.1).

    Args:
        figure: The initial figure; `now` has to be set with every change.
    """

    now: Json = {}  # noqa: RUF012  # set per instance; a figure only accepts attributes that its class declares
    _esm = """
    const script = async () => {
      while (!globalThis.leptonPlotly) await new Promise((again) => setTimeout(again, 50));
      return (await globalThis.leptonPlotly)();
    };
    export default () => {
      const made = script();
      let ready;  // not awaited here: anywidget gives up on a model that is not ready within two seconds
      return {
        initialize: (context) => { ready = made.then((widget) => widget.initialize(context)); },
        render: async (context) => { const widget = await made; await ready; return widget.render(context); },
      };
    };
    """

    def __init__(self, figure: go.Figure) -> None:
        self.now = figure.to_plotly_json()
        super().__init__(figure)
        self.open()

    def open(self) -> None:
        """Open the comm once the figure has content: a page that receives an empty figure may never draw the content."""
        if "_layout_obj" in vars(self) and self.comm is None:
            super().open()

    def get_state(self, *args: Any, **more: Any) -> Json:
        """The state that is sent to a page."""
        state: Json = super().get_state(*args, **more)
        if "_layout_obj" in vars(self):  # else it is still being created
            traces = [trace | {"uid": own.uid} for trace, own in zip(self.now["data"], self.data, strict=True)]
            now = {"_widget_data": traces, "_widget_layout": self.now["layout"]}
            for name in now.keys() & state.keys():
                state[name] = self.trait_metadata(name, "to_json")(deepcopy(now[name]), self)
        return state


class PictureView(View):
    """A figure of `reporting`, updated in place.

    Zoom and hidden traces are kept while it changes.

    Args:
        make: Draws the figure of a study, always with the same traces.
        clicked: Called with the trial whose point is clicked: points whose `customdata` is its number.
        height: The height in pixels.
        margin: The margins in pixels, by side.
        config: Options of plotly.js, added to the usual ones.
    """

    def __init__(
        self,
        make: Callable[[StudyState], go.Figure],
        clicked: Callable[[int], None] | None = None,
        *,
        height: int = TALL,
        margin: Json = MARGIN,
        config: Json | None = None,
    ) -> None:
        self._config = CONFIG | (config or {})
        self._make, self._clicked, self._size = make, clicked, {"height": height, "margin": margin}
        self._drawn_version: tuple[Any, ...] = ()
        self._last: Json = {}
        self._drawn = 0
        self._drawing = threading.Lock()
        self.figure: LiveFigure | None = None
        self.sync = FigureSync()
        self.sync.on_msg(self._behind)
        super().__init__()

    def drawn(self, snapshot: StudySnapshot) -> go.Figure:
        """The figure for the current state."""
        return self._make(snapshot.state)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Draw the study if it has changed."""
        version = (snapshot.state.last_at, len(snapshot.state.trials), snapshot.chosen)
        if version != self._drawn_version:
            self._drawn_version = version
            self.show(self.drawn(snapshot))

    def show(self, figure: go.Figure) -> None:
        """Send the changes of the figure in one message."""
        figure.update_layout(**self._size, autosize=True, modebar=BAR, font={"size": 11})
        with self._drawing:
            self._drawn += 1
            if self.figure is None:
                figure.update_traces(meta=self._drawn).update_layout(meta=self._drawn)
                self._last = figure.to_plotly_json()
                self._begin(figure)
            else:
                last, self._last = self._last, figure.to_plotly_json()
                self._change(self.figure, last, self._last)
            self.sync.expected = [part["meta"] for part in (self._last["layout"], *self._last["data"])]

    def _change(self, figure: LiveFigure, last: Json, fresh: Json) -> None:
        traces = [self._changed(was, now) for was, now in zip(last["data"], fresh["data"], strict=True)]
        layout = self._changed(last["layout"], fresh["layout"])
        figure.now = fresh
        if layout or any(traces):
            with figure.batch_update():
                for trace, new in zip(figure.data, traces, strict=True):
                    trace.update(new, overwrite=True)
                figure.update_layout(layout, overwrite=True)

    def _changed(self, was: Json, now: Json) -> Json:
        """The changes in a trace or in the layout, with the number of this drawing."""
        now["meta"] = was["meta"]
        new = difference(was, now)
        if new:
            new["meta"] = now["meta"] = self._drawn
        return new

    def _behind(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Send the whole figure again after the page has missed an update."""
        if message == "behind" and self.figure is not None:
            with self._drawing:
                self._begin(go.Figure(self._last))
            free_clicks(self)

    def forget(self, name: str) -> None:
        """Send an entry of the layout again with the next figure, as the user has changed it on the page."""
        self._last["layout"].pop(name, None)
        self._drawn_version = ()

    def forget_version(self) -> None:
        """Draw the next snapshot even if its study has not changed."""
        self._drawn_version = ()

    def _begin(self, figure: go.Figure) -> None:
        self.figure = LiveFigure(figure)
        self.figure._config = self._config  # noqa: SLF001  # plotly has no public attribute
        for trace in self.figure.data:
            if hasattr(trace, "on_click"):
                trace.on_click(self._click)
        self.children = [w.VBox([self.figure, self.sync])]

    def _click(self, trace: Any, points: Any, _state: Any) -> None:
        numbers = trace.customdata
        if self._clicked and numbers is not None and points.point_inds:
            self._clicked(int(numbers[points.point_inds[0]]))


def difference(old: Json, new: Json) -> Json:
    """The entries that are new or changed, and None for removed ones."""
    removed = dict.fromkeys(old.keys() - new.keys())
    return removed | {name: value for name, value in new.items() if not _same(old.get(name), value)}


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except ValueError:  # arrays
        return repr(old) == repr(new)

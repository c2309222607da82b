"""A plotly figure that stays where it is while what it shows changes."""

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
TALL = 390  # pixels, so that all of a dashboard is seen on a small screen
MARGIN = {"l": 56, "r": 8, "t": 34, "b": 44}
SPARED = ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"]
CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": SPARED}
BAR = {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,128,0.7)", "activecolor": "#0072B2"}  # no block over the picture


class FigureSync(anywidget.AnyWidget):
    """Looks after the figure beside it, on the page.

    A `FigureWidget` hears of more or less room from the window alone, and misses what is sent while its script still loads
    (five megabytes): then it stays behind, and the keeper asks for it anew. The layout and each trace bear, as
    `meta`, the number of the drawing that changed them last.
    """

    expected: traitlets.List[int] = traitlets.List().tag(sync=True)  # these numbers
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
    """Plotly's script, sent once for all figures: each `FigureWidget` would bring its own five megabytes to every page."""

    code = traitlets.Unicode().tag(sync=True)
    _esm = """
    export default { initialize({ model }) {
      const load = () => import(URL.createObjectURL(new Blob([model.get("code")], { type: "text/javascript" })));
      globalThis.leptonPlotly ??= load().then((script) => script.default);
    }, render() {} };
    """

    def __init__(self) -> None:
        super().__init__(code=str(go.FigureWidget._esm))  # noqa: SLF001  # there is no public way


class LiveFigure(go.FigureWidget):  # type: ignore[misc]  # plotly ships no types
    """A `FigureWidget` that a second tab, or a page that was loaded again, sees as it is now.

    Plotly keeps what such a page asks for as it was when the widget was made, and forgets of its own data what a page has
    told it to be the default (`plotly.basewidget`, as of 7.1).

    Args:
        figure: What it shows at first; `now` is to be set with every change.
    """

    now: Json = {}  # noqa: RUF012  # each has its own; a figure takes no names that its class has not
    _esm = """
    const script = async () => {
      while (!globalThis.leptonPlotly) await new Promise((again) => setTimeout(again, 50));
      return (await globalThis.leptonPlotly)();
    };
    export default () => {
      const made = script();
      let ready;  // nobody waits for it here: a model that is not there within two seconds is given up by anywidget
      return {
        initialize: (given) => { ready = made.then((one) => one.initialize(given)); },
        render: async (given) => { const one = await made; await ready; return one.render(given); },
      };
    };
    """

    def __init__(self, figure: go.Figure) -> None:
        self.now = figure.to_plotly_json()
        super().__init__(figure)
        self.open()

    def open(self) -> None:
        """Tell the page of the figure, once it holds something: one that is told of an empty one may draw that and no more."""
        if "_layout_obj" in vars(self) and self.comm is None:
            super().open()

    def get_state(self, *args: Any, **more: Any) -> Json:
        """What a page asks for."""
        state: Json = super().get_state(*args, **more)
        if "_layout_obj" in vars(self):  # else it is just being made
            traces = [trace | {"uid": own.uid} for trace, own in zip(self.now["data"], self.data, strict=True)]
            now = {"_widget_data": traces, "_widget_layout": self.now["layout"]}
            for name in now.keys() & state.keys():
                state[name] = self.trait_metadata(name, "to_json")(deepcopy(now[name]), self)
        return state


class PictureView(View):
    """One of reporting's figures, alive.

    Zoom, and what a person has hidden, stay while it changes.

    Args:
        make: Draws the figure of a study, always with the same traces.
        clicked: Called with the trial whose point is clicked: points whose `customdata` is its number.
        height: In pixels.
        margin: Around it, in pixels by side.
        config: Of plotly.js, beside the usual one.
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
        self._stand: tuple[Any, ...] = ()
        self._last: Json = {}
        self._drawn = 0
        self._drawing = threading.Lock()
        self.figure: LiveFigure | None = None
        self.sync = FigureSync()
        self.sync.on_msg(self._behind)
        super().__init__()

    def drawn(self, snapshot: StudySnapshot) -> go.Figure:
        """The figure as it is to be now."""
        return self._make(snapshot.state)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Draw where the study is not what it was."""
        stand = (snapshot.state.last_at, len(snapshot.state.trials), snapshot.chosen)
        if stand != self._stand:
            self._stand = stand
            self.show(self.drawn(snapshot))

    def show(self, figure: go.Figure) -> None:
        """Take over what is not the same any more, in one message."""
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
        """What is new in a trace or in the layout, with the number of this drawing."""
        now["meta"] = was["meta"]
        new = difference(was, now)
        if new:
            new["meta"] = now["meta"] = self._drawn
        return new

    def _behind(self, _keeper: Any, message: Any, _buffers: Any) -> None:
        """The page has missed something: it gets the whole figure anew."""
        if message == "behind" and self.figure is not None:
            with self._drawing:
                self._begin(go.Figure(self._last))
            free_clicks(self)

    def forget(self, name: str) -> None:
        """Tell an entry of the layout anew with the next figure: a person has changed it on the page."""
        self._last["layout"].pop(name, None)
        self._stand = ()

    def _begin(self, figure: go.Figure) -> None:
        self.figure = LiveFigure(figure)
        self.figure._config = self._config  # noqa: SLF001  # plotly has no other name for it
        for trace in self.figure.data:
            if hasattr(trace, "on_click"):
                trace.on_click(self._click)
        self.children = [w.VBox([self.figure, self.sync])]

    def _click(self, trace: Any, points: Any, _state: Any) -> None:
        numbers = trace.customdata
        if self._clicked and numbers is not None and points.point_inds:
            self._clicked(int(numbers[points.point_inds[0]]))


def difference(old: Json, new: Json) -> Json:
    """The entries that are new or not the same, and None for those that are gone."""
    gone = dict.fromkeys(old.keys() - new.keys())
    return gone | {name: value for name, value in new.items() if not _same(old.get(name), value)}


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except ValueError:  # arrays
        return repr(old) == repr(new)

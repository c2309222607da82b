"""A plotly figure that stays where it is while what it shows changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as w
import plotly.graph_objects as go

from .style import FAINT, GREY

Json = dict[str, Any]


class Fit(anywidget.AnyWidget):
    """Tells the figure beside it when there is more or less room: a `FigureWidget` in a box listens to the window alone."""

    _esm = """
    export default { render({ el }) {
      let wide = 0, drawn = false;
      const look = () => {
        const plot = el.parentElement?.parentElement?.querySelector(".js-plotly-plot .main-svg");
        if (!el.clientWidth || !plot || (drawn && el.clientWidth === wide)) return;
        [wide, drawn] = [el.clientWidth, true];
        window.dispatchEvent(new Event("resize"));
      };
      el.style.width = "100%";
      const seen = new ResizeObserver(look);
      seen.observe(el);
      const wait = setInterval(() => { look(); if (drawn) clearInterval(wait); }, 100);
      return () => { seen.disconnect(); clearInterval(wait); };
    } };
    """


class Picture:
    """A `FigureWidget` that takes over from a fresh figure what is not the same any more.

    Zoom, and what a person has hidden, stay.

    Args:
        figure: The first one.
        height: In pixels.
        clicked: Called with the trial whose point is clicked: points whose `customdata` is its number.
    """

    def __init__(self, figure: go.Figure, *, height: int = 350, clicked: Callable[[int], None] | None = None) -> None:
        self._clicked, self._height = clicked, height
        self._last = dressed(figure, height).to_plotly_json()
        self.widget = go.FigureWidget(figure)
        self.box = w.VBox([self.widget, Fit()])
        self.widget._config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}  # noqa: SLF001  # plotly names it so
        self._listen()

    def show(self, figure: go.Figure) -> None:
        """Change what has changed, in one message."""
        fresh = dressed(figure, self._height).to_plotly_json()
        last, self._last = self._last, fresh
        traces = changes(last["data"], fresh["data"])
        layout = difference(last["layout"], fresh["layout"])
        if traces is None:
            with self.widget.batch_update():
                self.widget.data = []
                self.widget.add_traces(figure.data)
                self.widget.update_layout(layout, overwrite=True)
            self._listen()
        elif layout or any(traces):
            with self.widget.batch_update():
                for trace, new in zip(self.widget.data, traces, strict=True):
                    trace.update(new, overwrite=True)
                self.widget.update_layout(layout, overwrite=True)

    def forget(self, name: str) -> None:
        """Tell an entry of the layout anew with the next figure: a person has changed it on the page."""
        self._last["layout"].pop(name, None)

    def _listen(self) -> None:
        for trace in self.widget.data:
            if hasattr(trace, "on_click"):
                trace.on_click(self._click)

    def _click(self, trace: Any, points: Any, _state: Any) -> None:
        numbers = trace.customdata
        if self._clicked and numbers is not None and points.point_inds:
            self._clicked(int(numbers[points.point_inds[0]]))


def dressed(figure: go.Figure, height: int) -> go.Figure:
    """The figure without a background of its own, so that it suits a light page and a dark one."""
    clear = "rgba(0,0,0,0)"
    figure.update_layout(
        template="none", paper_bgcolor=clear, plot_bgcolor=clear, height=height, font={"color": GREY, "size": 12}, autosize=True
    )
    figure.update_layout(margin={"l": 60, "r": 10, "t": 30, "b": 46}, hoverlabel={"font": {"color": "#fff"}, "bgcolor": "#333"})
    lines = {"gridcolor": FAINT, "zerolinecolor": FAINT, "linecolor": GREY}
    figure.update_xaxes(**lines)
    figure.update_yaxes(**lines)
    return figure


def changes(old: list[Json], new: list[Json]) -> list[Json] | None:
    """What each trace must be told; None where there are other traces than there were."""
    if [_kind(trace) for trace in old] != [_kind(trace) for trace in new]:
        return None
    return [difference(was, now) for was, now in zip(old, new, strict=True)]


def difference(old: Json, new: Json) -> Json:
    """The entries that are new or not the same, and None for those that are gone."""
    gone = dict.fromkeys(old.keys() - new.keys())
    return gone | {name: value for name, value in new.items() if not _same(old.get(name), value)}


def _kind(trace: Json) -> tuple[Any, Any]:
    return trace.get("type"), trace.get("name")


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except ValueError:  # arrays
        return repr(old) == repr(new)

"""The bottleneck report as an interactive figure, and with its summary as one self-contained HTML page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.bottleneck import Bottleneck, Row
from lepton_automl.roofline import BOUNDS

from .bottleneck_rows import COLOURS, NAMES, OUTSIDE, outside, shown, shown_changes

if TYPE_CHECKING:
    import plotly.graph_objects as go

STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1rem;color:#222;background:#fff}table{border-collapse:collapse}"
    "td,th{padding:.2rem .7rem;text-align:right}td:last-child,th:last-child{text-align:left}tr.chosen{font-weight:600}"
    "th{border-bottom:1px solid #999}"
)


class BottleneckReport(Bottleneck):
    """A `Bottleneck` that can be shown and saved."""

    @property
    def figure(self) -> go.Figure:
        """The figure: time by layer, the roofline of the machine, and the gains of changes."""
        return bottleneck_figure(self)

    def save(self, path: str | Path) -> Path:
        """Write the report as one self-contained HTML page (4.8 MB, nearly all of it plotly.js)."""
        file = Path(path)
        file.write_text(bottleneck_html(self), encoding="utf-8")
        return file

    def _repr_html_(self) -> str:
        """The report without scripts, for a notebook: some kilobytes, as it does not include plotly.js."""
        from .bottleneck_cell import cell_html

        return cell_html(self)


def bottleneck_html(bottleneck: Bottleneck) -> str:
    """The report as an HTML page."""
    name = escape(bottleneck.network)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head>'
        f"<body><h1>Where the time goes</h1><p>{name}<br>{escape(bottleneck.ceilings.host)}</p>{_body(bottleneck)}</body></html>\n"
    )


def _body(bottleneck: Bottleneck) -> str:
    plot = bottleneck_figure(bottleneck).to_html(
        full_html=False, include_plotlyjs=True, config={"responsive": True, "displayModeBar": False}
    )
    return f"<p>{'<br>'.join(map(escape, bottleneck.text.splitlines()))}</p>{plot}"


def bottleneck_figure(bottleneck: Bottleneck) -> go.Figure:
    """Time by layer in order of execution, the roofline of the machine, and predicted and measured gains."""
    from plotly.subplots import make_subplots

    rows = shown(bottleneck)
    tall = 24 * (len(rows) + 5)
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        row_heights=[tall, 420],
        vertical_spacing=110 / (tall + 530),
        horizontal_spacing=0.38,
        subplot_titles=(
            "Time by layer, in order of execution",
            "Roofline: layers against this machine's limits",
            _changes_title(bottleneck),
        ),
    )
    _bars(figure, bottleneck, rows)
    _roofline(figure, bottleneck)
    _changes(figure, bottleneck)
    figure.update_yaxes(ticklabelstandoff=5)
    figure.update_layout(
        template="plotly_white",
        height=tall + 530,
        margin={"t": 90, "l": 210, "r": 40},
        font={"size": 13},
        barmode="stack",
        legend={"orientation": "h", "y": 1 + 40 / (tall + 420), "yanchor": "bottom", "x": 0},
    )
    return figure


def _bars(figure: go.Figure, bottleneck: Bottleneck, shown_rows: list[Row]) -> None:
    others = [row for row in bottleneck.layers if row not in shown_rows]
    order = [row.time.layer for row in shown_rows]
    for bound in BOUNDS:
        rows = [row for row in shown_rows if row.bound == bound]
        figure.add_bar(
            y=[row.time.layer for row in rows],
            x=[row.time.ms for row in rows],
            orientation="h",
            name=NAMES[bound],
            legendgroup=bound,
            marker={"color": COLOURS[bound]},
            text=[f"{100 * row.share:.1f} %" for row in rows],
            textposition="outside",
            cliponaxis=False,
            customdata=[_hover(row) for row in rows],
            hovertemplate="%{customdata}<extra></extra>",
            row=1,
            col=1,
        )
    rest = outside(bottleneck, others)
    figure.add_bar(
        y=list(rest),
        x=list(rest.values()),
        orientation="h",
        name="outside the layers",
        marker={"color": OUTSIDE},
        text=[f"{100 * ms / bottleneck.latency.median:.1f} %" for ms in rest.values()],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.3g} ms<extra></extra>",
        row=1,
        col=1,
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[*order, *rest], autorange="reversed", row=1, col=1)
    figure.update_xaxes(title="ms per call", rangemode="tozero", row=1, col=1)


def _hover(row: Row) -> str:
    work = row.time.work
    lines = [
        f"<b>{escape(row.time.layer)}</b>: {escape(row.time.op)}",
        f"{1e3 * row.time.ms:.3g} µs, {100 * row.share:.1f} % of the call",
        f"{work.macs:,} multiply-accumulates" + (f" ({work.executed:,} with padded channels)" * (work.executed != work.macs)),
        f"{work.weight_bytes:,} bytes of weights, {work.activation_bytes:,} of activations",
        f"{work.nodes} kernel{'s' * (work.nodes > 1)}",
        f"{NAMES[row.bound]}: {100 * row.reach:.0f} % of that limit",
    ]
    return "<br>".join(lines)


def _roofline(figure: go.Figure, bottleneck: Bottleneck) -> None:
    """Multiply-accumulates per second against those per byte (Williams et al., Roofline, CACM 2009)."""
    rows = [row for row in bottleneck.layers if row.time.work.macs and row.time.ms and row.time.work.bytes]
    if not rows:
        return
    intensity = [row.time.work.macs / row.time.work.bytes for row in rows]
    for bound in BOUNDS:
        own = [row for row in rows if row.bound == bound]
        figure.add_scatter(
            x=[row.time.work.macs / row.time.work.bytes for row in own],
            y=[row.time.work.macs / row.time.ms / 1e6 for row in own],
            mode="markers",
            legendgroup=bound,
            showlegend=False,
            marker={"color": COLOURS[bound], "size": [7 + 30 * row.share**0.5 for row in own], "opacity": 0.7},
            customdata=[_hover(row) for row in own],
            hovertemplate="%{customdata}<br>%{y:.3g} billion per second, %{x:.3g} per byte<extra></extra>",
            row=2,
            col=1,
        )
    _roofs(figure, bottleneck, min(intensity), max(intensity))
    figure.update_xaxes(type="log", title="multiply-accumulates per byte", dtick=1, row=2, col=1)
    figure.update_yaxes(type="log", title="billion per second", dtick=1, row=2, col=1)


def _roofs(figure: go.Figure, bottleneck: Bottleneck, least: float, most: float) -> None:
    peak = bottleneck.ceilings.macs_per_s
    flows = {"cache": bottleneck.ceilings.bandwidth[0][1], "memory": bottleneck.ceilings.bandwidth[-1][1]}
    for (name, flow), dash in zip(flows.items(), ("solid", "dot"), strict=True):
        knee, left, right = peak / flow, min(least, 0.3 * peak / flow) / 2, max(most, 3 * peak / flow) * 2
        figure.add_scatter(
            x=[left, knee, right],
            y=[left * flow / 1e9, peak / 1e9, peak / 1e9],
            mode="lines+text",
            text=[f"{name}, {flow / 1e9:.0f} GB/s", "", ""],
            textposition="bottom right",
            textfont={"size": 11, "color": "#444"},
            showlegend=False,
            line={"color": "#444", "dash": dash, "width": 1.5},
            hovertemplate=f"{name}: {flow / 1e9:.3g} GB/s; peak {peak / 1e9:.3g} billion per second<extra></extra>",
            row=2,
            col=1,
        )


def _changes_title(bottleneck: Bottleneck) -> str:
    timed = any(change.actual for change in bottleneck.changes)
    return "Gain of one change" + (" (◆ timed)" * timed) if bottleneck.changes else ""


def _changes(figure: go.Figure, bottleneck: Bottleneck) -> None:
    changes = shown_changes(bottleneck)
    if not changes:
        return
    names = [change.what for change in changes]
    figure.add_bar(
        y=names,
        x=[change.predicted_ms for change in changes],
        orientation="h",
        name="predicted gain",
        showlegend=False,
        marker={"color": "#56B4E9"},
        hovertemplate="%{y}: predicted %{x:.3g} ms<extra></extra>",
        row=2,
        col=2,
    )
    tried = [(change.what, change.actual) for change in changes if change.actual is not None]
    figure.add_scatter(
        y=[what for what, _ in tried],
        x=[actual.median for _, actual in tried],
        error_x=_interval([(latency.median - latency.low, latency.high - latency.median) for _, latency in tried]),
        mode="markers",
        name="measured",
        showlegend=False,
        marker={"color": "#000", "symbol": "diamond", "size": 10},
        hovertemplate="%{y}: saved %{x:.3g} ms<extra></extra>",
        row=2,
        col=2,
    )
    figure.update_yaxes(autorange="reversed", automargin=True, row=2, col=2)
    figure.update_xaxes(title="ms saved per call", row=2, col=2)


def _interval(ends: list[tuple[float, float]]) -> dict[str, Any]:
    down, up = [low for low, _ in ends], [high for _, high in ends]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": "#000", "thickness": 1.5}

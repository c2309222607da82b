"""Figures of a model's speed: every runtime and precision that was tried, and larger batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_automl.profile import ResourceProfile
from lepton_automl.trial import Trial

from .labels import label
from .theme import (
    BLUE,
    GREY,
    ORANGE,
    Theme,
    apply_theme,
    log_axis,
    note,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go


def variants_figure(trial: Trial | None, theme: Theme = "neutral") -> go.Figure:
    """The latency of a model in every runtime and precision that was tried, with 95 % intervals.

    Returns:
        Traces `tried`, `chosen`.
    """
    import plotly.graph_objects as go

    timed = [variant for variant in (trial.accelerated.tried if trial and trial.accelerated else ()) if variant.latency]
    figure = go.Figure()
    for name, colour, wanted in (("tried", GREY, False), ("chosen", BLUE, True)):
        own = [(at, variant, variant.latency) for at, variant in enumerate(timed) if (variant.outcome == "chosen") == wanted]
        figure.add_bar(
            y=[at for at, _, _ in own],
            x=[latency.median for _, _, latency in own if latency],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [latency.high - latency.median for _, _, latency in own if latency],
                "arrayminus": [latency.median - latency.low for _, _, latency in own if latency],
                "thickness": 1,
                "color": ORANGE,
            },
            orientation="h",
            name=name,
            showlegend=bool(own),
            marker={"color": colour},
            hovertext=[label(f"{variant.variant.name}: {variant.outcome}", 120) for _, variant, _ in own],
            hovertemplate="%{hovertext}, %{x:.4g} ms<extra></extra>",
        )
    ticks = {"tickvals": list(range(len(timed))), "ticktext": [label(variant.variant.name, 44) for variant in timed]}
    return apply_theme(
        figure,
        theme,
        height=max(200, 130 + 30 * len(timed)),
        barmode="overlay",
        xaxis={"title": {"text": "latency, ms per call"}, "rangemode": "tozero"},
        yaxis={**ticks, "autorange": "reversed"},
        annotations=[] if timed else [note("no other runtime or precision was tried")],
    )


def batches_figure(profile: ResourceProfile | None, theme: Theme = "neutral") -> go.Figure:
    """Latency and throughput by the number of rows in a call.

    Returns:
        Traces `ms per call`, `rows per second`.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    batches = profile.batches if profile else {}
    through = profile.throughput if profile else {}
    figure = go.Figure(make_subplots(rows=1, cols=2, horizontal_spacing=0.12))
    for column, name, colour, values in (
        (1, "ms per call", BLUE, [batch.median for batch in batches.values()]),
        (2, "rows per second", ORANGE, list(through.values())),
    ):
        figure.add_scatter(
            x=list(batches),
            y=values,
            mode="lines+markers",
            line={"color": colour},
            name=name,
            showlegend=False,
            hovertemplate=f"%{{x}} rows: %{{y:.4g}} {name}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_xaxes(**log_axis(batches), title="rows per call", row=1, col=column)
        figure.update_xaxes(tickvals=list(batches), ticktext=[str(rows) for rows in batches], row=1, col=column)
        figure.update_yaxes(title=name, rangemode="tozero", row=1, col=column)
    return apply_theme(
        figure, theme, height=300, annotations=[] if batches else [note("not measured: StudyModel.profile_resources()")]
    )

"""Figures of a model's errors: confusion matrix, calibration, and predicted against true values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.metric import share_interval

from .labels import label
from .theme import (
    BLUE,
    GREY,
    ORANGE,
    Theme,
    apply_theme,
    note,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 20  # classes shown: those with the most errors
# Opaque, so that the numbers on them are readable on any page.
RIGHT = [[0.0, "#cfe3f0"], [1.0, "#005f96"]]
WRONG = [[0.0, "#fbe3d1"], [1.0, "#b84f00"]]


def confusion_figure(analysis: ErrorAnalysis, theme: Theme = "neutral") -> go.Figure:
    """The confusion matrix: blue is correct, orange is wrong, darker is a larger share of the class.

    Returns:
        Traces `right`, `wrong`.
    """
    import plotly.graph_objects as go

    shown = shown_classes(analysis)
    place = {index: at for at, index in enumerate(shown)}
    names = [label(analysis.classes[index].label, 16) for index in shown]
    blank: list[list[Any]] = [[None] * len(shown) for _ in shown]
    shares = [[*row] for row in blank], [[*row] for row in blank]
    texts = [["" for _ in row] for row in blank], [["" for _ in row] for row in blank]
    for truth, answer, count in analysis.confusion:
        if truth in place and answer in place:
            y, x = place[truth], place[answer]
            shares[truth != answer][y][x] = math.sqrt(count / analysis.classes[truth].rows)  # makes small shares visible
            texts[truth != answer][y][x] = str(count)
    figure = go.Figure()
    for name, z, words, scale in zip(("right", "wrong"), shares, texts, (RIGHT, WRONG), strict=True):
        hints = [
            [f"true {names[y]}, predicted {names[x]}: {count}" for x, count in enumerate(row)] for y, row in enumerate(words)
        ]
        figure.add_heatmap(
            z=z,
            text=words,
            texttemplate="%{text}" if len(shown) <= MOST else "",
            hovertext=hints,
            hovertemplate="%{hovertext}<extra></extra>",
            colorscale=scale,
            zmin=0,
            zmax=1,
            showscale=False,
            name=name,
            xgap=2,
            ygap=2,
            textfont={"size": 12},
        )
    ticks = {"tickvals": list(range(len(shown))), "ticktext": names, "showgrid": False}
    return apply_theme(
        figure,
        theme,
        height=160 + 34 * max(len(shown), 4),
        xaxis={**ticks, "title": {"text": "predicted"}, "tickangle": -45 if len(shown) > 6 else 0},
        yaxis={**ticks, "title": {"text": "true"}, "autorange": "reversed"},
        annotations=[] if shown else [note("the model predicts a number")],
    )


def shown_classes(analysis: ErrorAnalysis) -> list[int]:
    """The classes shown, in order: all, or those with the most errors."""
    if len(analysis.classes) <= MOST:
        return list(range(len(analysis.classes)))
    missed = [row.rows + row.answered - 2 * row.right for row in analysis.classes]
    return sorted(sorted(range(len(missed)), key=lambda index: -missed[index])[:MOST])


def calibration_figure(analysis: ErrorAnalysis, theme: Theme = "neutral") -> go.Figure:
    """The share of correct predictions by confidence: above the line the model is underconfident, below overconfident.

    Returns:
        Traces `perfectly calibrated` (the diagonal), `rows` (bars), `the model` (points with 95 % intervals).
    """
    import plotly.graph_objects as go

    bins, most = analysis.calibration, max((band.rows for band in analysis.calibration), default=1)
    ends = [share_interval(band.right, band.rows) for band in bins]
    figure = go.Figure()
    line = {"color": GREY, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="perfectly calibrated", hoverinfo="skip")
    figure.add_bar(
        x=[(band.low + band.high) / 2 for band in bins],
        y=[0.25 * band.rows / most for band in bins],
        width=[band.high - band.low for band in bins],
        customdata=[band.rows for band in bins],
        marker={"color": GREY, "opacity": 0.35},
        name="rows",
        hovertemplate="%{customdata} rows<extra></extra>",
    )
    figure.add_scatter(
        x=[band.sure for band in bins],
        y=[band.right for band in bins],
        customdata=[band.rows for band in bins],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, high - band.right) for band, (_, high) in zip(bins, ends, strict=True)],
            "arrayminus": [max(0.0, band.right - low) for band, (low, _) in zip(bins, ends, strict=True)],
            "thickness": 1,
        },
        mode="lines+markers",
        line={"color": BLUE},
        marker={"size": 8},
        name="the model",
        hovertemplate="confidence %{x:.2f}, correct %{y:.2f} (%{customdata} rows)<extra></extra>",
    )
    return apply_theme(
        figure,
        theme,
        height=380,
        xaxis={"title": {"text": "predicted probability"}, "range": [0, 1.02]},
        yaxis={"title": {"text": "share of predictions that are correct"}, "range": [0, 1.05]},
        annotations=[] if bins else [note("the model predicts a number")],
    )


def residuals_figure(analysis: ErrorAnalysis, theme: Theme = "neutral") -> go.Figure:
    """Predicted against true values, and a histogram of the errors.

    Returns:
        Traces `perfect prediction` (the diagonal), `rows`, `error` (a histogram).
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    truth, predicted = [pair[0] for pair in analysis.pairs], [pair[1] for pair in analysis.pairs]
    ends = [min([*truth, *predicted], default=0.0), max([*truth, *predicted], default=1.0)]
    figure = go.Figure(make_subplots(rows=1, cols=2, horizontal_spacing=0.1, column_widths=[0.55, 0.45]))
    line = {"color": GREY, "dash": "dot"}
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line=line, name="perfect prediction", hoverinfo="skip", showlegend=False, row=1, col=1
    )
    figure.add_scatter(
        x=truth,
        y=predicted,
        mode="markers",
        marker={"color": BLUE, "size": 5, "opacity": 0.5},
        name="rows",
        showlegend=False,
        hovertemplate="true %{x:.4g}, predicted %{y:.4g}<extra></extra>",
        row=1,
        col=1,
    )
    differences = [answer - true for true, answer in analysis.pairs]
    figure.add_histogram(x=differences, marker={"color": ORANGE}, name="error", showlegend=False, nbinsx=40, row=1, col=2)
    target = label(analysis.target, 30)
    figure.update_xaxes(title=f"{target}, true", row=1, col=1)
    figure.update_yaxes(title=f"{target}, predicted", row=1, col=1)
    figure.update_xaxes(title="error: predicted minus true", row=1, col=2)
    figure.update_yaxes(title="rows", row=1, col=2)
    return apply_theme(figure, theme, height=380, annotations=[] if analysis.pairs else [note("the model predicts classes")])

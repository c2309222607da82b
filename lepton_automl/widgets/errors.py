"""The error analysis of a model: confusion matrix or residuals, and its worst predictions with their images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lepton_automl.error_analysis import ErrorAnalysis, Example
from lepton_automl.reporting.labels import clean, html_text

from .cells import cell
from .style import GREY

CLASSES = 12  # up to here a matrix is drawn; beyond, the most confused pairs are listed
ALL_RIGHT = '<p class="l-dim">Every prediction on these rows is correct.</p>'
BASE64 = re.compile(r"[A-Za-z0-9+/=]*")


def error_analysis_html(analysis: ErrorAnalysis) -> str:
    """The error analysis as HTML without scripts."""
    head = f"<h4>on {analysis.rows:,} {analysis.split} rows</h4>"
    if analysis.classes:
        wrong = _matrix(analysis) if analysis.confusion else _labels(analysis)
    else:
        wrong = _residuals(analysis.pairs) + _coverage(analysis)
    shown = f'<div class="l-examples">{"".join(map(_example, analysis.worst))}</div>'
    worst = f"<h4>worst predictions</h4>{shown if analysis.worst else ALL_RIGHT}"
    believed = f'<p class="l-dim">{html_text(analysis.calibration_verdict, 400)}</p>' if analysis.calibration_verdict else ""
    return f"{head}{wrong}{believed}{_regions(analysis)}{worst}"


def _matrix(analysis: ErrorAnalysis) -> str:
    """The confusion matrix: true classes by row, predicted by column; for many classes, the most confused pairs."""
    if len(analysis.classes) > CLASSES:
        rows = "".join(
            f"<tr><td>{html_text(truth, 40)}</td><td>{html_text(answer, 40)}</td><td>{count}</td></tr>"
            for truth, answer, count in analysis.confusions(10)
        )
        return f'<table class="l-plain"><tr><th>true class</th><th>predicted</th><th>rows</th></tr>{rows}</table>'
    names = [group.label for group in analysis.classes]
    counts = {(truth, answer): count for truth, answer, count in analysis.confusion}
    most = max((count for (truth, answer), count in counts.items() if truth != answer), default=1)
    head = "".join(f'<th title="{escape(clean(name))}">{html_text(name, 6)}</th>' for name in names)
    rows = "".join(
        f"<tr><th>{html_text(name, 12)}</th>"
        + "".join(_count(counts.get((truth, answer), 0), most, right=truth == answer) for answer in range(len(names)))
        + "</tr>"
        for truth, name in enumerate(names)
    )
    return f'<table class="l-matrix"><caption>rows: true class; columns: predicted class</caption><tr><td></td>{head}</tr>{rows}</table>'


def _labels(analysis: ErrorAnalysis) -> str:
    """The counts by label, where a row may have several; labels with the most errors first."""
    chosen = sorted(analysis.classes, key=lambda group: 2 * group.right - group.rows - group.answered)[:CLASSES]
    rows = "".join(
        f"<tr><td>{html_text(group.label, 40)}</td><td>{group.rows}</td><td>{group.answered}</td><td>{group.right}</td></tr>"
        for group in chosen
    )
    head = "<tr><th>label</th><th>rows</th><th>predicted</th><th>correct</th></tr>"
    return f'<table class="l-plain">{head}{rows}</table>'


def _coverage(analysis: ErrorAnalysis) -> str:
    """How many true values lie below each predicted quantile."""
    if not analysis.coverage:
        return ""
    rows = "".join(
        f"<tr><td>{100 * quantile:g} %</td><td>{100 * share:.1f} %</td></tr>" for quantile, share in analysis.coverage
    )
    return f'<table class="l-plain"><tr><th>quantile</th><th>true values below it</th></tr>{rows}</table>'


def _regions(analysis: ErrorAnalysis) -> str:
    """How large prediction sets or intervals are, by the requested coverage."""
    if not analysis.regions:
        return ""
    rows = "".join(
        f"<tr><td>{100 * region.level:g} %</td><td>{100 * region.covered:.1f} %</td><td>{region.size:.3g}</td></tr>"
        for region in analysis.regions
    )
    size = "labels per set" if analysis.classes else "width"
    return f'<table class="l-plain"><tr><th>coverage</th><th>truth covered</th><th>{size}</th></tr>{rows}</table>'


def _count(rows: int, most: int, *, right: bool) -> str:
    """A cell of the matrix: errors shaded by their count, correct predictions uncoloured."""
    shade = "" if right or not rows else f' style="background:rgba(213,94,0,{0.15 + 0.6 * rows / most:.2f})"'
    return f"<td{shade}>{f'<b>{rows}</b>' if right else rows or ''}</td>"


def _residuals(pairs: Sequence[tuple[float, float]]) -> str:
    """Predicted against true values; on the line they are equal."""
    if not pairs:
        return ""
    low, high = min(map(min, pairs)), max(map(max, pairs))
    room = (high - low) or 1.0
    dots = "".join(
        f'<circle cx="{10 + 200 * (truth - low) / room:.1f}" cy="{210 - 200 * (answer - low) / room:.1f}" r="2" fill="#0072B2" '
        'opacity=".5"/>'
        for truth, answer in pairs
    )
    return (
        '<svg role="img" aria-label="predicted against true values" viewBox="0 0 330 232" font-size="10" style="width:min(100%,330px)">'
        f'<line x1="10" y1="210" x2="210" y2="10" stroke="{GREY}"/>{dots}<text x="10" y="226">true value, {low:.3g} to {high:.3g}</text>'
        '<text x="216" y="20">predicted</text></svg>'
    )


def _example(example: Example) -> str:
    """An example: its image or cells, its true and its predicted value."""
    sure = "" if example.sure is None else f" ({example.sure:.0%})"
    caption = f"true: {html_text(cell(example.truth), 30)}, predicted: {html_text(cell(example.answer), 30)}{sure}"
    if example.picture and BASE64.fullmatch(example.picture):
        shown = f'<img alt="row {example.row}" src="data:image/png;base64,{example.picture}">'
    else:
        cells = "".join(
            f"<tr><th>{html_text(name, 24)}</th><td>{html_text(cell(value), 24)}</td></tr>"
            for name, value in example.cells.items()
        )
        shown = (
            f'<details><summary>row {example.row}</summary><table class="l-plain">{cells}</table></details>' if cells else ""
        )
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"

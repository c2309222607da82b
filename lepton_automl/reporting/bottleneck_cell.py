"""The bottleneck report for a notebook cell: a table with bars and no script, so that it is small and shown anywhere.

Styles are inline, as untrusted notebooks, and pages that show notebooks, strip all others.
"""

from __future__ import annotations

from collections.abc import Iterable

from lepton_automl.bottleneck import Bottleneck, Change, Row

from .bottleneck_rows import COLOURS, NAMES, OUTSIDE, outside, shown, shown_changes
from .labels import html_text
from .page import Html, paragraph, table

WIDE = 180  # pixels: length of the longest bar


def cell_html(bottleneck: Bottleneck) -> str:
    """The summary, the layers in order of execution, and the gains of changes."""
    rows = shown(bottleneck)
    others = outside(bottleneck, [row for row in bottleneck.layers if row not in rows])
    most = max([row.time.ms for row in rows] + list(others.values()))
    layers = [_layer(row, most) for row in rows] + [_other(name, ms, bottleneck, most) for name, ms in others.items()]
    head = ["layer", "operation", "µs per call", "share", "", "bound by"]
    sentences = Html("<br>".join(html_text(line, 1000) for line in bottleneck.text.splitlines()))
    more = "Interactive figure: .figure; standalone page with it: .save(path)."
    return f"<div>{paragraph(sentences)}{table(_left(head), layers)}{_changes(bottleneck)}{paragraph(more)}</div>"


def _layer(row: Row, most: float) -> list[Html]:
    binds = f"{NAMES[row.bound]}, at {100 * row.reach:.0f}\u00a0% of its limit"
    bar = _bar(row.time.ms / most, COLOURS[row.bound])
    return [*_left([row.time.layer, row.time.op]), *_took(row.time.ms, row.share), bar, *_left([binds])]


def _other(name: str, ms: float, bottleneck: Bottleneck, most: float) -> list[Html]:
    return [*_left([name]), Html(""), *_took(ms, ms / bottleneck.latency.median), _bar(ms / most, OUTSIDE), Html("")]


def _left(texts: Iterable[str]) -> list[Html]:
    """Left-aligned texts; notebooks right-align the cells of a table."""
    return [Html(f'<div style="text-align:left">{html_text(text)}</div>') for text in texts]


def _took(ms: float, share: float) -> tuple[Html, Html]:
    return _micro(ms), Html(f"{100 * share:.1f}\u00a0%")


def _micro(ms: float) -> Html:
    return Html(f"{1e3 * ms:.3g}")


def _bar(share: float, colour: str) -> Html:
    wide = max(1, round(WIDE * share))
    return Html(f'<div style="width:{wide}px;height:11px;background-color:{colour}"></div>')


def _changes(bottleneck: Bottleneck) -> Html:
    changes = shown_changes(bottleneck)
    head = [*_left(["gain of one change"]), "predicted, µs", "measured, µs"]
    return table(head, map(_change, changes)) if changes else Html("")


def _change(change: Change) -> list[Html]:
    measured = change.actual
    figures = f"{_micro(measured.median)} ({_micro(measured.low)} to {_micro(measured.high)})" if measured else ""
    return [*_left([change.what]), _micro(change.predicted_ms), Html(figures)]

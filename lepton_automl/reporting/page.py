"""Build a self-contained HTML page of text, tables and interactive figures that makes no network requests.

Everything that comes from data is escaped where it is inserted. In addition, the page's Content-Security-Policy (by digest)
only allows its own two scripts, and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .labels import clean, html_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

Cell = Any  # a number, a text, or `Html`
RIGHT, MARKED = ' class="number"', ' class="chosen"'
STYLE, SCRIPT = (Path(__file__).with_name(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))


class Html(str):
    """Text that is escaped markup already."""

    __slots__ = ()


def page(title: str, body: str, figures: Mapping[str, go.Figure]) -> str:
    """A whole page.

    Args:
        title: The page title.
        body: Markup, with a placeholder for each figure (see `plot`).
        figures: The figures by name.

    Returns:
        HTML (4.9 MB with figures, nearly all of it plotly.js, which is embedded once).
    """
    from plotly.offline import get_plotlyjs

    scripts = [get_plotlyjs(), SCRIPT] if figures else [SCRIPT]
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    # 'unsafe-eval' is for the code that plotly generates for WebGL; no other script is allowed.
    policy = f"default-src 'none'; script-src 'unsafe-eval' {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    data = "".join(
        f'<script type="application/json" id="data-{name}">{_json(figure)}</script>' for name, figure in figures.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(clean(title, 120))}</title><style>{STYLE}</style></head>"
        f"<body>{body}{data}{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _json(figure: go.Figure) -> str:
    text_json: str = figure.to_json()
    return text_json.replace("<", "\\u003c")


def plot(name: str, alt: str, caption: str = "") -> Html:
    """The placeholder of a figure.

    Args:
        name: The figure's name.
        alt: The alternative text.
        caption: How to read it.
    """
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(f'<figure><div class="plot" id="{name}" role="img" aria-label="{escape(alt)}"></div>{under}</figure>')


def section(name: str, title: str, *parts: str) -> Html:
    """A section with a heading; empty if it has no content."""
    content = "".join(part for part in parts if part)
    return Html(f'<section id="{name}"><h2>{escape(title)}</h2>{content}</section>') if content else Html("")


def paragraph(*sentences: str) -> Html:
    """A paragraph of sentences, each escaped unless it is markup."""
    inner = " ".join(text(sentence) for sentence in sentences if sentence)
    return Html(f"<p>{inner}</p>") if inner else Html("")


def bullet_list(items: Iterable[str]) -> Html:
    """A bulleted list."""
    entries = "".join(f"<li>{text(item)}</li>" for item in items if item)
    return Html(f"<ul>{entries}</ul>") if entries else Html("")


def table(
    head: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str = "", highlighted_row: int | None = None
) -> Html:
    """A table, with columns of numbers right-aligned.

    Args:
        head: The column names.
        rows: The cells.
        caption: What it shows.
        highlighted_row: The index of a row to highlight.
    """
    cells = [list(row) for row in rows]
    numbers = [all(_is_number(row[at]) or row[at] is None for row in cells) for at in range(len(head))]
    body = "".join(_row(row, numbers, chosen=number == highlighted_row) for number, row in enumerate(cells))
    titled = f"<caption>{escape(caption)}</caption>" if caption else ""
    names = "".join(f'<th scope="col"{RIGHT * number}>{text(name)}</th>' for name, number in zip(head, numbers, strict=True))
    return Html(
        f'<div class="scroll" tabindex="0"><table>{titled}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(row: Sequence[Cell], numbers: Sequence[bool], *, chosen: bool) -> str:
    cells = "".join(f"<td{RIGHT * number}>{text(cell)}</td>" for cell, number in zip(row, numbers, strict=True))
    return f"<tr{MARKED * chosen}>{cells}</tr>"


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def facts(pairs: Iterable[tuple[str, Cell]]) -> Html:
    """A description list of names and values; empty values are left out."""
    entries = "".join(
        f"<dt>{text(name)}</dt><dd>{text(known)}</dd>" for name, known in pairs if known is not None and known != ""
    )
    return Html(f"<dl>{entries}</dl>")


def code(source: str) -> Html:
    """A block of source code."""
    return Html(f"<pre><code>{escape(source)}</code></pre>")


def collapsible(title: str, *parts: str) -> Html:
    """A section that is collapsed at first."""
    return Html(f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>")


def text(value: Cell) -> str:
    """A value as markup: a number in few digits, a text escaped."""
    if isinstance(value, Html):
        return str(value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int | float):
        return number(value)
    return html_text(value, 400)


def number(value: float) -> str:
    """A number with four significant digits; large and whole numbers as integers."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e4 or value == int(value) else f"{value:.4g}"

"""Names from data, made harmless: they may be markup, run from right to left, hold control characters, or have no end."""

from __future__ import annotations

import unicodedata
from html import escape

JOINERS = "\u200c\u200d"  # of letters and of emoji; no other invisible mark is needed to read a word
MOST = 60  # characters of a name in a picture
MORE = "…"


def clean(text: object, most: int = MOST) -> str:
    """A name on one line and of bounded length, without what a reader cannot see.

    Args:
        text: The name; anything that has one.
        most: Characters at most.

    Returns:
        Text without control characters, marks that turn the direction of writing, and halves of characters. It is not
        escaped.
    """
    told = str(text)
    kept = told[: most + 1]
    if not (kept.isascii() and kept.isprintable()):
        kept = "".join(map(_visible, kept))
    return kept if len(told) <= most else kept[: most - 1].rstrip() + MORE


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in {"Zs", "Zl", "Zp"} or character in "\t\n\r":
        return " "
    if kind in {"Cc", "Cs", "Co", "Cn"}:
        return "\ufffd"
    return character if kind != "Cf" or character in JOINERS else ""


def label(text: object, most: int = MOST) -> str:
    """A name for a picture: plotly reads a little HTML in its texts, and dollars as mathematics where MathJax is loaded."""
    return escape(clean(text, most), quote=False).replace("$", "\uff04")


def tick(text: object, most: int = 14) -> str:
    """A name on an axis of parallel coordinates, where plotly reads no HTML: looked at as it is, whatever reads it."""
    return clean(text, most).translate({ord("<"): "\u2039", ord(">"): "\u203a", ord("&"): "+", ord("$"): "\uff04"})


def marked(text: object, most: int = 200) -> str:
    """A name for a page: escaped, and kept from turning the direction of what stands around it."""
    return f"<bdi>{escape(clean(text, most))}</bdi>"

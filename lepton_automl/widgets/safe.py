"""Texts of strangers, such as labels, column names and errors, made harmless before anything shows them."""

from __future__ import annotations

import math
import unicodedata
from html import escape
from typing import Any

LONG = 300  # characters, after which a text is cut
# Marks that turn the direction of what follows them: a label with one would turn the rest of its line around.
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
KEPT = frozenset("\n\t\u200d")  # lines, tabs, and what joins the parts of one emoji


def plain(text: Any, longest: int = LONG) -> str:
    """A text without what could do anything but be read; for widgets that show texts as they are.

    Control characters become the sign for an unknown one, marks that turn the direction go, and a long text is cut.

    Args:
        text: Anything; its `str`.
        longest: Characters that are kept.
    """
    told = str(text)
    cut = told[:longest] + "…" * (len(told) > longest)
    return "".join(_harmless(letter) for letter in cut)


def html(text: Any, longest: int = LONG) -> str:
    """The same for HTML: nothing in it is a tag, and text from right to left turns nothing around it."""
    return f'<bdi dir="auto">{escape(plain(text, longest))}</bdi>'


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if missing(value):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(value, 120)


def missing(value: Any) -> bool:
    """Whether there is nothing to show."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _harmless(letter: str) -> str:
    if letter in TURNING:
        return ""
    if letter in KEPT:
        return letter
    return "\ufffd" if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co"} else letter

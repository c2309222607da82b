"""Sanitize names from data, which may hold markup, right-to-left text or control characters, or be very long."""

from __future__ import annotations

from html import escape

from lepton_automl.texts import MORE, MOST, clean

__all__ = ["MORE", "MOST", "clean", "html_text", "label", "tick"]


def label(text: object, most: int = MOST) -> str:
    """A name in a figure: plotly interprets some HTML in texts, and dollar signs as mathematics if MathJax is loaded."""
    return escape(clean(text, most), quote=False).replace("$", "\uff04")


def tick(text: object, most: int = 14) -> str:
    """A name on an axis of parallel coordinates, where plotly does not decode HTML: special characters are replaced."""
    return clean(text, most).translate({ord("<"): "\u2039", ord(">"): "\u203a", ord("&"): "+", ord("$"): "\uff04"})


def html_text(text: object, most: int = 200) -> str:
    """A name in a page: escaped, and isolated from the text direction around it."""
    return f"<bdi>{escape(clean(text, most))}</bdi>"

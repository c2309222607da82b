"""Names from data, made harmless: they may be markup, run from right to left, hold control characters, or have no end."""

from __future__ import annotations

from html import escape

from lepton_automl.texts import MORE, MOST, clean

__all__ = ["MORE", "MOST", "clean", "html_text", "label", "tick"]


def label(text: object, most: int = MOST) -> str:
    """A name for a picture: plotly reads a little HTML in its texts, and dollars as mathematics where MathJax is loaded."""
    return escape(clean(text, most), quote=False).replace("$", "\uff04")


def tick(text: object, most: int = 14) -> str:
    """A name on an axis of parallel coordinates, where plotly reads no HTML: looked at as it is, whatever reads it."""
    return clean(text, most).translate({ord("<"): "\u2039", ord(">"): "\u203a", ord("&"): "+", ord("$"): "\uff04"})


def html_text(text: object, most: int = 200) -> str:
    """A name for a page: escaped, and kept from turning the direction of what stands around it."""
    return f"<bdi>{escape(clean(text, most))}</bdi>"

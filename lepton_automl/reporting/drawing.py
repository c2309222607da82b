"""What drawings without scripts are made of."""

from __future__ import annotations

import base64
import re
import struct

BASE64 = re.compile(r"[A-Za-z0-9+/=]+")


def svg_of(title: str, width: int, height: int, inner: str) -> str:
    """A drawing that fits the page's width and takes its colour."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" viewBox="0 0 {width} {height}" font-size="12" '
        f'font-family="system-ui,sans-serif" fill="currentColor" style="width:min(100%,{width}px)">{inner}</svg>'
    )


def drawn_picture(picture: str, width: int) -> tuple[str, int]:
    """A picture in a drawing, and its height there.

    Args:
        picture: A PNG in base64; anything else is not drawn.
        width: Its width in the drawing.
    """
    if not BASE64.fullmatch(picture):
        return "", width
    height = round(width * _tall(picture))
    return (
        f'<image width="{width}" height="{height}" preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{picture}"/>'
    ), height


def _tall(picture: str) -> float:
    """The height of a PNG in base64, relative to its width; 1 if it cannot be read."""
    try:
        wide, tall = struct.unpack(">II", base64.b64decode(picture)[16:24])
        return float(tall / wide)
    except (ValueError, struct.error, ZeroDivisionError):
        return 1.0

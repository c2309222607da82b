"""Thumbnails for reports and widgets."""

from __future__ import annotations

import base64
import io

import numpy as np

from lepton_automl.arrays import Array

SIDE = 128  # pixels of the longer side, at most


def picture(pixels: Array) -> str:
    """An image, uint8 [C, H, W], as a PNG in base64; a large image is scaled down."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()

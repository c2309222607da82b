"""One random operation for each image, of a random strength (Müller and Hutter, TrivialAugment, ICCV 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array

GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
COLOURS = ("brightness", "contrast", "saturation", "sharpness", "posterize", "solarize", "autocontrast")


def draw_operations(rows: int, largest: float, names: Sequence[str], rng: np.random.Generator) -> dict[str, Array]:
    """Draw an operation for each image, or none, all equally likely.

    Args:
        rows: The number of images.
        largest: The largest strength, up to 1.
        names: The operations to draw from.
        rng: The random generator.

    Returns:
        By operation, its signed strength in each image, float32 [N]; 0 where it was not drawn.
    """
    strengths = np.zeros((len(names) + 1, rows), np.float32)  # the last one stands for no operation
    strengths[rng.integers(0, len(names) + 1, rows), np.arange(rows)] = rng.uniform(-largest, largest, rows)
    return dict(zip(names, strengths, strict=False))

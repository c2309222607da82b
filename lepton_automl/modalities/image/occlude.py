"""Regions of images, covered with the mean pixel of the training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array

CELLS = 7  # a side of the grid of regions, at most
AROUND = 0.5  # of a cell's side, which is covered around it: less would leave most answers as they are


def grid_of(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of the grid of regions.

    Args:
        shape: (channels, height, width) of the images.
    """
    return min(CELLS, shape[1]), min(CELLS, shape[2])


def cell_names(grid: tuple[int, int]) -> tuple[str, ...]:
    """The names of the cells of a grid, row by row."""
    rows, columns = grid
    return tuple(f"row {row}, column {column}" for row in range(1, rows + 1) for column in range(1, columns + 1))


def uncovered(image: Array, covers: Array, known: Array) -> Array:
    """Covers with some cells of an image in their places; the cells do not overlap.

    Args:
        image: [C, H, W].
        covers: One for each result, [M, C, H, W].
        known: Which cells are those of the image, row by row, bool [M, cells].
    """
    rows, columns = grid_of(image.shape)
    each = known.reshape(len(known), rows, columns)
    of_row = np.arange(image.shape[1]) * rows // image.shape[1]
    of_column = np.arange(image.shape[2]) * columns // image.shape[2]
    shown = each[:, of_row][:, :, of_column]
    return np.where(shown[:, None], image, covers)


def occluded(images: Array, pixel: Sequence[float], cells: Sequence[int]) -> Array:
    """Images with some regions covered: each a rectangle of twice a cell's sides, around the cell; smaller at the border.

    Args:
        images: uint8 [N, C, H, W].
        pixel: The colour, by channel, 0 to 255.
        cells: Indices of the cells, row by row.
    """
    covered = images.copy()
    colour = np.rint(pixel).astype(images.dtype)[:, None, None]
    rows, columns = grid_of(images.shape[1:])
    for cell in cells:
        top, bottom = _ends(cell // columns, rows, images.shape[2])
        left, right = _ends(cell % columns, columns, images.shape[3])
        covered[:, :, top:bottom, left:right] = colour
    return covered


def _ends(cell: int, cells: int, side: int) -> tuple[int, int]:
    """The first pixel that is covered, and the one after the last."""
    low, high = (cell - AROUND) * side / cells, (cell + 1 + AROUND) * side / cells
    return max(0, round(low)), min(side, round(high))

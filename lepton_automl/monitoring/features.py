"""The features of a model's input arrays that are watched: columns as they are, and statistics of anything larger.

A modality that knows more about its rows should say so itself; this is what is watched of any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lepton_automl.arrays import Array

MOST_COLUMNS = 200  # of an array that are watched one by one
BLOCKS = 3  # parts of each of the last two axes whose means are watched
QUANTILES = (0.05, 0.5, 0.95)


def watched_features(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The watched features of rows as a network gets them.

    Args:
        arrays: The input arrays by name, each [N, ...].

    Returns:
        By name, float64 [N] each: the columns of an array with up to `MOST_COLUMNS` values per row. Of a larger array, which may be
        a picture or a signal: the mean, the spread and some quantiles of its values, how much neighbours differ along each axis,
        and the means of blocks of the last two axes.
    """
    features: dict[str, Array] = {}
    for name, array in arrays.items():
        prefix = f"{name} " if len(arrays) > 1 else ""
        rows = np.asarray(array, np.float64)
        flat = rows.reshape(len(rows), -1)
        if rows.ndim <= 2 and flat.shape[1] <= MOST_COLUMNS:
            features |= {f"{prefix}{place}": flat[:, place] for place in range(flat.shape[1])}
        else:
            features |= {prefix + what: values for what, values in _statistics(rows, flat).items()}
    return features


def _statistics(rows: Array, flat: Array) -> dict[str, Array]:
    found = {"mean": flat.mean(1), "spread": flat.std(1)}
    quantiles = np.quantile(flat, QUANTILES, axis=1)
    found |= {f"quantile {share:g}": values for share, values in zip(QUANTILES, quantiles, strict=True)}
    for axis in range(1, rows.ndim):
        if rows.shape[axis] > 1:
            steps = np.abs(np.diff(rows, axis=axis)).reshape(len(rows), -1).mean(1)
            found[f"steps along axis {axis}"] = steps
            found[f"relative steps along axis {axis}"] = steps / (found["spread"] + 1e-9)
    return found | _block_means(rows)


def _block_means(rows: Array) -> dict[str, Array]:
    """The means of blocks of the two longest axes, relative to the row's mean and spread: where the values lie."""
    longest = sorted(range(1, rows.ndim), key=lambda axis: -rows.shape[axis])[:2]
    if min(rows.shape[axis] for axis in longest) < BLOCKS:
        return {}
    others = tuple(axis for axis in range(1, rows.ndim) if axis not in longest)
    plane = rows.mean(others) if others else rows
    plane = plane.reshape(len(rows), plane.shape[1], -1)
    scaled = (plane - plane.mean((1, 2), keepdims=True)) / (plane.std((1, 2), keepdims=True) + 1e-9)
    found: dict[str, Array] = {}
    for place, part in enumerate(np.array_split(scaled, BLOCKS, axis=1)):
        blocks = [part] if scaled.shape[2] < BLOCKS else np.array_split(part, BLOCKS, axis=2)
        found |= {f"block {place + 1}.{other + 1}": block.mean((1, 2)) for other, block in enumerate(blocks)}
    return found

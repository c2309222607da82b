"""No key supplies more than a stated share of the rows that choose or train a champion."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.errors import ConfigError

LARGEST_SHARE = 0.5


def limited_rows(keys: Array, share: float = LARGEST_SHARE, seed: int = 0) -> Array:
    """Rows to use, so that no key has more than its share of them; all rows if there is one key.

    Args:
        keys: Who reported each row, [N].
        share: The largest share of a key.
        seed: What decides which of a key's rows are left out.

    Returns:
        As many rows as possible, int64, in their order. With few keys and a small share none may remain: three keys cannot each
        have at most a quarter.

    Raises:
        ConfigError: The share is not between 0 and 1.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share is {share!r}; it must be more than 0 and at most 1", where="limited_rows", fix="Use 0.5.")
    _, owner, counts = np.unique(np.asarray(keys, str), return_inverse=True, return_counts=True)
    if len(counts) <= 1:
        return np.arange(len(keys))
    most = _most_of_a_key(counts, share)
    rng = np.random.default_rng(seed)
    kept = [np.flatnonzero(owner == key) for key in range(len(counts))]
    return np.sort(np.concatenate([rng.permutation(rows)[:most] for rows in kept]))


def _most_of_a_key(counts: Array, share: float) -> int:
    """The largest cap on each key's rows at which no key has more than its share of what remains."""
    low, high = 0, int(counts.max())
    while low < high:  # if a cap is too large, so is every larger one that some key still fills
        most = (low + high + 1) // 2
        kept = np.minimum(counts, most)
        if kept.max() <= share * kept.sum():
            low = most
        else:
            high = most - 1
    return low

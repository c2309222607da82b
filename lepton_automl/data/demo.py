"""Sample data that need no download."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """The 1,797 handwritten digits of scikit-learn (UCI, Alpaydin and Kaynak 1998).

    Returns:
        Images float64 [1797, 8, 8] from 0 to 16, and labels int64 [1797] from 0 to 9.
    """
    from sklearn.datasets import load_digits

    dataset = load_digits()
    return dataset.images, dataset.target

"""Data that a worker keeps open between trials."""

from __future__ import annotations

import functools

from lepton_automl.data.open import Data, open_data
from lepton_automl.specs import DataSpec

OPEN = 3  # forms of a study's data that are kept open, such as images in several sizes


@functools.lru_cache(maxsize=OPEN)
def cached_data(spec: DataSpec) -> Data:
    """A study's data; the last ones opened are cached."""
    return open_data(spec)

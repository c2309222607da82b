"""Data that a worker keeps open between trials."""

from __future__ import annotations

import functools

from lepton_automl.data.open import Data, open_data
from lepton_automl.specs import DataSpec


@functools.lru_cache(maxsize=1)
def cached_data(spec: DataSpec) -> Data:
    """A study's data; the last one opened is cached."""
    return open_data(spec)

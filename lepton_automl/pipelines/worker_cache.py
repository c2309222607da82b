"""What a worker keeps open: a study's data between its trials."""

from __future__ import annotations

import functools

from lepton_automl.data.open import Data, open_data
from lepton_automl.specs import DataSpec


@functools.lru_cache(maxsize=1)
def cached_data(spec: DataSpec) -> Data:
    """A study's data, kept open between a worker's trials."""
    return open_data(spec)

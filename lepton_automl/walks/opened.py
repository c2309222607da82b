"""What a worker keeps open: a study's data between its trials, the gate for as long as a walk takes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from lepton_automl.data.open import Data, open_data
from lepton_automl.gate import Gate
from lepton_automl.values import DataSpec


@functools.lru_cache(maxsize=1)
def opened_data(spec: DataSpec) -> Data:
    """A study's data, kept open between a worker's trials."""
    return open_data(spec)


@contextmanager
def opened_gate(path: str) -> Iterator[Gate]:
    """A gate for as long as a walk takes."""
    gate = Gate(path)
    try:
        yield gate
    finally:
        gate.close()

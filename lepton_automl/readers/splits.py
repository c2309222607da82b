"""Several sources by their split, such as Hugging Face's `DatasetDict`, or `{"train": ..., "test": ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.data.reading import is_pair
from lepton_automl.data.sources import read_source
from lepton_automl.data.split_column import ROLE_NAMES
from lepton_automl.data.splits import TRAIN
from lepton_automl.errors import DataError
from lepton_automl.source import ReadRequest

from .parts import joined


class SplitsReader:
    """Reads each split, and puts them together."""

    name = "splits"
    accepts = "sources by their split, {'train': ..., 'test': ...}"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is a mapping with a training split whose values are no columns."""
        del request
        if not isinstance(source, Mapping) or not any(ROLE_NAMES.get(str(name).lower()) == TRAIN for name in source):
            return False
        return not any(_is_column(part) for part in source.values())

    def read(self, source: Any, request: ReadRequest) -> Any:
        """One source that knows the split of each example.

        Raises:
            DataError: A name is no split, two name the same one, or the parts do not fit together.
        """
        where = "data"
        if not request.labelled:
            what = f"it holds several splits: {', '.join(map(str, source))}"
            raise DataError(what, where=where, fix="Pass one of them, such as data['test'].")
        unknown = [name for name in source if str(name).lower() not in ROLE_NAMES]
        if unknown:
            fix = "Name them train, validation and test; or pass one of them, and another as test=."
            raise DataError(f"{', '.join(map(repr, unknown))} does not name a split", where=where, fix=fix)
        roles = [ROLE_NAMES[str(name).lower()] for name in source]
        if len(set(roles)) < len(roles):
            raise DataError(f"two name the same split: {', '.join(map(str, source))}", where=where, fix="Keep one of each.")
        parts = [read_source(part, request) for part in source.values()]
        return joined(list(zip(parts, roles, strict=True)), where, request)


def _is_column(part: Any) -> bool:
    """Whether it is a column of a table rather than a source of its own."""
    if isinstance(part, str | Path) or is_pair(part):
        return False
    return isinstance(part, list | tuple | np.ndarray | int | float) or getattr(part, "ndim", 0) == 1

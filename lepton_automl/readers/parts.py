"""Splits that a source gives one by one, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import objects
from lepton_automl.data.reading import as_array, is_pair, is_table_path, read_table, table_of_arrays, target_cells
from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.errors import DataError
from lepton_automl.source import Items, ReadRequest

SPLIT = "split"  # the column that names the split of a table's rows
WORDS = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}
TARGET = "target"


def joined(parts: Sequence[tuple[Any, int]], where: str, request: ReadRequest) -> Any:
    """Sources of one kind as one source that knows the split of each example.

    Args:
        parts: DataFrames, pairs `(X, y)` or `Items`, each with its role; OPEN for a source without splits.
        where: The source, for messages.
        request: May name the target.

    Raises:
        DataError: They are of different kinds, or do not fit together.
    """
    if len(parts) == 1:
        return parts[0][0]
    parts = [(_opened(part), role) for part, role in parts]
    if any(role == OPEN for _, role in parts):
        raise DataError("some of its parts belong to a split, and others do not", where=where, fix="Name the split of each.")
    unsupported = next((part for part, _ in parts if isinstance(part, str | Path)), None)
    if unsupported is not None:
        what = f"{str(unsupported)!r} as one of several splits is not supported"
        raise DataError(what, where=where, fix="Pass the training data alone, and the test data as test=.")
    roles = np.concatenate([np.full(_length(part), role, np.int8) for part, role in parts])
    if not ((roles == VALIDATION).any() and (roles == TEST).any()):
        roles = np.where(roles == TRAIN, OPEN, roles).astype(np.int8)  # the missing split is taken from the training rows
    sources = [part for part, _ in parts]
    if all(isinstance(part, Items) for part in sources):
        return _items(sources, roles)
    if all(is_pair(part) for part in sources) and as_array(sources[0][0]).ndim > 2:
        arrays = [as_array(X) for X, _ in sources]
        if len({array.shape[1:] for array in arrays}) > 1:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise DataError(f"the splits differ in shape: {shapes}", where=where, fix="Resize them to one size.")
        labels = np.concatenate([target_cells(y).reshape(-1) for _, y in sources])
        return Items(items=np.concatenate(arrays), labels=labels, roles=roles, where=where)
    return _frame([_as_frame(part, request, where) for part in sources], [WORDS[role] for _, role in parts], where)


def _opened(part: Any) -> Any:
    """A table's file as a DataFrame."""
    return read_table(Path(part)) if isinstance(part, str | Path) and is_table_path(Path(part)) else part


def _length(part: Any) -> int:
    return len(part[0]) if is_pair(part) else len(part)


def _items(parts: Sequence[Items], roles: Array) -> Items:
    arrays = [part.items for part in parts if isinstance(part.items, np.ndarray)]
    stacks = len(arrays) == len(parts) and len({array.shape[1:] for array in arrays}) == 1
    return Items(
        items=np.concatenate(arrays) if stacks else Together([part.items for part in parts]),
        labels=objects([label for part in parts if part.labels is not None for label in part.labels.tolist()]),
        roles=roles,
        target=parts[0].target,
        where=parts[0].where,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


class Together(Sequence[Any]):
    """Several sequences as one; nothing is copied.

    Args:
        parts: The sequences.
    """

    def __init__(self, parts: Sequence[Sequence[Any] | Array]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, at: Any) -> Any:
        for part in self._parts:
            if at < len(part):
                return part[at]
            at -= len(part)
        raise IndexError(at)


def _as_frame(part: Any, request: ReadRequest, where: str) -> Any:
    if is_pair(part):
        return table_of_arrays(part[0], part[1], request.target[0] if len(request.target) == 1 else TARGET)
    if hasattr(part, "iloc") and hasattr(part, "columns"):
        return part
    kind = type(part).__name__
    raise DataError(f"a {kind} as one of several splits is not supported", where=where, fix="Pass it alone, and test=.")


def _frame(frames: Sequence[Any], words: Sequence[str], where: str) -> Any:
    """Tables one below the other, with a column that names their split."""
    import pandas as pd

    if any(SPLIT in frame.columns for frame in frames):
        fix = f"Rename it, or pass one table with split_column={SPLIT!r}."
        raise DataError(f"a table of a split has a column {SPLIT!r}", where=where, fix=fix)
    names = set(frames[0].columns)
    other = next((word for frame, word in zip(frames, words, strict=True) if set(frame.columns) != names), None)
    if other is not None:
        raise DataError(
            f"the columns of {other!r} are not those of {words[0]!r}", where=where, fix="Give all the same columns."
        )
    return pd.concat([frame.assign(**{SPLIT: word}) for frame, word in zip(frames, words, strict=True)], ignore_index=True)

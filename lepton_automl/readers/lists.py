"""Lists: of rows, of files or pictures with their labels, and of pairs of an example and its label."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.data.reading import as_array, is_pair, target_cells
from lepton_automl.errors import DataError
from lepton_automl.source import Items, ReadRequest
from lepton_automl.texts import many

from .gather import Gatherer

MEDIA = ("image/", "audio/", "video/")  # kinds of files that are examples by themselves
AXES = 2  # of an image at least
LONGEST_NAME = 1024
FIRST = 20  # examples that are looked at
FEWEST_PAIRS = 3  # a list of two may be a pair (X, y)


class ListReader:
    """Converts lists to `Items`, arrays or a DataFrame."""

    name = "list"
    accepts = "a list of files, pictures or rows"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is a list of rows, of examples with labels, or a pair of examples and labels; never in a prediction."""
        if not request.labelled:
            return False
        if is_pair(source) and _are_single(source[0]):
            return all(map(is_item, _first(source[0])))
        if not isinstance(source, list) or not source:
            return False
        return isinstance(source[0], Mapping) or _are_pairs(source) or _are_unlabelled(source)

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The examples with their labels.

        Raises:
            DataError: There are no labels or another number of them, or too many examples for the memory.
        """
        if _are_unlabelled(source):
            what = f"{len(source):,} examples are given without labels"
            raise DataError(what, where="the list", fix="Pass their labels as well: fit(files, labels).")
        if isinstance(source, list) and (isinstance(source[0], Mapping) or _are_pairs(source)):
            gatherer = Gatherer("the list", request, len(source))
            for example in source:
                gatherer.add(example)
            return gatherer.result()
        items, labels = list(source[0]), target_cells(source[1])
        if len(items) != len(labels):
            what = f"{many(len(items), 'example')} and {many(len(labels), 'label')}"
            raise DataError(what, where="(X, y)", fix="Give one label per example.")
        if all(getattr(item, "ndim", 0) for item in items):
            arrays = [as_array(item) for item in items]
            if len({array.shape for array in arrays}) == 1:
                return np.stack(arrays), source[1]
            items = arrays
        return Items(items=items, labels=labels.reshape(-1), where="the list")


def _are_single(examples: Any) -> bool:
    """Whether examples are given one by one, rather than as one array, table or file."""
    kind = getattr(getattr(examples, "dtype", None), "kind", "")
    listed = isinstance(examples, list | tuple) or (kind in {"O", "U"} and getattr(examples, "ndim", 0) == 1)
    return listed and len(examples) > 0


def _first(examples: Any) -> list[Any]:
    return list(examples.iloc[:FIRST] if hasattr(examples, "iloc") else examples[:FIRST])


def _are_unlabelled(source: Any) -> bool:
    """Whether it lists files or Pillow images, and nothing else."""
    return isinstance(source, list) and all(not hasattr(item, "ndim") and is_item(item) for item in source)


def _are_pairs(source: list[Any]) -> bool:
    return len(source) >= FEWEST_PAIRS and all(
        isinstance(pair, tuple) and len(pair) == 2 and is_item(pair[0]) for pair in source
    )


def is_item(item: Any) -> bool:
    """Whether something is an example by itself: a file or its content, a Pillow image, or an array of an image."""
    if isinstance(item, Path | bytes) or hasattr(item, "getbands"):
        return True
    if isinstance(item, str):
        kind = mimetypes.guess_type(item)[0] if len(item) < LONGEST_NAME else None
        return kind is not None and kind.startswith(MEDIA)
    return getattr(item, "ndim", 0) >= AXES

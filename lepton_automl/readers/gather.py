"""Examples that come one by one, or batch by batch, gathered in memory: up to a limit, which is documented and tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import objects
from lepton_automl.data.reading import as_array, target_cells
from lepton_automl.errors import DataError, in_one_line
from lepton_automl.memory import available
from lepton_automl.source import Items, ReadRequest
from lepton_automl.unpacked import MEMORY_SHARE

MOST_EXAMPLES = 1_000_000  # of a source that does not say how many it has
COPIES = 2  # of an example in memory, until the data are prepared
CHECKED_EVERY = 1_000  # examples between two looks at the free memory
SMALL = 100  # bytes of an example that does not say how large it is
LABELS = ("label", "labels", "target", "targets", "class", "category", "y", "fine_label")  # usual names, the most usual first
AXES = 2  # of an image at least
SHORTER = "Pass fewer examples, or write them to files (a folder per class, or a table) and pass these."


class Gatherer:
    """Gathers examples.

    Args:
        where: The source, for messages.
        request: May name the target.
        total: How many examples there will be; None if it is not known.
    """

    def __init__(self, where: str, request: ReadRequest, total: int | None = None) -> None:
        self.where, self._request, self._total = where, request, total
        self.inputs: list[Any] = []
        self.labels: list[Any] = []
        self._bytes, self._target = 0, ""

    def add(self, example: Any) -> None:
        """Add an example: a pair (x, y), x alone, or a mapping of columns.

        Raises:
            DataError: There are too many, or they do not fit into memory.
        """
        inputs, label = self._parted(example)
        self.inputs.append(inputs)
        self.labels.append(label)
        self._bytes += _size(inputs)
        count = len(self.inputs)
        if self._total is None and count > MOST_EXAMPLES:
            what = f"it gave {count:,} examples and does not say how many follow; at most {MOST_EXAMPLES:,} are read"
            raise DataError(what, where=self.where, fix=SHORTER)
        if count in (1, 10, 100) or count % CHECKED_EVERY == 0:
            whole = self._bytes * max(1.0, (self._total or 0) / count) * COPIES
            if whole > MEMORY_SHARE * (free := available()):
                what = f"its examples need about {whole / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free"
                raise DataError(what, where=self.where, fix=SHORTER)

    def add_batch(self, batch: Any) -> None:
        """Add the examples of a batch: a pair of arrays, an array, or a mapping of columns.

        Raises:
            DataError: As for `add`; or the parts of a batch are not equally long.
        """
        if isinstance(batch, Mapping):
            names, columns = list(batch), [_rows(part) for part in batch.values()]
            examples: Iterable[Any] = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=False))
        elif isinstance(batch, tuple | list):
            columns = [_rows(part) for part in batch]
            examples = zip(*columns, strict=False)
        else:
            columns = [_rows(batch)]
            examples = columns[0]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise DataError(f"the parts of a batch have {lengths} rows", where=self.where, fix="Give pairs (inputs, targets).")
        for example in examples:
            self.add(example)

    def result(self) -> Any:
        """All examples, as a pair `(X, y)`, a DataFrame or `Items`; in a prediction, without labels.

        Raises:
            DataError: There are none, or they have no labels though they are needed.
        """
        if not self.inputs:
            raise DataError("it holds no examples", where=self.where, fix="Pass a source with examples.")
        if isinstance(self.inputs[0], Mapping):
            import pandas as pd

            return pd.DataFrame(self.inputs)
        stacked = _stacked(self.inputs)
        if not self._request.labelled:
            return Items(items=self.inputs, labels=None, where=self.where) if stacked is None else stacked
        if any(label is None for label in self.labels):
            fix = "Let it give pairs (input, label), or pass arrays as (X, y)."
            raise DataError("its examples have no labels", where=self.where, fix=fix)
        labels = _labels(self.labels)
        if stacked is not None and stacked.ndim <= AXES:
            return stacked, labels
        items: Sequence[Any] | Array = self.inputs if stacked is None else stacked
        return Items(items=items, labels=labels, target=self._target, where=self.where)

    @contextmanager
    def reading(self, fix: str) -> Iterator[None]:
        """Within this context, errors of the user's own code are those of the example that is read.

        Args:
            fix: What to do about them.

        Raises:
            DataError: An example cannot be read.
        """
        try:
            yield
        except DataError:
            raise
        except Exception as error:
            what = f"example {len(self.inputs):,} cannot be read: {in_one_line(error)}"
            raise DataError(what, where=self.where, fix=fix) from error

    def _parted(self, example: Any) -> tuple[Any, Any]:
        """An example's input and label; a mapping of one image and a label likewise."""
        if isinstance(example, Mapping):
            return self._columns(example)
        kinds: tuple[type, ...] = (list,) if self._request.labelled else (list, tuple)
        if isinstance(example, kinds):
            cells: list[Any] = [*example]  # type: ignore[misc]  # a list or a tuple
            if all(map(_is_scalar, cells)):
                return cells, None  # a row of cells, not a pair
        if isinstance(example, tuple | list):
            if len(example) == 1:
                return self._checked(example[0]), None
            return self._checked(example[0]), example[1] if self._request.labelled else None
        return self._checked(example), None

    def _columns(self, example: Mapping[Any, Any]) -> tuple[Any, Any]:
        pictures = [name for name, part in example.items() if _is_picture(part)]
        if not pictures:
            return {str(name): _cell(part) for name, part in example.items()}, None
        if len(pictures) > 1:
            fix = "Keep one of them and the label."
            raise DataError(f"an example has several inputs: {', '.join(map(str, pictures))}", where=self.where, fix=fix)
        if not self._request.labelled:
            return example[pictures[0]], None
        name = label_column([str(name) for name in example if name not in pictures], self._request.target, self.where)
        self._target = name
        return example[pictures[0]], _cell(example[name])

    def _checked(self, inputs: Any) -> Any:
        if isinstance(inputs, tuple | dict) or (isinstance(inputs, list) and any(_is_picture(part) for part in inputs)):
            fix = "Networks here take one input: let each example be a pair (input, label)."
            raise DataError("an example has several inputs", where=self.where, fix=fix)
        return as_array(inputs) if hasattr(inputs, "detach") else inputs


def label_column(names: Sequence[str], target: Sequence[str], where: str) -> str:
    """The column that holds the labels: the named one, one with a usual name, or the only one.

    Raises:
        DataError: It is unclear which one it is, or there is none.
    """
    if len(target) > 1:
        raise DataError("several columns are named as the target", where=where, fix="Name one column of lists of labels.")
    if target:
        if target[0] not in names:
            raise DataError(f"there is no column {target[0]!r}", where=where, fix=f"Columns: {', '.join(names) or 'none'}.")
        return target[0]
    usual = [name for name in LABELS if name in names]
    if usual or len(names) == 1:
        return usual[0] if usual else names[0]
    what = "several columns could be the label" if names else "no column holds labels"
    raise DataError(what, where=where, fix=f"Set target to one of: {', '.join(names)}." if names else "Add one.")


def _is_scalar(part: Any) -> bool:
    return part is None or isinstance(part, int | float | np.number)


def _is_picture(part: Any) -> bool:
    return hasattr(part, "getbands") or getattr(part, "ndim", 0) >= AXES


def _cell(part: Any) -> Any:
    """A label or a cell as a Python value."""
    if hasattr(part, "detach"):
        part = as_array(part)
    if isinstance(part, np.ndarray) and part.ndim == 0:
        part = part[()]
    return part.decode() if isinstance(part, bytes) else part.item() if isinstance(part, np.generic) else part


def _rows(part: Any) -> Any:
    """The rows of a batch's part."""
    return as_array(part) if hasattr(part, "detach") else part


def _size(inputs: Any) -> int:
    if isinstance(inputs, Mapping):
        return sum(map(_size, inputs.values()))
    if hasattr(inputs, "getbands"):
        return int(inputs.width * inputs.height * len(inputs.getbands()))
    return int(getattr(inputs, "nbytes", 0)) or (len(inputs) if isinstance(inputs, bytes | str) else SMALL)


def _stacked(inputs: list[Any]) -> Array | None:
    """Arrays of one shape as one array; None for other examples."""
    if all(isinstance(part, int | float | np.number) for part in inputs):
        return np.array(inputs)[:, None]
    if all(isinstance(part, list) for part in inputs):  # rows of numbers
        inputs = [as_array(part) for part in inputs]
    if not all(isinstance(part, np.ndarray) for part in inputs) or len({part.shape for part in inputs}) > 1:
        return None
    return np.stack(inputs)


def _labels(labels: list[Any]) -> Any:
    cells = [_cell(label) for label in labels]
    if all(isinstance(cell, np.ndarray) for cell in cells) and len({cell.shape for cell in cells}) == 1:
        return target_cells(np.stack(cells))
    first = cells[0]
    return (
        np.array(cells)
        if all(type(cell) is type(first) for cell in cells) and not isinstance(first, list | tuple)
        else objects(cells)
    )

"""Rows of a table as a network's arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.cells import objects
from lepton_automl.errors import InputError
from lepton_automl.modalities.table.preprocess.columns import _COLUMNS, CategoryColumn, Column, NumberColumn

from .files import read_rows

BATCH_AXES = 2
TAKES = "a CSV, Parquet, Feather, Excel or JSON Lines file, one row as JSON, or arrays in a .npy or .json file"
CELL_CHARACTERS = 80  # of a cell that are shown
MOST_SHOWN = 3  # columns in one warning
FEW_ROWS = 32  # up to this many, a loop in Python is faster than whole columns in NumPy


class TablePreprocess:
    """Converts rows of a table to `{"numeric": float32 [N, F], "categorical": int64 [N, G]}`; an empty part is left out.

    The features to embed, one of every column of numbers or dates, come first; the plain features follow.

    Args:
        columns: The columns that the model reads, in order.
        output: What the model predicts: `task`, `target` and `classes`.
    """

    def __init__(self, columns: Sequence[Column], output: Json) -> None:
        self.columns, self.output = tuple(columns), output
        self._numbers = len(self.features)
        self._outside: list[tuple[str, float, float, float]] = []
        self._warned: set[str] = set()
        self._categorical = [column for column in self.columns if isinstance(column, CategoryColumn)]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> list[str]:
        """Names of the numeric features, in order."""
        embedded = [feature for column in self.columns for feature in column.features[: column.embedded]]
        return embedded + [feature for column in self.columns for feature in column.features[column.embedded :]]

    @property
    def plain(self) -> int:
        """Number of numeric features, the last ones, that are not embedded."""
        return len(self.features) - sum(column.embedded for column in self.columns)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each categorical column."""
        return tuple(column.cardinality for column in self._categorical)

    def to_json(self) -> Json:
        """The preprocessing as JSON."""
        columns = [column.to_json() for column in self.columns]
        return {"input": {"modality": "table", "columns": columns}, "output": self.output}

    @classmethod
    def from_json(cls, data: Json) -> TablePreprocess:
        """The preprocessing from its JSON."""
        preprocess = cls([_COLUMNS[column["kind"]].from_json(column) for column in data["input"]["columns"]], data["output"])
        for column in preprocess.columns:
            if isinstance(column, NumberColumn):
                column.outside = preprocess._outside
        return preprocess

    def arrays(self, raw: Any) -> dict[str, Array]:
        """The network's input arrays.

        Args:
            raw: One row (a dict, a Series, a flat sequence of cells in the order of `columns`) or many: a list of
                rows, a DataFrame, a dict of columns, an array [N, columns]. Columns that the model does not know are
                ignored.

        Warns:
            UserWarning: A column holds a number far outside the training range for the first time; it is clipped.

        Raises:
            InputError: A column is missing, a cell cannot be read as its column's kind, or a number is infinite.
        """
        arrays = self._arrays(raw)
        if self._outside:
            self._warn_outside()
        return arrays

    def _arrays(self, raw: Any) -> dict[str, Array]:
        rows = self._as_rows(raw)
        if rows is not None and len(rows) <= FEW_ROWS:
            return self._few([self._cells(row) for row in rows])
        columns = self._as_columns(raw) if rows is None else self._gather(rows)
        if len(columns[0]) <= FEW_ROWS:
            return self._few(list(zip(*columns, strict=True)))
        return self._many(columns)

    def _warn_outside(self) -> None:
        """Warn of columns with numbers far outside the training range, each only once."""
        new = {name: rest for name, *rest in self._outside if name not in self._warned}
        self._outside.clear()
        self._warned.update(new)
        if not new:
            return
        numeric = sum(isinstance(column, NumberColumn) for column in self.columns)
        shown = [f"{name!r} is {value:g} (training: {low:g} to {high:g})" for name, (value, low, high) in new.items()]
        more = f" and {len(shown) - MOST_SHOWN:,} more" if len(shown) > MOST_SHOWN else ""
        what = f"numbers in {len(new):,} of {numeric:,} numeric columns are far outside the training range, and are clipped"
        warnings.warn(f"{what}: {', '.join(shown[:MOST_SHOWN])}{more}. Check their units and scale.", stacklevel=5)

    def texts(self, raw: Any) -> tuple[str, ...]:
        """The cells of one row as text."""
        rows = self._as_rows(raw)
        cells = [column[0] for column in self._as_columns(raw)] if rows is None else self._cells(rows[0])
        return tuple(_text(cell) for cell in cells)

    @property
    def request_columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.names)

    def context(self, raw: Any) -> dict[str, Any]:
        """Nothing: decoding needs no context."""
        del raw
        return {}

    def is_single(self, raw: Any) -> bool:
        """Whether the input is a mapping of cells, or a flat sequence of them."""
        if isinstance(raw, Mapping):
            return not any(isinstance(cell, list | tuple) or getattr(cell, "ndim", 0) for cell in raw.values())
        if isinstance(raw, list | tuple):
            return not (isinstance(raw[0], Mapping | list | tuple) or getattr(raw[0], "ndim", 0) > 0)
        axes: int = getattr(raw, "ndim", 0)
        return axes < BATCH_AXES and not hasattr(raw, "columns")

    def read(self, source: str) -> Any:
        """The columns of a table file, arrays, or one row from JSON."""
        return read_rows(source, TAKES)

    def from_request(self, rows: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> Any:
        """The rows, whose cells must be texts, numbers, true, false or null."""
        del limits
        for name in self.names:
            if any(isinstance(row.get(name), list | dict) for row in rows):
                raise _nested_cell(name)
        return list(rows)

    def from_table(self, columns: Mapping[str, Array], limits: Mapping[str, int]) -> Any:
        """Like `from_request`, for whole columns."""
        del limits
        for name in self.names:
            cells = columns.get(name)
            if cells is not None and cells.dtype == object and any(isinstance(cell, list | dict) for cell in cells):
                raise _nested_cell(name)
        return dict(columns)

    def sample_request(self) -> dict[str, Any]:
        """A row with a sample of each column."""
        return {column.name: column.sample() for column in self.columns}

    def _few(self, rows: Sequence[Sequence[Any]]) -> dict[str, Array]:
        numeric: list[list[float]] = []
        codes: list[list[int]] = []
        for row in rows:
            numbers: list[float] = []
            plain: list[float] = []
            known: list[int] = []
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(column, CategoryColumn):
                    known.append(column.one(cell))
                    if column.encoded:
                        plain += column.encode(cell)
                elif column.embedded:
                    first, *others = column.one(cell)
                    numbers.append(first)
                    plain += others
                else:
                    plain += column.one(cell)
            numeric.append(numbers + plain)
            codes.append(known)
        return self._parts(np.array(numeric, np.float32), np.array(codes, np.int64), len(rows))

    def _many(self, columns: Sequence[Array]) -> dict[str, Array]:
        cells = dict(zip(self.names, columns, strict=True))
        embedded: list[Array] = []
        plain: list[Array] = []
        for column in self.columns:
            own = cells[column.name]
            features = column.encode_many(own) if isinstance(column, CategoryColumn) else column.many(own)
            embedded += features[: column.embedded]
            plain += features[column.embedded :]
        numeric = embedded + plain
        codes = [column.many(cells[column.name]) for column in self._categorical]
        stacked = [np.stack(part, axis=1) if part else np.empty((0, 0)) for part in (numeric, codes)]
        return self._parts(stacked[0].astype(np.float32), stacked[1].astype(np.int64), len(columns[0]))

    def _parts(self, numeric: Array, codes: Array, rows: int) -> dict[str, Array]:
        parts = {"numeric": numeric} if self._numbers else {}
        if self._categorical:
            parts["categorical"] = codes
        return {name: part.reshape(rows, -1) if rows else self._empty(part, name) for name, part in parts.items()}

    def _empty(self, part: Array, name: str) -> Array:
        return np.empty((0, self._numbers if name == "numeric" else len(self._categorical)), part.dtype)

    def _as_rows(self, raw: Any) -> Sequence[Any] | None:
        """The rows, if the input consists of rows; None if it consists of columns."""
        if isinstance(raw, Mapping):
            return None if _holds_columns(raw) else [raw]
        if hasattr(raw, "iloc"):  # pandas: a Series is a row, a DataFrame consists of columns
            return None if hasattr(raw, "columns") else [raw.to_dict()]
        if isinstance(raw, np.ndarray):
            return [raw] if raw.ndim == 1 else None
        if hasattr(raw, "columns") and hasattr(raw, "__getitem__"):  # polars, Arrow
            return None
        if isinstance(raw, list | tuple):
            return raw if raw and not _is_cell(raw[0]) else [raw] if raw else []
        raise InputError(f"a {type(raw).__name__} is not a row; give a dict, a list of dicts or a DataFrame")

    def _cells(self, row: Any) -> list[Any]:
        """The cells of one row, in the order of `columns`."""
        if not isinstance(row, Mapping):
            if len(row) != len(self.columns):
                raise InputError(f"a row has {len(row)} cells; the model reads {len(self.columns)}: {', '.join(self.names)}")
            return list(row)
        try:
            return [row[column.name] for column in self.columns]
        except KeyError:
            row = {str(name).strip(): cell for name, cell in row.items()}
            self._check_names(row)
            return [row[column.name] for column in self.columns]

    def _gather(self, rows: Sequence[Any]) -> list[Array]:
        return [objects(cells) for cells in zip(*(self._cells(row) for row in rows), strict=True)]

    def _as_columns(self, raw: Any) -> list[Array]:
        if isinstance(raw, np.ndarray):
            if raw.ndim != 2 or raw.shape[1] != len(self.columns):
                raise InputError(f"the array has shape {raw.shape}; the model reads [rows, {len(self.columns)}]")
            return list(raw.T)
        names = getattr(raw, "column_names", None) or (raw.columns if hasattr(raw, "columns") else raw)  # Arrow, pandas, a dict
        named = {str(name).strip(): name for name in names}
        self._check_names(named)
        columns = [_as_array(raw[named[name]]) for name in self.names]
        if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
            raise InputError("the columns are not equally long; for one row give cells, for many give lists")
        return columns

    def _check_names(self, row: Mapping[str, Any]) -> None:
        missing = [name for name in self.names if name not in row]
        if missing:
            raise InputError(
                f"columns are missing: {', '.join(missing)}; the row has {', '.join(map(str, row))}. "
                "Give None for a cell that is not known."
            )


def _nested_cell(column: str) -> ValueError:
    """The error for a cell of a request that is not a single value."""
    return ValueError(f"column {column!r} holds a list or an object; a cell is a text, a number, true, false or null")


def _holds_columns(raw: Mapping[Any, Any]) -> bool:
    first = next(iter(raw.values()), None)
    return isinstance(first, list | tuple) or (hasattr(first, "ndim") and getattr(first, "ndim", 0) == 1)


def _is_cell(item: Any) -> bool:
    return not isinstance(item, Mapping | list | tuple) and getattr(item, "ndim", 0) == 0


def _as_array(cells: Any) -> Array:
    """A column as an array; a list becomes an array of objects, so that no cell is turned into text."""
    if isinstance(cells, list | tuple):
        return objects(cells)
    if hasattr(cells, "to_pylist"):  # of Arrow, which does not copy unless NumPy asks
        return np.asarray(cells)
    return np.asarray(cells.to_numpy() if hasattr(cells, "to_numpy") else cells)


def _text(cell: Any) -> str:
    """A cell as a person reads it."""
    if cell is None or cell != cell or str(cell) in {"NaT", "<NA>"}:  # noqa: PLR0124  # NaN
        return "missing"
    return f"{cell:.6g}" if isinstance(cell, float | np.floating) else str(cell)[:CELL_CHARACTERS]

"""Turn a table into arrays: roles and targets from its columns, the rest by the fitted preprocessing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import is_missing
from lepton_automl.data.label_targets import labels_from_indicators
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reader import Reader, is_blank
from lepton_automl.data.reading import NOTES, SEPARATOR, WARNINGS, checked, is_pair, read_table, table_of_arrays
from lepton_automl.data.split_column import find_split_column, split_roles
from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.data.store import EXAMPLES
from lepton_automl.data.targets import MAX_INFERRED_CLASSES
from lepton_automl.data.typed import retyped
from lepton_automl.data.written import decide, usual_decimal
from lepton_automl.errors import Complaints, DataError, InputError, did_you_mean
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, Column
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.texts import TextColumn
from lepton_automl.modalities.table.preprocess.times import TimeColumn
from lepton_automl.modality import Prepared, SplitRows

from .fit_columns import fit_columns, inferred_dtype, infinite_error, infinite_text
from .image_names import image_warnings
from .options import table_options
from .row_weights import row_weights
from .spec import TableInput

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
USUAL_TARGETS = ("target", "label", "class")
TARGET = "target"


@contextmanager
def table_examples(source: Any, test: Any, options: DataOptions) -> Iterator[TableExamples]:
    """The rows of a source, with their targets and split roles.

    Raises:
        DataError: The table cannot be used as it is.
    """
    frame = table_of(source, options)
    test_frame = None if test is None else table_of(test, options, _text_columns(frame))
    yield TableExamples(frame, test_frame, options, source)


def table_of(source: Any, options: DataOptions, texts: Collection[str] = ()) -> Any:
    """The source as a DataFrame.

    Args:
        source: Anything that holds a table.
        options: The data options; they may name the target.
        texts: Columns of a file that are kept as text.
    """
    if isinstance(source, str | Path):
        return read_table(Path(source), texts)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return checked(source, "the DataFrame")
    if is_pair(source):
        return table_of_arrays(source[0], source[1], options.target if isinstance(options.target, str) else TARGET)
    if isinstance(source, Mapping):
        return _frame_of_columns(source)
    return checked(source.to_pandas(), "the table")


def _text_columns(frame: Any) -> list[str]:
    """The columns of a file that are text."""
    return [name for name in frame.columns if frame[name].dtype.kind not in "fiubmM"] if SEPARATOR in frame.attrs else []


def _frame_of_columns(source: Mapping[Any, Any]) -> Any:
    import pandas as pd

    try:
        return checked(pd.DataFrame(dict(source)), "the columns")
    except ValueError as error:
        raise DataError(
            f"the columns do not form a table: {error}", where="data", fix="Give columns of equal length."
        ) from error


def _name(source: Any) -> str:
    return Path(source).resolve().name.split(".")[0] or "data" if isinstance(source, str | Path) else "data"


class TableExamples:
    """A table whose target and roles are known.

    Args:
        frame: The rows; column names are text.
        test: Separate test rows with the same columns; None if there are none.
        options: The data options.
        source: The source of the table.
    """

    most_classes = MAX_INFERRED_CLASSES

    def __init__(self, frame: pd.DataFrame, test: pd.DataFrame | None, options: DataOptions, source: Any) -> None:
        self._options, self._own, self._where = options, table_options(options), _name(source)
        self._parts = [frame] if test is None else [frame, test]
        self._source = source
        remarks: list[str] = []
        _check_names(frame, options, self._where)
        self._split_column = _split_column(frame, options, remarks)
        self._targets = _targets(frame, options, self._split_column, remarks)
        self.target = ", ".join(self._targets)
        self.roles = _roles(frame, test, self._split_column, self._where)
        self._file = frame.attrs.get(SEPARATOR, "")
        self.decimal = usual_decimal(self._file)
        columns = [_target_cells(part, self._targets) for part in self._parts]
        cells = columns[0].to_numpy() if test is None else _objects(columns)
        self.targets = retyped(cells, np.flatnonzero(self.roles != TEST)) if self._file else cells
        self.notes = [*_remarks(frame, test, NOTES), *remarks]
        self.warnings = [*_remarks(frame, test, WARNINGS)]

    def split_by(self, rows: Array) -> dict[str, Array]:
        """Groups and times, if the options name columns for them."""
        self._parts = _select(self._parts, rows)
        return _split_keys(self._parts, self.roles[rows] == TEST, self._options)

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Infer the kind of each column, fit it on the training rows, and make arrays of all rows."""
        del folder
        own, parts = self._own, self._parts
        left_out = {*self._targets, self._split_column, own.group_column, own.sample_weight, *own.ignore} - {None}
        names = [column for column in parts[0].columns if column not in left_out]
        cells = [{str(column): part[column].to_numpy() for column in names} for part in parts]
        findings = fit_columns(cells[0], split.train, self._options, self._where, split.train_targets, file=self._file)
        preprocess = TablePreprocess(findings.columns, split.output)
        arrays, cell_warnings = _arrays(cells, preprocess, self._options, self._where)
        for feature, values in findings.held_out.items():
            arrays["numeric"][split.train, preprocess.features.index(feature)] = values
        return Prepared(
            input=TableInput(
                numeric=len(preprocess.features),
                plain=preprocess.plain,
                cardinalities=preprocess.cardinalities,
                columns=tuple((column.name, column.kind) for column in preprocess.columns),
            ),
            preprocess=preprocess,
            arrays=arrays,
            hashes=_hashes(parts, preprocess.names),
            examples=[_example(cells[0], preprocess.names, row) for row in split.train[:EXAMPLES].tolist()],
            notes=[*(f"{name!r} is left out, as requested" for name in own.ignore), *findings.notes],
            weights=self._weights(split.train),
            warnings=[*findings.warnings, *cell_warnings, *image_warnings(self._source, self._parts[0])],
        )

    def _weights(self, train: Array) -> Array | None:
        """The rows' weights, if the options name a column for them."""
        column = self._own.sample_weight
        return None if column is None else row_weights([part[column].to_numpy() for part in self._parts], column, train)


def _remarks(frame: Any, test: Any, kind: str) -> list[str]:
    """The notes or warnings about the files."""
    test_remarks = [] if test is None else [f"of the test data: {remark}" for remark in test.attrs.get(kind, ())]
    return [*frame.attrs.get(kind, ()), *test_remarks]


def _select(parts: list[pd.DataFrame], rows: Array) -> list[pd.DataFrame]:
    """The kept rows of each part; each part keeps its types."""
    kept, first = [], 0
    for part in parts:
        inside = rows[(rows >= first) & (rows < first + len(part))] - first
        kept.append(part.iloc[inside].reset_index(drop=True))
        first += len(part)
    return kept


def _objects(columns: list[pd.Series]) -> Array:
    """Concatenate columns without changing the type of any cell."""
    return np.concatenate([column.astype(object).to_numpy(object) for column in columns])


def _check_names(frame: pd.DataFrame, options: DataOptions, name: str) -> None:
    """Check that every column named by an option exists."""
    single = [
        *_named_targets(options),
        table_options(options).split_column,
        table_options(options).group_column,
        table_options(options).time_column,
        table_options(options).sample_weight,
    ]
    names = [column for column in single if column] + [
        *table_options(options).ignore,
        *table_options(options).categorical,
        *table_options(options).numeric,
        *table_options(options).text,
    ]
    for column in names:
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns)
            fix = f"Columns: {', '.join(map(str, frame.columns))}."
            raise DataError(f"there is no column {column!r}.{hint}", where=name, fix=fix)


def _split_column(frame: pd.DataFrame, options: DataOptions, notes: list[str]) -> str | None:
    if table_options(options).split_column is not None:
        return table_options(options).split_column or None
    return find_split_column(frame, {*_named_targets(options), *table_options(options).categorical}, notes)


def _named_targets(options: DataOptions) -> tuple[str, ...]:
    """The target columns that the options name."""
    if options.target is None:
        return ()
    return (options.target,) if isinstance(options.target, str) else options.target


def _target_cells(part: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """The targets of a part; for several columns, the names of those that hold a one."""
    import pandas as pd

    if len(names) == 1:
        column: pd.Series = part[names[0]]
        return column
    return pd.Series(labels_from_indicators({name: part[name].tolist() for name in names}), dtype=object)


def _targets(frame: pd.DataFrame, options: DataOptions, split_column: str | None, notes: list[str]) -> tuple[str, ...]:
    if options.target is not None:
        return _named_targets(options)
    reserved = {
        split_column,
        table_options(options).group_column,
        table_options(options).time_column,
        table_options(options).sample_weight,
        *table_options(options).ignore,
    }
    names = [column for column in frame.columns if column not in reserved]
    usual = [column for column in names if column.lower() in USUAL_TARGETS]
    chosen = str((usual or names)[0 if usual else -1])
    why = "it has a common name for targets" if usual else "it is the last column"
    notes.append(f"the target is {chosen!r}: {why} (set target to choose another)")
    return (chosen,)


def _roles(frame: pd.DataFrame, test: pd.DataFrame | None, split_column: str | None, name: str) -> Array:
    """The role that the source gives each row; test data come last."""
    roles = (
        _column_roles(frame[split_column].to_numpy(), split_column, name)
        if split_column
        else np.full(len(frame), OPEN, np.int8)
    )
    if test is None:
        return roles
    lacking = [column for column in frame.columns if column not in test.columns and column != split_column]
    if lacking:
        fix = "Give the test data the same columns as the other rows."
        raise DataError(f"the test data lack: {', '.join(map(repr, lacking))}", where=name, fix=fix)
    roles = np.where(roles == TEST, OPEN, roles)
    return np.concatenate([roles, np.full(len(test), TEST, np.int8)]).astype(np.int8)


def _column_roles(cells: Array, column: str, name: str) -> Array:
    roles = split_roles(cells.tolist(), column, name)
    if (roles == VALIDATION).any() or (roles == TEST).any():
        # Training rows stay training rows only if both other roles are given; else the missing split is cut off them.
        roles[roles == TRAIN] = TRAIN if (roles == VALIDATION).any() and (roles == TEST).any() else OPEN
    return roles


def _split_keys(parts: list[pd.DataFrame], test: Array, options: DataOptions) -> dict[str, Array]:
    """The groups and times that the split depends on."""
    by: dict[str, Array] = {}
    if table_options(options).group_column:
        by["groups"] = np.concatenate([part[table_options(options).group_column].astype(str).to_numpy() for part in parts])
    if table_options(options).time_column:
        by["times"] = _times([part[table_options(options).time_column] for part in parts], test, options)
    return by


def _times(columns: list[pd.Series], test: Array, options: DataOptions) -> Array:
    """Times, or numbers, to order the rows by; separate test rows need none."""
    name = str(table_options(options).time_column)
    cells = columns[0].to_numpy() if len(columns) == 1 else inferred_dtype(_objects(columns))
    if cells.dtype.kind in "fiu":
        times = cells.astype(np.float64)
    else:
        present = [cell for cell in cells[~test] if not is_blank(cell, options.missing_in(name))]
        try:
            written = decide(name, present, options, few=True)
        except InputError as error:
            raise DataError(str(error), where="time_column", fix="Give dates in ISO 8601, or numbers.") from error
        if written.kind == "category":
            odd = next((cell for cell in present if Reader().days(_cell_array(cell))[1]), present[:1])
            raise DataError(f"it holds {odd!r}, which is not a date", where=name, fix="Give dates in ISO 8601, or numbers.")
        reader = Reader(written.number, written.date)
        times, _ = reader.numbers(cells) if written.kind == "number" else reader.days(cells)
    if np.isnan(times[~test]).any():
        missing = int(np.isnan(times[~test]).sum())
        fix = "Fill them in or remove the rows; without a time they cannot be ordered."
        raise DataError(f"{missing:,} rows have no time", where=name, fix=fix)
    return times


def _cell_array(cell: Any) -> Array:
    cells = np.empty(1, object)
    cells[0] = cell
    return cells


def _hashes(parts: list[pd.DataFrame], names: list[str]) -> Array:
    """A 64-bit hash of each row."""
    import pandas as pd
    from pandas.util import hash_pandas_object

    features = pd.concat([part[names] for part in parts], ignore_index=True)
    try:
        return np.asarray(hash_pandas_object(features, index=False))
    except (TypeError, ValueError):  # cells of several types in one column, or bytes
        return np.asarray(hash_pandas_object(features.map(str), index=False))


def _arrays(
    parts: list[dict[str, Array]], preprocess: TablePreprocess, options: DataOptions, source: str
) -> tuple[dict[str, Array], list[str]]:
    """The network's arrays of all rows, and warnings about cells outside the training rows that cannot be read."""
    complaints = Complaints(source, DataError)
    unreadable: dict[str, list[Any]] = {}
    warnings = []
    readable: list[dict[str, Array]] = []
    for number, part in enumerate(parts):
        readable.append({})
        for column in preprocess.columns:
            cells, odd, infinite = _readable(column, part[column.name])
            readable[-1][column.name] = cells
            unreadable.setdefault(column.name, []).extend(odd)
            if number and infinite.any():  # those of the first part were reported when the column was fitted
                complaints.check(
                    table_options(options).infinite == "missing",
                    f"in the test data, column {infinite_error(column.name, infinite)}",
                )
                warnings.append(f"in the test data, {infinite_text(column.name, infinite)}: treated as missing")
    complaints.raise_any()
    for column in preprocess.columns:
        if strange := unreadable[column.name]:
            kind = "date" if column.kind == "time" else "number"
            if len(strange) == 1:
                message = f"one cell of {column.name!r} outside the training rows is not a {kind}"
            else:
                message = f"{len(strange):,} cells of {column.name!r} outside the training rows are not {kind}s"
            warnings.append(f"{message}, such as {str(strange[0])[:40]!r}: taken as missing")
    arrays = [preprocess.arrays(part) for part in readable if len(next(iter(part.values())))]
    return {name: np.concatenate([part[name] for part in arrays]) for name in arrays[0]}, warnings


def _readable(column: Column, cells: Array) -> tuple[Array, list[Any], Array]:
    """Cells that the column can read, those that it cannot (they become missing), and a mask of infinite ones."""
    infinite = np.zeros(len(cells), bool)
    if isinstance(column, CategoryColumn | TextColumn):
        return cells, [], infinite
    if isinstance(column, TimeColumn):
        days, odd = Reader(date=column.notation).days(cells)
        readable = cells
        if cells.dtype.kind != "M":
            readable = cells.astype(object)
            readable[np.isnan(days)] = None
    else:
        numbers, odd = Reader(column.notation, missing=column.tokens, decode_targets=column.boolean).numbers(cells)
        infinite = np.isinf(numbers)
        readable = np.where(infinite, np.nan, numbers)
    strange = [cell for cell in odd if not (isinstance(cell, str) and (column.lenient or cell.strip() in column.tokens))]
    return readable, strange, infinite


def _example(cells: dict[str, Array], names: list[str], row: int) -> dict[str, Any]:
    """One raw row as a user passes it to `predict`."""
    return {name: _plain(cells[name][row]) for name in names}


def _plain(cell: Any) -> Any:
    """A cell as a JSON value."""
    if is_missing(cell) or (isinstance(cell, float | np.floating) and not np.isfinite(cell)):
        return None
    if isinstance(cell, np.datetime64):
        return str(cell.astype("datetime64[us]"))
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    if isinstance(cell, np.generic):
        return cell.item()
    return cell if isinstance(cell, str | int | float | bool) else str(cell)

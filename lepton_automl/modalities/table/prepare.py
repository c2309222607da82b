"""A table becomes arrays: roles and targets from its columns, the rest through the fitted preprocessing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import is_missing
from lepton_automl.data.label_targets import indicated_labels
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reader import Reader, is_blank
from lepton_automl.data.reading import NOTES, SEPARATOR, WARNINGS, checked, is_pair, read_table, table_of_arrays
from lepton_automl.data.split_column import find_split_column, split_roles
from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.data.store import EXAMPLES
from lepton_automl.data.targets import MOST_CLASSES_BY_GUESS
from lepton_automl.data.typed import retyped
from lepton_automl.data.written import decide, usual_decimal
from lepton_automl.errors import Complaints, DataError, InputError, did_you_mean
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, Column, TimeColumn
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modality import Prepared, SplitRows

from .fit_columns import fit_columns, infinite_error, infinite_words, own_type
from .options import table_options
from .spec import TableInput

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
USUAL_TARGETS = ("target", "label", "class")
TARGET = "target"
FIRST = 5  # rows that tell whether a column names pictures
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif")
LONGEST_PATH = 1024  # characters


@contextmanager
def table_examples(source: Any, test: Any, options: DataOptions) -> Iterator[TableExamples]:
    """A source as a table, with its target and the roles that it gives.

    Raises:
        DataError: The table cannot be used as it is.
    """
    frame = table_of(source, options)
    sealed = None if test is None else table_of(test, options, _text_columns(frame))
    yield TableExamples(frame, sealed, options, source)


def table_of(source: Any, options: DataOptions, texts: Collection[str] = ()) -> Any:
    """The source as a DataFrame.

    Args:
        source: Whatever holds a table.
        options: May name the target.
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
        raise DataError(f"the columns make no table: {error}", where="data", fix="Make all columns equally long.") from error


def _name(source: Any) -> str:
    return Path(source).resolve().name.split(".")[0] or "data" if isinstance(source, str | Path) else "data"


class TableExamples:
    """A table whose target and roles are known.

    Args:
        frame: With text for names.
        test: Test rows kept apart, with the same columns.
        options: What the user said.
        source: Where the table comes from.
    """

    most_classes = MOST_CLASSES_BY_GUESS

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
        """Groups and times, where columns are named for them."""
        self._parts = _selected(self._parts, rows)
        return _by(self._parts, self.roles[rows] == TEST, self._options)

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Decide what each column is, fit it on the training rows, and make arrays of all rows."""
        del folder
        own, parts = self._own, self._parts
        left_out = {*self._targets, self._split_column, own.group_column, *own.ignore} - {None}
        names = [column for column in parts[0].columns if column not in left_out]
        cells = [{str(column): part[column].to_numpy() for column in names} for part in parts]
        fitted = fit_columns(cells[0], split.train, self._options, self._where, split.train_targets, file=self._file)
        preprocess = TablePreprocess(fitted.columns, split.output)
        arrays, lost = _arrays(cells, preprocess, self._options, self._where)
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
            notes=fitted.notes,
            warnings=[*fitted.warnings, *lost, *_names_pictures(self._source, self._parts[0])],
        )


def _remarks(frame: Any, test: Any, kind: str) -> list[str]:
    """What was found out about the files."""
    sealed = [] if test is None else [f"of the test data: {remark}" for remark in test.attrs.get(kind, ())]
    return [*frame.attrs.get(kind, ()), *sealed]


def _names_pictures(source: Any, frame: Any) -> list[str]:
    """A warning where a file's first rows name pictures that lie beside it: whoever gives the table may mean them."""
    if not isinstance(source, str | Path):
        return []
    beside = Path(source).parent
    for name in frame.columns:
        cells = [cell for cell in frame[name].head(FIRST).tolist() if isinstance(cell, str) and cell.lower().endswith(PICTURES)]
        if cells and all(len(cell) < LONGEST_PATH and (beside / cell).is_file() for cell in cells):
            return [f"{name!r} names pictures, which are not looked at; to learn from them, give the folder {beside}"]
    return []


def _selected(parts: list[pd.DataFrame], rows: Array) -> list[pd.DataFrame]:
    """Of every part the rows that are kept, each part in its own types."""
    taken, first = [], 0
    for part in parts:
        inside = rows[(rows >= first) & (rows < first + len(part))] - first
        taken.append(part.iloc[inside].reset_index(drop=True))
        first += len(part)
    return taken


def _objects(columns: list[pd.Series]) -> Array:
    """Columns one after another, no cell of which changes its type."""
    return np.concatenate([column.astype(object).to_numpy(object) for column in columns])


def _check_names(frame: pd.DataFrame, options: DataOptions, name: str) -> None:
    """Every column that an option names must be there."""
    single = [
        *_asked_targets(options),
        table_options(options).split_column,
        table_options(options).group_column,
        table_options(options).time_column,
    ]
    names = [column for column in single if column] + [
        *table_options(options).ignore,
        *table_options(options).categorical,
        *table_options(options).numeric,
    ]
    for column in names:
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns)
            fix = f"Columns: {', '.join(map(str, frame.columns))}."
            raise DataError(f"there is no column {column!r}.{hint}", where=name, fix=fix)


def _split_column(frame: pd.DataFrame, options: DataOptions, notes: list[str]) -> str | None:
    if table_options(options).split_column is not None:
        return table_options(options).split_column or None
    return find_split_column(frame, {*_asked_targets(options), *table_options(options).categorical}, notes)


def _asked_targets(options: DataOptions) -> tuple[str, ...]:
    """The columns that were named to be predicted."""
    if options.target is None:
        return ()
    return (options.target,) if isinstance(options.target, str) else options.target


def _target_cells(part: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """The targets of a part; of several columns, the names of those that hold a one."""
    import pandas as pd

    if len(names) == 1:
        column: pd.Series = part[names[0]]
        return column
    return pd.Series(indicated_labels({name: part[name].tolist() for name in names}), dtype=object)


def _targets(frame: pd.DataFrame, options: DataOptions, split_column: str | None, notes: list[str]) -> tuple[str, ...]:
    if options.target is not None:
        return _asked_targets(options)
    reserved = {
        split_column,
        table_options(options).group_column,
        table_options(options).time_column,
        *table_options(options).ignore,
    }
    names = [column for column in frame.columns if column not in reserved]
    usual = [column for column in names if column.lower() in USUAL_TARGETS]
    chosen = str((usual or names)[0 if usual else -1])
    why = "its name says so" if usual else "it is the last column"
    notes.append(f"the target is {chosen!r}: {why} (set target to choose another)")
    return (chosen,)


def _roles(frame: pd.DataFrame, test: pd.DataFrame | None, split_column: str | None, name: str) -> Array:
    """The role that the source gives each row, of the test data last."""
    assigned = (
        _given_roles(frame[split_column].to_numpy(), split_column, name) if split_column else np.full(len(frame), OPEN, np.int8)
    )
    if test is None:
        return assigned
    lacking = [column for column in frame.columns if column not in test.columns and column != split_column]
    if lacking:
        fix = "Give the test data the same columns as the other rows."
        raise DataError(f"the test data lack: {', '.join(map(repr, lacking))}", where=name, fix=fix)
    assigned = np.where(assigned == TEST, OPEN, assigned)
    return np.concatenate([assigned, np.full(len(test), TEST, np.int8)]).astype(np.int8)


def _given_roles(cells: Array, column: str, name: str) -> Array:
    roles = split_roles(cells.tolist(), column, name)
    if (roles == VALIDATION).any() or (roles == TEST).any():
        # "train" is a promise where the other roles are given; validation may still be cut off it.
        roles[roles == TRAIN] = TRAIN if (roles == VALIDATION).any() and (roles == TEST).any() else OPEN
    return roles


def _by(parts: list[pd.DataFrame], test: Array, options: DataOptions) -> dict[str, Array]:
    """What the split goes by: groups, times."""
    by: dict[str, Array] = {}
    if table_options(options).group_column:
        by["groups"] = np.concatenate([part[table_options(options).group_column].astype(str).to_numpy() for part in parts])
    if table_options(options).time_column:
        by["times"] = _times([part[table_options(options).time_column] for part in parts], test, options)
    return by


def _times(columns: list[pd.Series], test: Array, options: DataOptions) -> Array:
    """Moments, or numbers, to order the rows by; test rows that are given need none."""
    name = str(table_options(options).time_column)
    cells = columns[0].to_numpy() if len(columns) == 1 else own_type(_objects(columns))
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
            raise DataError(f"it holds {odd!r}, which is no date", where=name, fix="Give dates in ISO 8601, or numbers.")
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
    """64 bits of each row's cells."""
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
    """The network's arrays of every row, and warnings on cells that nothing like them was learnt from."""
    complaints = Complaints(source, DataError)
    lost: dict[str, list[Any]] = {}
    warnings = []
    readable: list[dict[str, Array]] = []
    for number, part in enumerate(parts):
        readable.append({})
        for column in preprocess.columns:
            cells, odd, infinite = _readable(column, part[column.name])
            readable[-1][column.name] = cells
            lost.setdefault(column.name, []).extend(odd)
            if number and infinite.any():  # those of the first part were reported when the column was fitted
                complaints.check(
                    table_options(options).infinite == "missing",
                    f"in the test data, column {infinite_error(column.name, infinite)}",
                )
                warnings.append(f"in the test data, {infinite_words(column.name, infinite)}: treated as missing")
    complaints.raise_any()
    for column in preprocess.columns:
        if strange := lost[column.name]:
            kind = "date" if column.kind == "time" else "number"
            if len(strange) == 1:
                message = f"one cell of {column.name!r} outside the training rows is no {kind}"
            else:
                message = f"{len(strange):,} cells of {column.name!r} outside the training rows are no {kind}s"
            warnings.append(f"{message}, such as {str(strange[0])[:40]!r}: taken as missing")
    arrays = [preprocess.arrays(part) for part in readable if len(next(iter(part.values())))]
    return {name: np.concatenate([part[name] for part in arrays]) for name in arrays[0]}, warnings


def _readable(column: Column, cells: Array) -> tuple[Array, list[Any], Array]:
    """Cells that the column can take, those that it cannot (they become missing), and which are infinite."""
    none = np.zeros(len(cells), bool)
    if isinstance(column, CategoryColumn):
        return cells, [], none
    if isinstance(column, TimeColumn):
        days, odd = Reader(date=column.notation).days(cells)
        known = cells
        if cells.dtype.kind != "M":
            known = cells.astype(object)
            known[np.isnan(days)] = None
    else:
        numbers, odd = Reader(column.notation, missing=column.tokens, truths=column.boolean).numbers(cells)
        none = np.isinf(numbers)
        known = np.where(none, np.nan, numbers)
    strange = [cell for cell in odd if not (isinstance(cell, str) and (column.lenient or cell.strip() in column.tokens))]
    return known, strange, none


def _example(cells: dict[str, Array], names: list[str], row: int) -> dict[str, Any]:
    """One raw row, as a person would hand it to `predict`."""
    return {name: _plain(cells[name][row]) for name in names}


def _plain(cell: Any) -> Any:
    """A cell as JSON can hold it."""
    if is_missing(cell) or (isinstance(cell, float | np.floating) and not np.isfinite(cell)):
        return None
    if isinstance(cell, np.datetime64):
        return str(cell.astype("datetime64[us]"))
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    if isinstance(cell, np.generic):
        return cell.item()
    return cell if isinstance(cell, str | int | float | bool) else str(cell)

"""A table becomes arrays: roles and targets from its columns, the rest through the fitted preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import Complaints, DataError, did_you_mean
from lepton_automl.preprocess import CategoryColumn, Column, InputError, TablePreprocess, TimeColumn, is_missing
from lepton_automl.specs import DataSpec

from .columns import fit_columns, infinite_error, infinite_words, own_type
from .deal import deal
from .options import DataOptions
from .reader import Reader, is_blank
from .reading import SEPARATOR
from .split_column import find_split_column, split_roles
from .splits import OPEN, TEST, TRAIN, VALIDATION
from .store import EXAMPLES, write_json
from .targets import read_targets
from .typed import retyped
from .written import decide, usual_decimal

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
USUAL_TARGETS = ("target", "label", "class")


def prepare_table(frame: pd.DataFrame, test: pd.DataFrame | None, folder: Path, options: DataOptions, name: str) -> DataSpec:
    """Prepare a table in a folder.

    Args:
        frame: With text for names.
        test: Test rows kept apart, with the same columns.
        folder: Exists and is empty.
        options: What a person said.
        name: For people.

    Raises:
        DataError: The table cannot be used as it is.
    """
    notes: list[str] = []
    _check_names(frame, options, name)
    split_column = _split_column(frame, options, notes)
    target = _target(frame, options, split_column, notes)
    given = _roles(frame, test, split_column, name)
    parts = [frame] if test is None else [frame, test]
    targets = parts[0][target].to_numpy() if test is None else _objects([part[target] for part in parts])
    file = frame.attrs.get(SEPARATOR, "")
    targets = retyped(targets, np.flatnonzero(given != TEST)) if file else targets
    told = read_targets(targets, options, target, test=given == TEST, decimal=usual_decimal(file))
    parts = _kept(parts, told.kept)
    dealt = deal(told, given, target, options, **_by(parts, given[told.kept] == TEST, options))
    left_out = {target, split_column, options.group_column, *options.ignore} - {None}
    names = [column for column in frame.columns if column not in left_out]
    cells = [{str(column): part[column].to_numpy() for column in names} for part in parts]
    found = fit_columns(cells[0], dealt.train, options, name, dealt.train_targets, file=file)
    preprocess = TablePreprocess(found.columns, dealt.output)
    spec = dealt.spec("table", (len(preprocess.features),), folder, name)
    write_json(folder / "preprocess.json", preprocess.to_json())
    arrays, lost = _arrays(cells, preprocess, options, name)
    dealt.write(arrays, spec)
    write_json(folder / "example.json", [_example(cells[0], preprocess.names, row) for row in dealt.train[:EXAMPLES].tolist()])
    return spec.replace(
        plain=preprocess.plain,
        cardinalities=preprocess.cardinalities,
        columns=tuple((column.name, column.kind) for column in preprocess.columns),
        notes=(*notes, *spec.notes, *found.notes),
        warnings=(*spec.warnings, *found.warnings, *lost, *dealt.shared(_hashes(parts, preprocess.names))),
    )


def _kept(parts: list[pd.DataFrame], kept: Array) -> list[pd.DataFrame]:
    """Of every part the rows that are kept, each part in its own types."""
    taken, first = [], 0
    for part in parts:
        inside = kept[(kept >= first) & (kept < first + len(part))] - first
        taken.append(part.iloc[inside].reset_index(drop=True))
        first += len(part)
    return taken


def _objects(columns: list[pd.Series]) -> Array:
    """Columns one after another, no cell of which changes its type."""
    return np.concatenate([column.astype(object).to_numpy(object) for column in columns])


def _check_names(frame: pd.DataFrame, options: DataOptions, name: str) -> None:
    """Every column that an option names must be there."""
    single = [options.target, options.split_column, options.group_column, options.time_column]
    asked = [column for column in single if column] + [*options.ignore, *options.categorical, *options.numeric]
    for column in asked:
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns)
            fix = f"Columns: {', '.join(map(str, frame.columns))}."
            raise DataError(f"there is no column {column!r}.{hint}", where=name, fix=fix)


def _split_column(frame: pd.DataFrame, options: DataOptions, notes: list[str]) -> str | None:
    if options.split_column is not None:
        return options.split_column or None
    return find_split_column(frame, {options.target, *options.categorical}, notes)


def _target(frame: pd.DataFrame, options: DataOptions, split_column: str | None, notes: list[str]) -> str:
    if options.target is not None:
        return options.target
    reserved = {split_column, options.group_column, options.time_column, *options.ignore}
    names = [column for column in frame.columns if column not in reserved]
    usual = [column for column in names if column.lower() in USUAL_TARGETS]
    chosen = str((usual or names)[0 if usual else -1])
    why = "its name says so" if usual else "it is the last column"
    notes.append(f"the target is {chosen!r}: {why} (set target to choose another)")
    return chosen


def _roles(frame: pd.DataFrame, test: pd.DataFrame | None, split_column: str | None, name: str) -> Array:
    """The role that the source gives each row, of the test data last."""
    given = (
        _given_roles(frame[split_column].to_numpy(), split_column, name) if split_column else np.full(len(frame), OPEN, np.int8)
    )
    if test is None:
        return given
    lacking = [column for column in frame.columns if column not in test.columns and column != split_column]
    if lacking:
        fix = "Give the test data the same columns as the other rows."
        raise DataError(f"the test data lack: {', '.join(map(repr, lacking))}", where=name, fix=fix)
    given = np.where(given == TEST, OPEN, given)
    return np.concatenate([given, np.full(len(test), TEST, np.int8)]).astype(np.int8)


def _given_roles(cells: Array, column: str, name: str) -> Array:
    roles = split_roles(cells.tolist(), column, name)
    if (roles == VALIDATION).any() or (roles == TEST).any():
        # "train" is a promise where the other roles are given; validation may still be cut off it.
        roles[roles == TRAIN] = TRAIN if (roles == VALIDATION).any() and (roles == TEST).any() else OPEN
    return roles


def _by(parts: list[pd.DataFrame], test: Array, options: DataOptions) -> dict[str, Array]:
    """What the split goes by: groups, times."""
    by: dict[str, Array] = {}
    if options.group_column:
        by["groups"] = np.concatenate([part[options.group_column].astype(str).to_numpy() for part in parts])
    if options.time_column:
        by["times"] = _times([part[options.time_column] for part in parts], test, options)
    return by


def _times(columns: list[pd.Series], test: Array, options: DataOptions) -> Array:
    """Moments, or numbers, to order the rows by; test rows that are given need none."""
    name = str(options.time_column)
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
            odd = next((cell for cell in present if Reader().days(_one(cell))[1]), present[:1])
            raise DataError(f"it holds {odd!r}, which is no date", where=name, fix="Give dates in ISO 8601, or numbers.")
        reader = Reader(written.number, written.date)
        times, _ = reader.numbers(cells) if written.kind == "number" else reader.days(cells)
    if np.isnan(times[~test]).any():
        missing = int(np.isnan(times[~test]).sum())
        fix = "Fill them in or remove the rows; without a time they cannot be ordered."
        raise DataError(f"{missing:,} rows have no time", where=name, fix=fix)
    return times


def _one(cell: Any) -> Array:
    one = np.empty(1, object)
    one[0] = cell
    return one


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
    parts: list[dict[str, Array]], preprocess: TablePreprocess, options: DataOptions, where: str
) -> tuple[dict[str, Array], list[str]]:
    """The network's arrays of every row, and warnings on cells that nothing like them was learnt from."""
    complaints = Complaints(where, DataError)
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
                    options.infinite == "missing", f"in the test data, column {infinite_error(column.name, infinite)}"
                )
                warnings.append(f"in the test data, {infinite_words(column.name, infinite)}: treated as missing")
    complaints.raise_any()
    for column in preprocess.columns:
        if strange := lost[column.name]:
            kind = "date" if column.kind == "time" else "number"
            if len(strange) == 1:
                said = f"one cell of {column.name!r} that was not learnt from is no {kind}"
            else:
                said = f"{len(strange):,} cells of {column.name!r} that were not learnt from are no {kind}s"
            warnings.append(f"{said}, such as {str(strange[0])[:40]!r}: taken as missing")
    made = [preprocess.arrays(part) for part in readable if len(next(iter(part.values())))]
    return {name: np.concatenate([part[name] for part in made]) for name in made[0]}, warnings


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

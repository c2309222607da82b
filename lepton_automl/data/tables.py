"""A table becomes arrays: roles and targets from its columns, the rest through the fitted preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError, did_you_mean
from lepton_automl.preprocess import InputError, TablePreprocess, is_missing, to_days
from lepton_automl.values import DataSpec

from .columns import fit_columns
from .deal import deal
from .options import DataOptions
from .splits import OPEN, TEST, TRAIN, VALIDATION
from .store import EXAMPLES, write_json
from .targets import read_targets

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
USUAL_TARGETS = ("target", "label", "class")
ROLE_NAMES = {"train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION, "test": TEST, "testing": TEST}  # fmt: skip


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
    rows, given = _joined(frame, test, split_column, name)
    told = read_targets(rows[target].to_numpy(), options, target)
    rows = rows.iloc[told.kept].reset_index(drop=True)
    dealt = deal(told, given, target, options, **_by(rows, options))
    features = rows.drop(columns=list({target, split_column, options.group_column, *options.ignore} - {None}))
    cells = {str(column): features[column].to_numpy() for column in features}
    found = fit_columns(cells, dealt.train, options, name, dealt.train_targets)
    preprocess = TablePreprocess(found.columns, dealt.output)
    spec = dealt.spec("table", (len(preprocess.features),), folder, name)
    write_json(folder / "preprocess.json", preprocess.to_json())
    dealt.write(preprocess.arrays(_without_infinite(cells, preprocess)), spec)
    write_json(folder / "example.json", [_example(cells, preprocess.names, row) for row in dealt.train[:EXAMPLES].tolist()])
    return spec.replace(
        plain=preprocess.plain,
        cardinalities=preprocess.cardinalities,
        columns=tuple((column.name, column.kind) for column in preprocess.columns),
        notes=(*notes, *spec.notes, *found.notes),
        warnings=(*spec.warnings, *found.warnings, *dealt.shared(_hashes(features[preprocess.names]))),
    )


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
    for column in frame.columns:
        named = column.lower() in ("split", "fold", "subset", "partition", "set")
        if named and column != options.target and column not in options.categorical:
            said = {str(cell).strip().lower() for cell in frame[column].dropna().unique()}
            if len(said) > 1 and said <= set(ROLE_NAMES):
                notes.append(f"{column!r} says which rows are {', '.join(sorted(said))}")
                return str(column)
    return None


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


def _joined(frame: pd.DataFrame, test: pd.DataFrame | None, split_column: str | None, name: str) -> tuple[pd.DataFrame, Array]:
    """All rows in one table, and the role that the source gives each."""
    import pandas as pd

    given = (
        _given_roles(frame[split_column].to_numpy(), split_column, name) if split_column else np.full(len(frame), OPEN, np.int8)
    )
    if test is None:
        return frame, given
    lacking = [column for column in frame.columns if column not in test.columns and column != split_column]
    if lacking:
        fix = "Give the test data the same columns as the other rows."
        raise DataError(f"the test data lack: {', '.join(map(repr, lacking))}", where=name, fix=fix)
    given = np.where(given == TEST, OPEN, given)
    both = pd.concat([frame, test[[column for column in frame.columns if column in test.columns]]], ignore_index=True)
    return both, np.concatenate([given, np.full(len(test), TEST, np.int8)]).astype(np.int8)


def _given_roles(cells: Array, column: str, name: str) -> Array:
    roles = np.full(len(cells), OPEN, np.int8)
    for row, cell in enumerate(cells.tolist()):
        if is_missing(cell):
            continue
        said = str(cell).strip().lower()
        if said not in ROLE_NAMES:
            fix = "Use train, validation and test; or set split_column='' to ignore it."
            raise DataError(f"{column!r} says {cell!r} in row {row}, which is no split", where=name, fix=fix)
        roles[row] = ROLE_NAMES[said]
    if (roles == VALIDATION).any() or (roles == TEST).any():
        # "train" is a promise where the other roles are given; validation may still be cut off it.
        roles[roles == TRAIN] = TRAIN if (roles == VALIDATION).any() and (roles == TEST).any() else OPEN
    return roles


def _by(rows: pd.DataFrame, options: DataOptions) -> dict[str, Array]:
    """What the split goes by: groups, times."""
    by: dict[str, Array] = {}
    if options.group_column:
        by["groups"] = rows[options.group_column].astype(str).to_numpy()
    if options.time_column:
        cells = rows[options.time_column].to_numpy()
        try:
            times = cells.astype(np.float64) if cells.dtype.kind in "fiu" else to_days(cells, options.time_column)
        except InputError as error:
            raise DataError(str(error), where="time_column", fix="Give dates in ISO 8601, or numbers.") from error
        if np.isnan(times).any():
            missing = int(np.isnan(times).sum())
            fix = "Fill them in or remove the rows; without a time they cannot be ordered."
            raise DataError(f"{missing:,} rows have no time", where=options.time_column, fix=fix)
        by["times"] = times
    return by


def _hashes(features: pd.DataFrame) -> Array:
    """64 bits of each row's cells."""
    from pandas.util import hash_pandas_object

    try:
        return np.asarray(hash_pandas_object(features, index=False))
    except (TypeError, ValueError):  # cells of several types in one column, or bytes
        return np.asarray(hash_pandas_object(features.map(str), index=False))


def _without_infinite(cells: dict[str, Array], preprocess: TablePreprocess) -> dict[str, Array]:
    """Infinite numbers as missing ones; where they are not wanted the fit has refused them already."""
    numbers = {column.name for column in preprocess.columns if column.kind == "number"}
    return {name: _finite(column) if name in numbers else column for name, column in cells.items()}


def _finite(column: Array) -> Array:
    if column.dtype.kind == "f":
        return np.where(np.isinf(column), np.nan, column)
    if column.dtype.kind != "O":
        return column
    finite = column.copy()
    finite[[str(cell).strip().lstrip("+-").lower() in ("inf", "infinity") for cell in column.tolist()]] = None
    return finite


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

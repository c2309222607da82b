"""Tables that name the files of their examples, such as a CSV file with a column of image files and one of labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.cells import is_missing, objects
from lepton_automl.errors import DataError, ExtraError, did_you_mean, one_of
from lepton_automl.source import Items

from .label_targets import labels_from_indicators
from .options import DataOptions
from .reading import WARNINGS, checked, first_rows, is_table_path, read_table
from .split_column import NAMES, ROLE_NAMES, find_split_column, split_roles
from .splits import OPEN, TEST, TRAIN, VALIDATION

USUAL_LABELS = ("label", "labels", "target", "class", "category", "y")  # names of a column that holds labels
FIRST = 20  # rows that decide whether a column names files
HALF = 0.5  # share of these cells that must name files which exist
LONGEST_NAME = 1024  # characters


def named_files(
    source: Any, options: DataOptions, claimed: Callable[[Items], object], *, labelled: bool = True
) -> Items | None:
    """The files that a table names, with their labels; None if it names none.

    A table whose columns are the names of files, labels and perhaps splits is one of files. If it has other columns, too, it
    may be meant as a table: then the options must name the column of files, or the modality.

    Args:
        source: A table's file or a DataFrame; anything else names no files.
        options: May name the column, the folder that names are relative to, and the target.
        claimed: Whether a modality takes some of these files; it is asked with the first of them.
        labelled: Whether labels are needed.

    Raises:
        DataError: The named column does not exist or names no files, or it is unclear which column holds the labels.
    """
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and not (path.is_file() and is_table_path(path)):
        return None
    if path is None and not (hasattr(source, "iloc") and hasattr(source, "columns") and len(source)):
        return None
    where = "the DataFrame" if path is None else str(path)
    try:
        head = checked(source.head(FIRST) if path is None else first_rows(path, FIRST), where)
    except (DataError, ExtraError):  # reading it as a table says why
        return None
    folders = _folders(path, options)
    column, folder = _naming_column(head, folders, options.file_column, where)
    if column is None or folder is None:
        return None
    targets = options.target if isinstance(options.target, tuple) else (options.target,) if options.target else ()
    others = [str(name) for name in head.columns if name not in (column, *targets)]
    if labelled and not (options.file_column or options.modality) and not _only_labels(head, others, has_target=bool(targets)):
        return None
    first = next(file for cell in head[column].tolist() if (file := _path(folder, cell)) is not None)
    if not claimed(Items(items=[first], labels=None, where=where)):
        if options.file_column is None:
            return None
        what = f"{column!r} names files such as {first.name!r}, which no kind of data here reads"
        raise DataError(what, where=where, fix="Leave file_column out to learn from the other columns.")
    frame = checked(source, where) if path is None else read_table(path)
    return _items(frame, column, folder, targets, labelled=labelled, where=where)


def may_name_files(frame: Any) -> bool:
    """Whether the first row of a DataFrame has a text that ends like the name of a file; it is fast."""
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns") and len(frame)):
        return False
    firsts = (frame.iloc[0, at] for at, dtype in enumerate(frame.dtypes) if dtype.kind == "O")
    return any(isinstance(cell, str | Path) and bool(Path(cell).suffix) for cell in firsts)


def _folders(path: Path | None, options: DataOptions) -> list[Path]:
    """The folders that names may be relative to."""
    if options.file_folder is not None:
        return [Path(options.file_folder)]
    return [Path()] if path is None else [path.parent, Path()]


def _naming_column(head: Any, folders: list[Path], named: str | None, where: str) -> tuple[str | None, Path | None]:
    """The column that names files, and the folder that the names are relative to.

    Raises:
        DataError: The column that the user named does not exist, or names no files.
    """
    names = [str(name) for name in head.columns]
    if named is not None and named not in names:
        raise DataError(
            f"there is no column {named!r}.{did_you_mean(named, names)}", where=where, fix=f"Columns: {', '.join(names)}."
        )
    for name in names if named is None else [named]:
        cells = [cell for cell in head[name].tolist() if not is_missing(cell)]
        for folder in folders:
            if cells and sum(_is_file(folder, cell, needs_suffix=named is None) for cell in cells) >= HALF * len(cells):
                return name, folder
    if named is not None:
        example = next((cell for cell in head[named].tolist() if not is_missing(cell)), "")
        looked = " or ".join(str(folder.absolute()) for folder in folders)
        fix = "Set file_folder to the folder that the names are relative to."
        raise DataError(f"{named!r} holds {str(example)!r}, which is no file in {looked}", where=where, fix=fix)
    return None, None


def _is_file(folder: Path, cell: Any, *, needs_suffix: bool) -> bool:
    if not isinstance(cell, str | Path) or not 0 < len(str(cell)) < LONGEST_NAME:
        return False
    try:
        return (bool(Path(cell).suffix) or not needs_suffix) and (folder / str(cell).strip()).is_file()
    except (OSError, ValueError):  # characters that no name may hold
        return False


def _only_labels(head: Any, others: list[str], *, has_target: bool) -> bool:
    """Whether the other columns of a table are its labels and perhaps its splits; its first rows may be of one split."""

    def names_splits(name: str) -> bool:
        cells = {str(cell).strip().lower() for cell in head[name].tolist() if not is_missing(cell)}
        return name.strip().lower() in NAMES and cells <= set(ROLE_NAMES)

    return sum(not names_splits(name) for name in others) <= (0 if has_target else 1)


def _items(frame: Any, column: str, folder: Path, targets: tuple[str, ...], *, labelled: bool, where: str) -> Items:
    files = [_path(folder, cell) for cell in frame[column].tolist()]
    kept = [row for row, path in enumerate(files) if path is not None]
    items = [files[row] for row in kept]
    if not labelled:
        if len(kept) < len(files):
            row = files.index(None)
            raise DataError(f"row {row} names no file in {column!r}", where=where, fix="Leave out such rows.")
        return Items(items=items, labels=None, where=where)
    notes: list[str] = []
    split = find_split_column(frame, {*targets, column}, notes)
    names = _label_columns(frame, [str(name) for name in frame.columns if name not in (column, split)], targets, where)
    if len(names) > 1:
        labels = labels_from_indicators({name: frame[name].tolist() for name in names})
    else:
        labels = objects(frame[names[0]].tolist())
    roles = None
    if split is not None:
        roles = split_roles(frame[split].tolist(), split, where)
        if not ((roles == VALIDATION).any() and (roles == TEST).any()):
            roles = np.where(roles == TRAIN, OPEN, roles).astype(np.int8)
    notes.insert(0, f"{column!r} names the files, and {', '.join(map(repr, names))} their labels")
    if unused := [str(name) for name in frame.columns if name not in (column, split, *names)]:
        notes.append(f"columns that are not used: {', '.join(unused)}")
    warnings = [*frame.attrs.get(WARNINGS, ())]
    if len(kept) < len(files):
        warnings.append(f"{len(files) - len(kept):,} rows name no file in {column!r} and are left out")
    return Items(
        items=items,
        labels=labels[kept],
        roles=None if roles is None else roles[kept],
        target=", ".join(names),
        where=where,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _path(folder: Path, cell: Any) -> Path | None:
    return None if is_missing(cell) or not str(cell).strip() else folder / str(cell).strip()


def _label_columns(frame: Any, names: list[str], targets: tuple[str, ...], where: str) -> list[str]:
    """The columns of the labels.

    Raises:
        DataError: A named one does not exist, or it is unclear which one it is.
    """
    if targets:
        for name in targets:
            if name not in frame.columns:
                fix = f"Columns: {', '.join(map(str, frame.columns))}."
                raise DataError(f"there is no column {name!r}.{did_you_mean(name, names)}", where=where, fix=fix)
        return list(targets)
    usual = [name for name in names if name.strip().lower() in USUAL_LABELS]
    chosen = usual if len(usual) == 1 else names
    if not chosen:
        raise DataError("it names files, but no column holds their labels", where=where, fix="Add a column with labels.")
    if len(chosen) > 1:
        raise DataError("several columns could be the label", where=where, fix=f"Set target. {one_of('', chosen)}")
    return chosen

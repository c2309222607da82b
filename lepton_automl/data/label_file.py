"""Labels of pictures from a table beside them, such as `images/` with `labels.csv`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from lepton_automl.errors import DataError, one_of
from lepton_automl.preprocess import is_missing, to_text

from .image_folders import Arrangement, Picture, split_of
from .splits import OPEN

USUAL = ("label", "labels", "target", "class", "category", "y")  # names of a column that holds labels
HALF = 0.5  # of the cells of a column have to name pictures, for it to be the column of their names
Reader = Callable[[], Any]


def labelled_by_table(names: Sequence[str], tables: Mapping[str, Reader], where: str, target: str | None) -> Arrangement | None:
    """Pictures with the labels that a table gives them.

    Args:
        names: Paths of the pictures within the source.
        tables: What reads each table in the source as a DataFrame, by its path.
        where: The source, for messages.
        target: The column with the labels; None to look for a usual name, or take the only other column.

    Returns:
        The pictures that have a row; None where no table names the pictures.

    Raises:
        DataError: It is unclear which table or which column holds the labels, or a row names several pictures.
    """
    keys = _keys(names)
    found = {}
    for path, read in tables.items():
        frame = read()
        column = next((name for name in frame.columns if _matched(frame[name].tolist(), keys) >= HALF), None)
        labels = None if column is None else _label_column([str(name) for name in frame.columns if name != column], target)
        if labels:
            found[path] = (frame, str(column), labels)
    if not found:
        return None
    if len(found) > 1:
        fix = "Leave one of them beside the pictures."
        raise DataError(f"several tables could hold the labels: {', '.join(sorted(found))}", where=where, fix=fix)
    ((path, (frame, column, labels)),) = found.items()
    if len(labels) > 1:
        raise DataError(
            f"{path} has several columns that could be the label", where=where, fix=f"Set target. {one_of('', labels)}"
        )
    return _arrangement(names, keys, frame, (path, column, labels[0]), where)


def _keys(names: Sequence[str]) -> dict[str, list[str]]:
    """What a table may call each picture: its path, or its end, with or without the file's ending."""
    keys: dict[str, list[str]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        parts = [PurePosixPath(*path.parts[start:]) for start in range(len(path.parts))]
        for key in {str(one) for part in parts for one in (part, part.with_suffix(""))}:
            keys[key].append(name)
    return keys


def _key(cell: Any) -> str:
    return "" if is_missing(cell) else str(to_text(cell)).strip().replace("\\", "/").removeprefix("./")


def _matched(cells: list[Any], keys: Mapping[str, list[str]]) -> float:
    known = [key for key in map(_key, cells) if key]
    return sum(key in keys for key in known) / len(known) if known else 0.0


def _label_column(others: list[str], target: str | None) -> list[str]:
    """The column of the labels, or those that it could be."""
    if target is not None:
        return [target] if target in others else []
    usual = [name for name in others if name.strip().lower() in USUAL]
    return usual if len(usual) == 1 else others


def _arrangement(
    names: Sequence[str], keys: Mapping[str, list[str]], frame: Any, columns: tuple[str, str, str], where: str
) -> Arrangement:
    path, column, target = columns
    split = split_of(PurePosixPath(path).stem)
    labels: dict[str, Any] = {}
    lost = 0
    for cell, label in zip(frame[column].tolist(), frame[target].tolist(), strict=True):
        called = keys.get(_key(cell), [])
        if len(called) > 1 and split:  # train.csv names the pictures in train/
            called = [name for name in called if any(split_of(part) == split for part in PurePosixPath(name).parts[:-1])]
        if len(called) > 1:
            fix = "Name pictures by their paths in the table."
            raise DataError(
                f"{path} names {cell!r}, which are {len(called)} pictures: {', '.join(called[:3])}", where=where, fix=fix
            )
        if not called or is_missing(label):
            lost += 1
        elif labels.setdefault(called[0], label) != label:
            what = f"{path} gives {called[0]!r} two labels: {labels[called[0]]!r} and {label!r}"
            raise DataError(what, where=where, fix="Keep one row a picture.")
    pictures = [Picture(name, labels[name], _role(name)) for name in names if name in labels]
    warnings = [f"{lost:,} rows of {path} have no picture or no label: they are left out"] if lost else []
    if len(pictures) < len(names):
        warnings.append(f"{len(names) - len(pictures):,} pictures have no label in {path}: they are left out")
    return Arrangement(pictures, (f"labels come from the column {target!r} of {path}",), tuple(warnings))


def _role(name: str) -> int:
    """The split that a folder around a picture names."""
    found = [split for part in PurePosixPath(name).parts[:-1] if (split := split_of(part))]
    return found[0][0] if found else OPEN

"""Labels of images from a table next to them, such as `images/` with `labels.csv`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lepton_automl.cells import is_missing, to_text
from lepton_automl.data.file_names import USUAL_LABELS
from lepton_automl.data.label_targets import labels_from_indicators
from lepton_automl.data.reading import WARNINGS
from lepton_automl.data.split_column import find_split_column, split_roles
from lepton_automl.data.splits import OPEN
from lepton_automl.errors import DataError, one_of

from .folder_layout import Arrangement, Picture, split_of

HALF = 0.5  # share of a column's cells that must name images, for it to be the column of file names
SEVERAL = "labels of several columns"
Reader = Callable[[], Any]
Keys = dict[str, list[str]]


def labelled_by_table(
    names: Sequence[str], tables: Mapping[str, Reader], source: str, target: str | tuple[str, ...] | None
) -> Arrangement | None:
    """Images with the labels that a table gives them.

    Args:
        names: Paths of the images within the source.
        tables: Functions that read each table in the source as a DataFrame, by its path.
        source: The source, for messages.
        target: The column with the labels; None to look for a usual name, or use the only other column.

    Returns:
        The images that have a row; None if no table has a column with their names and one with labels.

    Raises:
        DataError: It is unclear which table or which column holds the labels, or a row names several images.
    """
    keys = _keys(names)
    candidates: dict[str, tuple[Any, str, list[str], Spelling]] = {}
    for path, read in tables.items():
        frame = read()
        column, spelling = _naming_column(frame, keys)
        if column is None or spelling is None:
            continue
        _check_header(frame, keys, path, source)
        columns = (target,) if isinstance(target, str) else target or ()
        split = find_split_column(frame, {*columns, column}, [])
        if len(columns) > 1 and set(columns) <= set(map(str, frame.columns)):
            frame = frame.assign(**{SEVERAL: list(labels_from_indicators({name: frame[name].tolist() for name in columns}))})
            candidates[path] = (frame, column, [SEVERAL], spelling)
            continue
        labels = _label_column(
            [str(name) for name in frame.columns if name not in (column, split)], columns[0] if columns else None
        )
        if labels:
            candidates[path] = (frame, column, labels, spelling)
    if not candidates:
        return None
    if len(candidates) > 1:
        fix = "Keep only one of them next to the images."
        raise DataError(f"several tables could hold the labels: {', '.join(sorted(candidates))}", where=source, fix=fix)
    ((path, (frame, column, labels, spelling)),) = candidates.items()
    if len(labels) > 1:
        raise DataError(
            f"{path} has several columns that could be the label", where=source, fix=f"Set target. {one_of('', labels)}"
        )
    return _arrangement(names, spelling, frame, (path, column, labels[0]), source)


def _naming_column(frame: Any, keys: Keys) -> tuple[str | None, Spelling | None]:
    """The column that names the images, and how it spells their names."""
    for column in frame.columns:
        cells = [_key(cell) for cell in frame[column].tolist()]
        for spelling in _spellings(cells, keys):
            known = [cell for cell in cells if cell]
            if known and sum(spelling(cell) in spelling.keys for cell in known) / len(known) >= HALF:
                return str(column), spelling
    return None, None


def _check_header(frame: Any, keys: Keys, path: str, source: str) -> None:
    """Check that the first line holds the names of columns.

    Raises:
        DataError: It names an image.
    """
    first = next((str(name) for name in frame.columns if "." in str(name) and _key(name) in keys), None)
    if first is not None:
        fix = "Add a first line with the names of the columns, such as file,label."
        raise DataError(f"{path} has no header: its first line names the image {first!r}", where=source, fix=fix)


@dataclass(frozen=True)
class Spelling:
    """How a table spells the names of the images.

    Args:
        keys: The images by the names that a cell may use.
        above: The folder that all names in the table start with and that the source lacks; empty for none.
        any_case: Whether upper and lower case are the same.
    """

    keys: Keys
    above: str = ""
    any_case: bool = False

    def __call__(self, cell: str) -> str:
        """The key of a cell."""
        bare = cell.removeprefix(self.above)
        return bare.casefold() if self.any_case else bare


def _spellings(cells: Sequence[str], keys: Keys) -> Iterator[Spelling]:
    """The possible spellings, the strictest first."""
    above = _common_folder([cell for cell in cells if cell])
    folded: Keys = defaultdict(list)
    for key, names in keys.items():
        folded[key.casefold()] += [name for name in names if name not in folded[key.casefold()]]
    for prefix in dict.fromkeys(("", above)):
        yield Spelling(keys, prefix)
        yield Spelling(folded, prefix, any_case=True)


def _common_folder(cells: Sequence[str]) -> str:
    """The folders that all cells start with, such as `"/home/ann/photos/"`."""
    folders = [cell.split("/")[:-1] for cell in cells]
    same = 0
    for names in zip(*folders, strict=False):
        if len(set(names)) > 1:
            break
        same += 1
    return "".join(f"{name}/" for name in folders[0][:same]) if folders else ""


def _keys(names: Sequence[str]) -> Keys:
    """The images by the names that a table may use: the path or an end of it, with or without the file extension."""
    keys: Keys = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        parts = [PurePosixPath(*path.parts[start:]) for start in range(len(path.parts))]
        for key in {str(path_text) for part in parts for path_text in (part, part.with_suffix(""))}:
            keys[key].append(name)
    return keys


def _key(cell: Any) -> str:
    return "" if is_missing(cell) else str(to_text(cell)).strip().replace("\\", "/").removeprefix("./")


def _label_column(names: list[str], target: str | None) -> list[str]:
    """The column of the labels, or the columns that it could be."""
    if target is not None:
        return [target] if target in names else []
    usual = [name for name in names if name.strip().lower() in USUAL_LABELS]
    return usual if len(usual) == 1 else names


def _arrangement(
    names: Sequence[str], spelling: Spelling, frame: Any, columns: tuple[str, str, str], source: str
) -> Arrangement:
    path, column, target = columns
    split = split_of(PurePosixPath(path).stem)
    notes = [f"labels come from the column {target!r} of {path}"]
    split_from = find_split_column(frame, {target, column}, notes)
    roles = [OPEN] * len(frame) if split_from is None else split_roles(frame[split_from].tolist(), split_from, path).tolist()
    labels: dict[str, Any] = {}
    role_by_name: dict[str, int] = {}
    lost = 0
    for cell, label, role in zip(frame[column].tolist(), frame[target].tolist(), roles, strict=True):
        matches = spelling.keys.get(spelling(_key(cell)), [])
        if len(matches) > 1 and split:  # train.csv names the images in train/
            matches = [name for name in matches if any(split_of(part) == split for part in PurePosixPath(name).parts[:-1])]
        if len(matches) > 1:
            fix = "Give the paths of the images in the table."
            raise DataError(
                f"{path} names {cell!r}, which matches {len(matches)} images: {', '.join(matches[:3])}", where=source, fix=fix
            )
        if not matches or is_missing(label):
            lost += 1
        elif not _alike(labels.setdefault(matches[0], label), label):
            what = f"{path} gives {matches[0]!r} two labels: {labels[matches[0]]!r} and {label!r}"
            raise DataError(what, where=source, fix="Keep one row per image.")
        elif role_by_name.setdefault(matches[0], role) != role:
            what = f"{path} gives {matches[0]!r} two splits"
            raise DataError(what, where=source, fix="Keep one row per image.")
    pictures = [
        Picture(name, labels[name], _role(name) if split_from is None else role_by_name[name])
        for name in names
        if name in labels
    ]
    warnings = [f"of {path}: {warning}" for warning in frame.attrs.get(WARNINGS, ())]
    warnings += [f"{lost:,} rows of {path} have no image or no label and are left out"] if lost else []
    if len(pictures) < len(names):
        warnings.append(f"{len(names) - len(pictures):,} images have no label in {path} and are left out")
    return Arrangement(pictures, tuple(notes), tuple(warnings))


def _alike(value: Any, other: Any) -> bool:
    return bool(list(value) == list(other) if isinstance(value, list) else value == other)


def _role(name: str) -> int:
    """The split that is named by a folder of the path."""
    splits = [split for part in PurePosixPath(name).parts[:-1] if (split := split_of(part))]
    return splits[0][0] if splits else OPEN

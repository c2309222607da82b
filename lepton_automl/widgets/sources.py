"""Where data may come from: variables of the notebook, paths, and files that a person hands over."""

from __future__ import annotations

import itertools
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .plan import python_literal

ROWS = 20  # fewer are no data to learn from
OFFERED = 60  # entries of a folder that are offered
NAME = re.compile(r"[^\w.-]+")
PAIRED = ("x", "y"), ("images", "labels"), ("features", "labels"), ("data", "target"), ("inputs", "targets")
BUNCH = ("images", "data")  # of scikit-learn's bundled sets, with `target` beside them


@dataclass(frozen=True, eq=False)
class Source:
    """Something to learn from.

    Args:
        code: How it is written as arguments of `fit`.
        parts: Those arguments: the data, and labels where they are apart.
        description: What it is, in a few words.
    """

    code: str
    parts: tuple[Any, ...] = field(repr=False)
    description: str = ""

    @property
    def alone(self) -> str:
        """How it is written as one argument."""
        return f"({self.code})" if len(self.parts) > 1 else self.code

    @property
    def whole(self) -> Any:
        """As `prepare` takes it."""
        return self.parts[0] if len(self.parts) == 1 else self.parts

    def mark(self) -> Any:
        """A fingerprint of its content, which tells whether it was changed since."""
        return tuple(map(_mark, self.parts))


def find_sources(names: Mapping[str, Any]) -> list[Source]:
    """What a namespace holds that can be learnt from: tables, pairs of rows and labels, scikit-learn's bundles.

    Args:
        names: Variables by name; those that begin with an underscore are a notebook's own.
    """
    open_names = {
        name: value for name, value in list(names.items()) if name[0] != "_" and name.isidentifier() and _is_data(value)
    }
    tables = [Source(name, (value,), _size(value)) for name, value in open_names.items() if _is_table(value)]
    return [*tables, *_bundles(open_names), *_tuples(open_names), *_pairs(open_names)]


def same_objects(source: Source, other: Source) -> bool:
    """Whether they are the same objects; these may have been changed meanwhile."""
    return all(a is b for a, b in zip(source.parts, other.parts, strict=False))


def path_source(text: str) -> Source:
    """A path that a person wrote; `~` is their home."""
    path = str(Path(text).expanduser()) if text.startswith("~") else text
    return Source(python_literal(path), (path,), "")


def completions(text: str) -> list[str]:
    """What a path that is being written may become: folders, and files, of the folder that it has reached."""
    head, _, start = text.rpartition("/")
    folder = Path(head or ("/" if text.startswith("/") else ".")).expanduser()
    try:
        with os.scandir(folder) as listed:
            fits = (entry for entry in listed if entry.name.startswith(start) and (start or not entry.name.startswith(".")))
            names = [f"{head}/{entry.name}" if "/" in text else entry.name for entry in itertools.islice(fits, OFFERED)]
    except OSError:  # not there yet, or not ours to read
        return []
    return sorted(names)


def keep(files: Iterable[Mapping[str, Any]], folder: Path, label: str = "") -> Path:
    """Write files that a page handed over.

    Args:
        files: Each has a `name` and its `content`.
        folder: Where they go; a file of the same name there is written over.
        label: The class of the pictures among them, which becomes their folder.

    Returns:
        The file; where there is a label, the folder of all classes.
    """
    into = folder / "pictures" / _safe(label) if label else folder
    into.mkdir(parents=True, exist_ok=True)
    paths = [into / _safe(str(upload["name"])) for upload in files]
    for path, upload in zip(paths, files, strict=True):
        path.write_bytes(bytes(upload["content"]))
    return into.parent if label else paths[0]


def _safe(name: str) -> str:
    """A file's name without a way out of its folder."""
    return NAME.sub("-", name.replace("\\", "/").rpartition("/")[2]).strip("-.")[-120:] or "file"


def _is_data(value: Any) -> bool:
    """Whether it may be part of data at all; a stranger's object may do anything when it is asked."""
    if isinstance(value, type | ModuleType) or callable(value):
        return False
    try:
        return isinstance(value, dict | list | tuple) or hasattr(value, "shape")
    except Exception:
        return False


def _is_table(value: Any) -> bool:
    if isinstance(value, dict):
        columns = [column for column in value.values() if isinstance(column, list) or len(_shape(column)) == 1]
        return 1 < len(columns) == len(value) and len(columns[0]) >= ROWS and len(set(map(len, columns))) == 1
    framed = hasattr(value, "columns") and (hasattr(value, "iloc") or hasattr(value, "to_pandas"))
    return framed and value.shape[1] > 1 and len(value) >= ROWS


def _shape(value: Any) -> tuple[int, ...]:
    """Of an array, a tensor or a table; empty for anything else."""
    shape = getattr(value, "shape", ())
    if isinstance(value, type) or not (isinstance(shape, tuple) and hasattr(value, "__getitem__")):
        return ()
    return tuple(shape) if all(isinstance(side, int) for side in shape) else ()


def _is_rows(value: Any) -> bool:
    return len(_shape(value)) >= 2 and len(value) >= ROWS


def _is_labels(value: Any, rows: int) -> bool:
    if isinstance(value, list):
        return 0 < len(value) == rows and isinstance(value[0], str | int | float | bool)
    return _shape(value) in {(rows,), (rows, 1)}


def _pairs(names: Mapping[str, Any]) -> Iterator[Source]:
    """Rows, each with the labels of equal number whose name fits best: `x` and `y`, `train_images` and `train_labels`."""
    for name, rows in names.items():
        if not _is_rows(rows):
            continue
        fits = [other for other, value in names.items() if other != name and _is_labels(value, len(rows))]
        for other in sorted(fits, key=lambda other: _strange(name, other))[:2]:
            yield Source(f"{name}, {other}", (rows, names[other]), _size(rows))


def _strange(rows: str, labels: str) -> int:
    """How little two names look like a pair."""
    name, two = rows.lower(), labels.lower()
    return int(not any(two == name.replace(a, b) and a in name for a, b in PAIRED))


def _tuples(names: Mapping[str, Any]) -> Iterator[Source]:
    for name, value in names.items():
        if isinstance(value, tuple | list) and len(value) == 2 and _is_rows(value[0]) and _is_labels(value[1], len(value[0])):
            yield Source(name, (value,), _size(value[0]))


def _bundles(names: Mapping[str, Any]) -> Iterator[Source]:
    for name, value in names.items():
        labels = getattr(value, "target", None) if isinstance(value, dict) else None
        part = next((part for part in BUNCH if _is_rows(getattr(value, part, None))), "")
        if labels is not None and part and _is_labels(labels, len(getattr(value, part))):
            rows = getattr(value, part)
            yield Source(f"{name}.{part}, {name}.target", (rows, labels), _size(rows))


def _size(value: Any) -> str:
    if isinstance(value, dict):
        return f"{len(next(iter(value.values()))):,} x {len(value)}"
    return " x ".join(f"{side:,}" for side in value.shape)


def _mark(part: Any) -> Any:
    if isinstance(part, str | Path):
        path = Path(part)
        return (path.stat().st_mtime_ns, path.stat().st_size, *sorted(_inside(path))) if path.exists() else ()
    if isinstance(part, tuple | list) and len(part) == 2 and _is_rows(part[0]):
        return tuple(map(_mark, part))
    if isinstance(part, dict):
        return object()
    if hasattr(part, "to_pandas"):
        part = part.to_pandas()
    if hasattr(part, "iloc"):
        from pandas.util import hash_pandas_object

        try:
            return (tuple(map(str, getattr(part, "columns", ()))), zlib.crc32(hash_pandas_object(part).to_numpy().tobytes()))
        except (TypeError, ValueError):  # cells that have no hash: never the same
            return object()
    array = np.asarray(part.detach().cpu() if hasattr(part, "detach") else part)
    return object() if array.dtype == object else (array.shape, str(array.dtype), zlib.crc32(np.ascontiguousarray(array).data))


def _inside(path: Path) -> Iterator[tuple[str, int, int]]:
    """The files of a folder."""
    for folder, _, files in os.walk(path):
        for name in files:
            known = (Path(folder) / name).stat()
            yield str(Path(folder) / name), known.st_mtime_ns, known.st_size

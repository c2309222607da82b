"""Data sources: variables of the notebook, paths, URLs, and uploaded files."""

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

from lepton_automl.data.sources import IN_MEMORY, reader_of
from lepton_automl.source import SourceReader

from .plan import python_literal

ROWS = 20  # minimum to count as training data
OFFERED = 60  # entries of a folder offered at most
NAME = re.compile(r"[^\w.-]+")
PAIRED = ("x", "y"), ("images", "labels"), ("features", "labels"), ("data", "target"), ("inputs", "targets")
ARRAYS = ("to_pandas", "iloc", "detach", "__array__")  # tables and arrays in memory have one of these
BUNCH = ("images", "data")  # of scikit-learn's bundled sets, with `target` beside them


@dataclass(frozen=True, eq=False)
class Source:
    """A source of training data.

    Args:
        code: The Python code of the arguments of `fit`.
        parts: Those arguments: the data, and the labels if they are separate.
        description: A short description.
    """

    code: str
    parts: tuple[Any, ...] = field(repr=False)
    description: str = ""

    @property
    def alone(self) -> str:
        """The code as a single argument."""
        return f"({self.code})" if len(self.parts) > 1 else self.code

    @property
    def whole(self) -> Any:
        """The data as `prepare` takes them."""
        return self.parts[0] if len(self.parts) == 1 else self.parts

    def mark(self) -> Any:
        """A fingerprint of the content, to detect changes."""
        return tuple(map(_mark, self.parts))


def find_sources(names: Mapping[str, Any]) -> list[Source]:
    """The training data in a namespace: tables, datasets, queries, pairs of rows and labels, datasets of scikit-learn.

    Args:
        names: Variables by name; names with a leading underscore are skipped.
    """
    offered = {name: value for name, value in list(names.items()) if name[0] != "_" and name.isidentifier()}
    open_names = {name: value for name, value in offered.items() if _is_data(value)}
    tables = [Source(name, (value,), _size(value)) for name, value in open_names.items() if _is_table(value)]
    known = {source.code for source in tables}
    others = {name: reader for name, value in offered.items() if name not in known and (reader := _reader_of(value))}
    read = [Source(name, (offered[name],), reader.accepts) for name, reader in others.items()]
    return [*tables, *read, *_bundles(open_names), *_tuples(open_names), *_pairs(open_names)]


def same_objects(source: Source, other: Source) -> bool:
    """Whether two sources are the same objects, which may have been changed meanwhile."""
    return all(a is b for a, b in zip(source.parts, other.parts, strict=False))


def path_source(text: str) -> Source:
    """The source of an entered path; a leading `~` is the home folder."""
    path = str(Path(text).expanduser()) if text.startswith("~") else text
    return Source(python_literal(path), (path,), "")


def completions(text: str) -> list[str]:
    """Completions of a path: the matching files and folders in its last folder."""
    head, _, start = text.rpartition("/")
    folder = Path(head or ("/" if text.startswith("/") else ".")).expanduser()
    try:
        with os.scandir(folder) as listed:
            fits = (entry for entry in listed if entry.name.startswith(start) and (start or not entry.name.startswith(".")))
            names = [f"{head}/{entry.name}" if "/" in text else entry.name for entry in itertools.islice(fits, OFFERED)]
    except OSError:  # does not exist yet, or is not readable
        return []
    return sorted(names)


def keep(files: Iterable[Mapping[str, Any]], folder: Path, label: str = "") -> Path:
    """Save uploaded files.

    Args:
        files: Each has a `name` and its `content`.
        folder: The folder to save in; a file of the same name is overwritten.
        label: The class of the images, which becomes the name of their folder.

    Returns:
        The file; with a label, the folder of all classes.
    """
    into = folder / "pictures" / _safe(label) if label else folder
    into.mkdir(parents=True, exist_ok=True)
    paths = [into / _safe(str(upload["name"])) for upload in files]
    for path, upload in zip(paths, files, strict=True):
        path.write_bytes(bytes(upload["content"]))
    return into.parent if label else paths[0]


def _safe(name: str) -> str:
    """A file name that cannot lead out of its folder."""
    return NAME.sub("-", name.replace("\\", "/").rpartition("/")[2]).strip("-.")[-120:] or "file"


def _reader_of(value: Any) -> SourceReader | None:
    """The reader of a dataset or a query; None for a single part of a pair, a text, and what can be read only once."""
    if isinstance(value, str | Path | list | tuple | Iterator | type | ModuleType) or callable(value):
        return None
    try:
        return reader_of(value, IN_MEMORY)
    except Exception:  # as below
        return None


def _is_data(value: Any) -> bool:
    """Whether a value may be part of a dataset; reading an attribute of any object may raise."""
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
    """The shape of an array, tensor or table; empty for anything else."""
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
    """Rows, each with labels of the same length, best matching names first: `x` and `y`, `train_images` and `train_labels`."""
    for name, rows in names.items():
        if not _is_rows(rows):
            continue
        fits = [other for other, value in names.items() if other != name and _is_labels(value, len(rows))]
        for other in sorted(fits, key=lambda other: _pair_distance(name, other))[:2]:
            yield Source(f"{name}, {other}", (rows, names[other]), _size(rows))


def _pair_distance(rows: str, labels: str) -> int:
    """0 if two names look like a pair, else 1."""
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
    if (content := getattr(part, "_fingerprint", None)) is not None:  # of a Hugging Face dataset, which does not change
        return content
    if isinstance(part, dict) or not (isinstance(part, list | tuple) or any(hasattr(part, way) for way in ARRAYS)):
        return object()  # never equal, so it is read again
    if hasattr(part, "to_pandas"):
        part = part.to_pandas()
    if hasattr(part, "iloc"):
        from pandas.util import hash_pandas_object

        try:
            return (tuple(map(str, getattr(part, "columns", ()))), zlib.crc32(hash_pandas_object(part).to_numpy().tobytes()))
        except (TypeError, ValueError):  # unhashable cells: never equal
            return object()
    array = np.asarray(part.detach().cpu() if hasattr(part, "detach") else part)
    return object() if array.dtype == object else (array.shape, str(array.dtype), zlib.crc32(np.ascontiguousarray(array).data))


def _inside(path: Path) -> Iterator[tuple[str, int, int]]:
    """The files of a folder, with their times and sizes."""
    for folder, _, files in os.walk(path):
        for name in files:
            known = (Path(folder) / name).stat()
            yield str(Path(folder) / name), known.st_mtime_ns, known.st_size

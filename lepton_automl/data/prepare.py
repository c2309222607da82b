"""From whatever a person has to a prepared folder and its `DataSpec`. Loads no torch: tensors are taken as they quack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton_automl.errors import ConfigError, DataError, did_you_mean
from lepton_automl.specs import DataSpec

from . import images, store, tables
from .album import TARS
from .options import DataOptions
from .pictures import Progress
from .reading import NOTES, SEPARATOR, WARNINGS, as_array, checked, is_table_path, read_table, table_of_arrays

TARGET = "target"
FIRST = 5  # rows that tell whether a column names pictures
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif")
LONGEST_PATH = 1024  # characters
KNOWN = (
    "Give a folder of class folders with pictures, a zip or tar of one, a folder with idx files, a CSV or Parquet file, "
    "a DataFrame, or (X, y)."
)


def prepare(
    source: Any,
    folder: Path,
    options: DataOptions | None = None,
    *,
    test: Any = None,
    progress: Progress | None = None,
) -> DataSpec:
    """Recognise a source, split it, fit its preprocessing on the training rows, and leave all in a folder.

    The folder then holds `spec.json`, `preprocess.json`, examples, `rows/` (to learn and choose from) and `test/`
    (sealed: nothing but `open_test` reads it).

    Args:
        source: An image folder, a zip or tar of one, an idx folder, a CSV or Parquet path, a DataFrame, a dict of columns, or
            (X, y) with X a table [N, F], images [N, H, W], [N, H, W, C], [N, C, H, W], or a DataFrame.
        folder: Where to prepare it; made if need be.
        options: What overrides the inferences.
        test: Test data kept apart, of the same kind as the source.
        progress: Told how many of how many pictures are decoded.

    Returns:
        What the data are; `notes` say what was inferred and why, `warnings` what looks wrong.

    Raises:
        DataError: The data cannot be used as they are; nothing is left behind.
        ConfigError: An option does not fit the source.
    """
    options = options or DataOptions()
    test = options.test if test is None else test
    folder = Path(folder)
    _check_exists(source)
    _check_exists(test)
    with store.writing(folder):
        if _is_image_source(source):
            _check_image_options(options)
            with _images(source, test, folder, options, progress) as found:
                spec = images.prepare_images(found, folder, options, _name(source))
        else:
            frame = _frame(source, options)
            sealed = None if test is None else _frame(test, options, _texts(frame))
            spec = tables.prepare_table(frame, sealed, folder, options, _name(source))
            spec = _with_remarks(spec, frame, sealed)
            spec = spec.replace(warnings=(*spec.warnings, *_names_pictures(source, frame)))
        spec = spec.replace(digest=store.digest(folder))
        store.save_spec(spec)
    return spec


def _check_exists(source: Any) -> None:
    if not isinstance(source, str | Path):
        return
    path = Path(source)
    try:
        there = path.exists()
        if path.is_dir():
            next(path.iterdir(), None)
        elif there:
            path.open("rb").close()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}", where=str(path), fix="Check its permissions.") from error
    if not there:
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no such file or folder.{did_you_mean(path.name, beside)}", where=str(path), fix=KNOWN)


def _is_pair(source: Any) -> bool:
    return isinstance(source, tuple | list) and len(source) == 2 and all(hasattr(part, "__len__") for part in source)


def _is_image_source(source: Any) -> bool:
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            return True
        if is_table_path(path):
            return False
        if path.name.lower().endswith((".zip", *TARS)):
            return True
        raise DataError("this kind of file is not known", where=str(path), fix=KNOWN)
    if _is_pair(source) and not hasattr(source[0], "columns"):
        return len(as_array(source[0]).shape) > 2
    return False


def _check_image_options(options: DataOptions) -> None:
    for name in ("split_column", "group_column", "time_column", "categorical", "numeric", "ignore", "decimal", "dayfirst"):
        if getattr(options, name) not in (None, "", ()):
            raise ConfigError(f"{name} is for tables; these are images", where="DataOptions", fix=f"Leave {name} out.")


@contextmanager
def _images(source: Any, test: Any, folder: Path, options: DataOptions, progress: Progress | None) -> Iterator[images.Images]:
    if isinstance(source, str | Path):
        path = Path(source)
        if not (path.is_dir() and images.idx_files(path)):
            with images.from_album(path, Path(test) if test is not None else None, folder, options, progress) as found:
                yield found
            return
    if options.split is not None:
        raise ConfigError("split is for folders of pictures; these are arrays", where="DataOptions", fix="Leave split out.")
    found = _in_memory(source, options)
    yield found if test is None else images.joined(found, _in_memory(test, options))


def _in_memory(source: Any, options: DataOptions) -> images.Images:
    if isinstance(source, str | Path):
        return images.from_idx(Path(source), options)
    return images.from_arrays(as_array(source[0]), as_array(source[1]), options)


def _frame(source: Any, options: DataOptions, texts: Collection[str] = ()) -> Any:
    """The source as a DataFrame."""
    if isinstance(source, str | Path):
        return read_table(Path(source), texts)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return checked(source, "the DataFrame")
    if _is_pair(source):
        return table_of_arrays(source[0], source[1], options.target or TARGET)
    if isinstance(source, Mapping):
        return _frame_of_columns(source)
    if hasattr(source, "to_pandas"):
        return checked(source.to_pandas(), "the table")
    raise DataError(f"a {type(source).__name__} is no source of data", where="data", fix=KNOWN)


def _texts(frame: Any) -> list[str]:
    """The columns of a file that are text."""
    return [name for name in frame.columns if frame[name].dtype.kind not in "fiubmM"] if SEPARATOR in frame.attrs else []


def _with_remarks(spec: DataSpec, frame: Any, sealed: Any) -> DataSpec:
    """What was found out about the files stands before what was about their columns."""
    said = {kind: list(frame.attrs.get(kind, ())) for kind in (NOTES, WARNINGS)}
    if sealed is not None:
        for kind, known in said.items():
            known += [f"of the test data: {one}" for one in sealed.attrs.get(kind, ())]
    return spec.replace(notes=(*said[NOTES], *spec.notes), warnings=(*said[WARNINGS], *spec.warnings))


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


def _frame_of_columns(source: Mapping[Any, Any]) -> Any:
    import pandas as pd

    try:
        return checked(pd.DataFrame(dict(source)), "the columns")
    except ValueError as error:
        raise DataError(f"the columns make no table: {error}", where="data", fix="Make all columns equally long.") from error


def _name(source: Any) -> str:
    """A short name for people."""
    if isinstance(source, str | Path):
        return Path(source).resolve().name.split(".")[0] or "data"
    return "data"

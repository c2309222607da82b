"""Tables in: CSV, Parquet, DataFrames, dicts of columns and (X, y) become a pandas DataFrame with unique text names."""

from __future__ import annotations

import csv
import gzip
import lzma
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

CSV_ENDINGS = (".csv", ".csv.gz", ".csv.xz", ".tsv", ".tsv.gz", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
SEPARATORS = ",;\t|"


def is_table_path(path: Path) -> bool:
    """Whether a file's name is one of a table."""
    return path.name.lower().endswith((*CSV_ENDINGS, *PARQUET_ENDINGS))


def read_table(path: Path) -> pd.DataFrame:
    """A CSV (compressed or not) or Parquet file.

    Raises:
        DataError: It is empty, damaged or not text, or two columns share a name.
    """
    import pandas as pd

    try:
        if path.name.lower().endswith(PARQUET_ENDINGS):
            frame = pd.read_parquet(path)
        else:
            separator, names = _header(path)
            _check_unique(names, str(path))
            frame = pd.read_csv(path, sep=separator, low_memory=False)
            if separator == ";" and _has_decimal_commas(frame):
                frame = pd.read_csv(path, sep=separator, low_memory=False, decimal=",")
    except UnicodeDecodeError as error:
        fix = "Save it as UTF-8, or read it with pandas and pass the DataFrame."
        raise DataError("the file is not UTF-8 text", where=str(path), fix=fix) from error
    except DataError:
        raise
    except (ValueError, OSError, EOFError, lzma.LZMAError) as error:  # pandas' and arrow's parser errors are ValueErrors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        fix = "Check that the file is whole; or read it with pandas and pass the DataFrame."
        raise DataError(f"the table cannot be read: {reason}", where=str(path), fix=fix) from error
    return checked(frame, str(path))


def column_names(source: Any) -> list[str]:
    """The names of a table's columns as `prepare` will know them, without reading its rows; none where it is no table.

    Raises:
        DataError: It cannot be read.
    """
    if hasattr(source, "columns"):
        return [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in source.columns]
    if isinstance(source, Mapping):
        return [str(name) for name in source]
    if not isinstance(source, str | Path) or not (Path(source).is_file() and is_table_path(Path(source))):
        return []
    path = Path(source)
    try:
        names = _parquet_names(path) if path.name.lower().endswith(PARQUET_ENDINGS) else _header(path)[1]
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:
        raise DataError(f"the table cannot be read: {error}", where=str(path), fix="Check that the file is whole.") from error
    return [name.strip() for name in names]


def _parquet_names(path: Path) -> list[str]:
    from pyarrow import parquet

    return [str(name) for name in parquet.read_schema(path).names if not str(name).startswith("__index_level_")]


def _has_decimal_commas(frame: pd.DataFrame) -> bool:
    """Whether a text column holds nothing but numbers such as 3,14."""
    texts = (frame[column].dropna().astype(str) for column in frame.columns if frame[column].dtype.kind not in "biufmM")
    return any(len(text) and text.str.fullmatch(r"\s*[+-]?\d*,?\d+\s*").all() for text in texts)


def _header(path: Path) -> tuple[str, list[str]]:
    """The separator and the column names of a CSV, as written: pandas would rename equal ones in silence."""
    opened: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    with opened.get(path.suffix.lower(), open)(path, "rt", encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        if not first.strip():
            raise DataError("the file is empty", where=str(path), fix="Give a CSV with a header line and rows.")
        separator = max(SEPARATORS, key=first.count)
        return separator, next(csv.reader([first], delimiter=separator))


def _check_unique(names: list[Any], where: str) -> None:
    twice = [str(name) for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"columns share a name: {', '.join(map(repr, twice))}", where=where, fix="Give each its own name.")


def checked(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table with text for names and rows numbered from 0.

    Raises:
        DataError: It has no rows or columns, or two columns share a name.
    """
    if not len(frame) or not len(frame.columns):
        fix = "Give a table with a header and rows."
        raise DataError(f"the table has {len(frame)} rows and {len(frame.columns)} columns", where=where, fix=fix)
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in frame.columns]
    _check_unique(names, where)
    return frame.set_axis(names, axis=1).reset_index(drop=True)


def table_of_arrays(X: Any, y: Any, target: str) -> pd.DataFrame:
    """(X, y) as a table; columns of a plain array are called x0, x1, ...

    Raises:
        DataError: They are not equally long, or are no table.
    """
    import pandas as pd

    frame = X if isinstance(X, pd.DataFrame) else _frame_of_array(as_array(X))
    labels: Any = y.to_numpy() if isinstance(y, pd.Series | pd.DataFrame) else as_array(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != len(frame):
        fix = "Give one target a row."
        raise DataError(f"X has {len(frame):,} rows and y has shape {labels.shape}", where="(X, y)", fix=fix)
    frame = checked(frame, "X")
    if target in frame.columns:
        raise DataError(f"X has a column {target!r} already", where="(X, y)", fix="Name the target otherwise: target='...'.")
    return frame.assign(**{target: labels})


def _frame_of_array(array: Any) -> pd.DataFrame:
    import pandas as pd

    if array.ndim != 2:
        fix = "Give [rows, columns] for a table, or [N, H, W] or [N, H, W, 3] for images."
        raise DataError(f"X has shape {array.shape}", where="(X, y)", fix=fix)
    return pd.DataFrame(array, columns=[f"x{n}" for n in range(array.shape[1])])


def as_array(given: Any) -> Any:
    """An array of anything that is one: a tensor (without importing torch), a sequence, an array.

    Raises:
        DataError: The rows are not equally long.
    """
    if hasattr(given, "detach"):
        return given.detach().cpu().numpy()
    try:
        return np.asarray(given)
    except ValueError as error:
        raise DataError(f"this is no array: {error}", where="arrays", fix="Make all rows equally long.") from error

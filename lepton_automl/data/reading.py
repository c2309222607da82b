"""Reading of tables: files, DataFrames, dicts of columns and (X, y) as a DataFrame with unique text column names."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl.delimited import DelimitedFile
from lepton_automl.errors import DataError
from lepton_automl.table_files import ARROW_ENDINGS, EXCEL_ENDINGS, TABLE_READERS, arrow_table, table_reader, worksheets
from lepton_automl.unpacked import CSV_ENDINGS, PARQUET_ENDINGS, check_memory, files_within, refuse_foreign

from .label_targets import Indicated, labels_from_indicators
from .typed import NUMBER_CELL_BYTES, TEXT_CELL_BYTES, TypedColumn

if TYPE_CHECKING:
    import pandas as pd

TEXT_BYTES = 60  # of a short text
TABLE_ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS, *(ending for endings in TABLE_READERS for ending in endings))
DOCUMENT_ENDINGS = (".md", ".pdf", ".rst", ".names", ".json", ".html")
NOTES, WARNINGS = "notes", "warnings"  # keys of `DataFrame.attrs`: findings about the file
SEPARATOR = "separator"  # likewise; only for a CSV


def is_table_path(path: Path) -> bool:
    """Whether a file is a table by its name, or an archive of tables."""
    name = path.name.lower()
    if name.endswith(".zip") and not name.endswith(CSV_ENDINGS):
        return _holds_tables(path)
    return name.endswith(TABLE_ENDINGS)


def _holds_tables(path: Path) -> bool:
    """Whether a zip archive contains tables, and besides them only documents."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = [name.lower() for name in files_within(archive)]
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.endswith((".csv", ".tsv")) for name in files) and all(
        name.endswith((*CSV_ENDINGS, *DOCUMENT_ENDINGS)) for name in files
    )


def read_table(path: Path, texts: Collection[str] = ()) -> pd.DataFrame:
    """The table in a CSV (compressed or not), Parquet, Feather, Excel or JSON Lines file.

    A column of a CSV is numeric if every cell is a plain number, and boolean if every cell is a plain true or false; blank
    cells and `typed.MISSING_TEXTS` are missing values there. In all other columns, also of integers with leading zeros, cells
    stay text, and only blank cells are missing.

    Args:
        path: The file.
        texts: Columns of a CSV to read as text in any case, so that test data are read as the training data were.

    Returns:
        The table; findings about the file are in its `attrs`, under `NOTES`, `WARNINGS` and `SEPARATOR`.

    Raises:
        DataError: The file is empty, damaged or not text, two columns share a name, or it does not fit into memory.
    """
    if path.name.lower().endswith(PARQUET_ENDINGS):
        frame = _read_parquet(path)
    elif table_reader(path.name):
        frame = _read_typed(path)
    else:
        frame = _read_csv(path, texts)
    table = checked(frame, str(path))
    table.attrs.update(frame.attrs)
    return table


def _read_csv(path: Path, texts: Collection[str] = ()) -> pd.DataFrame:
    import pandas as pd

    file = DelimitedFile(path)
    columns = [TypedColumn(as_text=name in texts) for name in file.names]
    for chunk, share in file.chunks():
        for column, cells in zip(columns, chunk, strict=True):
            column.add(cells)
        check_memory(sum(column.memory for column in columns), path, share)
    warnings = tuple(file.warnings)
    rereads = [at for at, column in enumerate(columns) if column.needs_reread]
    for at in rereads:
        columns[at] = TypedColumn(as_text=True)
    for chunk, share in file.chunks() if rereads else ():
        for at in rereads:
            columns[at].add(chunk[at])
        check_memory(sum(column.memory for column in columns), path, share)
    positions = [at for at, column in enumerate(columns) if at not in file.unnamed or not column.blank]
    frame = pd.DataFrame({file.names[at]: columns[at].values() for at in positions})
    frame.attrs.update({NOTES: tuple(file.notes), WARNINGS: warnings, SEPARATOR: file.separator})
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    from pyarrow import parquet

    try:
        with path.open("rb") as file:
            refuse_foreign(file.read(512), path, texts_only=True)
        check_memory(_parquet_bytes(parquet.read_metadata(path)), path)
        return pd.read_parquet(path)
    except (ValueError, OSError, EOFError, MemoryError) as error:  # arrow's errors are ValueErrors
        if isinstance(error, DataError):
            raise
        raise _unreadable(path, error) from error


def _read_typed(path: Path, rows: int | None = None) -> pd.DataFrame:
    """A file whose cells have types of their own."""
    import pandas as pd

    name = path.name.lower()
    if name.endswith(ARROW_ENDINGS):
        table = arrow_table(path)
        frame: pd.DataFrame = (table if rows is None else table.slice(0, rows)).to_pandas()
        return frame
    read = table_reader(name)
    assert read is not None
    frame = pd.DataFrame(read(path, rows))
    if rows is None and name.endswith(EXCEL_ENDINGS):
        first, *others = worksheets(path)
        listed = ", ".join(map(repr, others))
        frame.attrs[NOTES] = (f"the first worksheet, {first!r}, is read, and not {listed}",) if others else ()
    return frame


def first_rows(path: Path, rows: int) -> pd.DataFrame:
    """The first rows of a table's file, at least if there are as many; the rest is not read.

    Raises:
        DataError: It cannot be read.
    """
    import pandas as pd

    if path.name.lower().endswith(PARQUET_ENDINGS):
        from pyarrow import parquet

        try:
            batch = next(parquet.ParquetFile(path).iter_batches(rows), None)
        except (ValueError, OSError, EOFError, MemoryError) as error:
            raise _unreadable(path, error) from error
        return pd.DataFrame() if batch is None else batch.to_pandas()
    if table_reader(path.name):
        return _read_typed(path, rows)
    file = DelimitedFile(path)
    cells, _ = next(file.chunks(), ([[] for _ in file.names], 0.0))
    return pd.DataFrame({name: list(column[:rows]) for name, column in zip(file.names, cells, strict=True)})


def _parquet_bytes(metadata: Any) -> int:
    """Bytes that a Parquet file needs until the data are prepared; its encodings may put a billion cells into a few bytes."""
    kinds = [metadata.schema.column(at).physical_type for at in range(metadata.num_columns)]
    texts = sum(kind.endswith("BYTE_ARRAY") for kind in kinds)
    written = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    cell = texts * (TEXT_CELL_BYTES + TEXT_BYTES) + (len(kinds) - texts) * NUMBER_CELL_BYTES
    return int(metadata.num_rows * cell + written)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    fix = "Check that the file is complete; or read it with pandas and pass the DataFrame."
    return DataError(f"the table cannot be read: {reason}", where=str(path), fix=fix)


def column_names(source: Any) -> list[str]:
    """The column names that `prepare` uses for a table, without reading its rows; empty if the source is not a table.

    Raises:
        DataError: It cannot be read.
    """
    if hasattr(source, "column_names"):  # Arrow, Hugging Face
        return [str(name).strip() for name in source.column_names]
    if hasattr(source, "columns"):
        return [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in source.columns]
    if isinstance(source, Mapping):
        return [str(name) for name in source]
    if not isinstance(source, str | Path) or not (Path(source).is_file() and is_table_path(Path(source))):
        return []
    path = Path(source)
    if table_reader(path.name):
        return [str(name).strip() for name in _read_typed(path, 1).columns]
    if not path.name.lower().endswith(PARQUET_ENDINGS):
        return DelimitedFile(path).names
    try:
        return [name.strip() for name in _parquet_names(path)]
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error


def _parquet_names(path: Path) -> list[str]:
    from pyarrow import parquet

    return [str(name) for name in parquet.read_schema(path).names if not str(name).startswith("__index_level_")]


def _check_unique(names: list[Any], source: str) -> None:
    twice = [str(name) for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"columns share a name: {', '.join(map(repr, twice))}", where=source, fix="Give each its own name.")


def checked(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with text column names and rows numbered from 0.

    Raises:
        DataError: It has no rows or columns, or two columns share a name.
    """
    if not len(frame) or not len(frame.columns):
        fix = "Give a table with a header and rows."
        raise DataError(f"the table has {len(frame)} rows and {len(frame.columns)} columns", where=source, fix=fix)
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in frame.columns]
    _check_unique(names, source)
    return frame.set_axis(names, axis=1).reset_index(drop=True)


def table_of_arrays(X: Any, y: Any, target: str) -> pd.DataFrame:
    """(X, y) as a table; columns of a plain array are called x0, x1, ...

    Raises:
        DataError: Their lengths differ, X is not a table, or the target's name is taken.
    """
    import pandas as pd

    frame = X if isinstance(X, pd.DataFrame) else _frame_of_array(as_array(X))
    labels: Any = y.to_numpy() if isinstance(y, pd.Series) else target_cells(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != len(frame):
        fix = "Give one target per row, or several columns of zeros and ones."
        raise DataError(f"X has {len(frame):,} rows and y has shape {labels.shape}", where="(X, y)", fix=fix)
    frame = checked(frame, "X")
    if target in frame.columns:
        raise DataError(f"X already has a column {target!r}", where="(X, y)", fix="Choose another name: target='...'.")
    return frame.assign(**{target: labels})


def _frame_of_array(array: Any) -> pd.DataFrame:
    import pandas as pd

    if array.ndim != 2:
        fix = "Give [rows, columns] for a table, or [N, H, W] or [N, H, W, 3] for images."
        raise DataError(f"X has shape {array.shape}", where="(X, y)", fix=fix)
    return pd.DataFrame(array, columns=[f"x{n}" for n in range(array.shape[1])])


def with_weights(source: Any, weights: Any, column: str) -> pd.DataFrame:
    """A table, or the X of a pair, with the rows' weights as a column.

    Raises:
        DataError: There is not one weight for each row, the name is taken, or the rows are neither a table nor an array [N, F].
    """
    import pandas as pd

    if isinstance(source, str | Path):
        what = "weights are given as an array, and the rows as a file"
        raise DataError(what, where="sample_weight", fix="Name the column of the file: sample_weight='...'.")
    if isinstance(source, Mapping):
        source = pd.DataFrame(dict(source))
    elif not isinstance(source, pd.DataFrame) and hasattr(source, "to_pandas"):
        source = source.to_pandas()
    frame = source if isinstance(source, pd.DataFrame) else _frame_of_array(as_array(source))
    values = np.asarray(as_array(weights), np.float64).reshape(-1)
    if len(values) != len(frame):
        fix = "Give one weight per row."
        raise DataError(f"there are {len(values):,} weights and {len(frame):,} rows", where="sample_weight", fix=fix)
    if column in frame.columns:
        raise DataError(
            f"the data have a column {column!r}", where="sample_weight", fix=f"Set sample_weight={column!r} to use it."
        )
    return frame.assign(**{column: values})


def is_pair(source: Any) -> bool:
    """Whether a source is (X, y)."""
    return isinstance(source, tuple | list) and len(source) == 2 and all(hasattr(part, "__len__") for part in source)


def target_cells(targets: Any) -> Any:
    """Targets as an array [N].

    Lists of labels stay lists. Several columns of zeros and ones become lists of the columns' names, or of their numbers if
    they have no names.

    Raises:
        DataError: One of several columns of a DataFrame holds something else.
    """
    columns = getattr(targets, "columns", None)  # of a DataFrame; pandas is not imported for it
    if columns is not None and len(columns) > 1:
        return labels_from_indicators({str(name): targets[name].tolist() for name in columns})
    if isinstance(targets, list | tuple) and any(isinstance(cell, list | tuple | set | frozenset) for cell in targets):
        cells = np.empty(len(targets), object)
        cells[:] = [list(cell) if isinstance(cell, tuple | set | frozenset) else cell for cell in targets]
        return cells
    array = as_array(targets)
    if array.ndim == 2 and array.shape[1] > 1 and np.isin(array, (0, 1)).all():
        cells = np.empty(len(array), object)
        cells[:] = [Indicated(np.flatnonzero(row).tolist()) for row in array]
        return cells
    return array


def as_array(values: Any) -> Any:
    """A tensor (without importing torch), a sequence or an array as a NumPy array.

    Raises:
        DataError: The rows are not equally long.
    """
    if hasattr(values, "detach"):
        return values.detach().cpu().numpy()
    if hasattr(values, "tocsr"):  # SciPy's sparse matrices, of which NumPy would make one object
        fix = "Convert it with .toarray(), if it fits into memory."
        raise DataError("a sparse matrix is not supported", where="arrays", fix=fix)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"this is not an array: {error}", where="arrays", fix="Make all rows equally long.") from error

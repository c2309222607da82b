"""Read the tables named on a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_automl.delimited import read_delimited
from lepton_automl.errors import InputError
from lepton_automl.example_files import READERS, shown
from lepton_automl.table_files import table_reader
from lepton_automl.unpacked import PARQUET_ENDINGS, check_memory, refuse_foreign

BYTES_PER_CELL = 120  # bytes of memory per cell, over all steps of a prediction


def read_rows(source: str, takes: str) -> Any:
    """Return the columns of a table file, arrays, or one row from JSON.

    Args:
        source: A file (`.npy`, `.json`, CSV, compressed or not, Parquet, Feather, Excel or JSON Lines), or the JSON text
            itself.
        takes: What is accepted, for the error message.

    Raises:
        InputError: It is none of these.
    """
    if source.lstrip().startswith(("{", "[")):
        return json.loads(source)
    path = Path(source)
    if not path.is_file():
        raise InputError(f"there is no file {shown(source)}; give {takes}")
    read = READERS.get(path.suffix.lower())
    return read(path) if read else read_columns(path)


def read_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a table; those of a CSV file as verbatim text, which the preprocessing reads as in training."""
    if read := table_reader(path.name):
        return dict(read(path))
    if not path.name.lower().endswith(PARQUET_ENDINGS):
        return dict(read_delimited(path))
    with path.open("rb") as file:
        refuse_foreign(file.read(512), path, texts_only=True)
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"reading {shown(str(path))} needs pyarrow, which is not installed: pip install pyarrow") from None
    metadata = parquet.read_metadata(path)
    check_memory(metadata.num_rows * metadata.num_columns * BYTES_PER_CELL, path)
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns

"""Tables that a command line names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_automl.delimited import read_delimited
from lepton_automl.errors import InputError
from lepton_automl.example_files import READERS, shown
from lepton_automl.unpacked import PARQUET_ENDINGS, check_memory, refuse_foreign

OF_A_CELL = 120  # bytes, in all that is made of it until there is an answer


def read_rows(source: str, takes: str) -> Any:
    """The columns of a table's file, arrays, or one row as JSON.

    Args:
        source: A file (`.npy`, `.json`, CSV, packed or not, or Parquet), or JSON itself.
        takes: What it may be, for the message.

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
    """The columns of a table: as verbatim text from a CSV, which the preprocessing reads as it did in training."""
    if not path.name.lower().endswith(PARQUET_ENDINGS):
        return dict(read_delimited(path))
    with path.open("rb") as file:
        refuse_foreign(file.read(512), path, texts_only=True)
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"reading {shown(str(path))} needs pyarrow, which is not installed: pip install pyarrow") from None
    described = parquet.read_metadata(path)
    check_memory(described.num_rows * described.num_columns * OF_A_CELL, path)
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns

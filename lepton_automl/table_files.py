"""Tables in Arrow, Excel and JSON Lines files as columns of cells. This file is shipped with every deployed model."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lepton_automl.delimited import unreadable_table
from lepton_automl.errors import DataError, ExtraError
from lepton_automl.unpacked import LONGEST_LINE, check_memory, refuse_foreign

ARROW_ENDINGS = (".feather", ".arrow", ".ipc")
EXCEL_ENDINGS = (".xlsx", ".xlsm")
JSON_LINES_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
CELL_BYTES = 120  # of memory per cell, over all steps until the data are prepared
EXCEL_GROWTH = 4  # bytes of memory per byte of an unpacked workbook
CHECKED_EVERY = 10_000  # lines between two looks at the free memory

Cells = dict[str, list[Any]]


def read_arrow(path: Path, rows: int | None = None) -> Cells:
    """The columns of a Feather or Arrow IPC file.

    Args:
        path: The file.
        rows: How many rows to read; None for all.

    Raises:
        DataError: It cannot be read, or does not fit into memory.
        ExtraError: pyarrow is not installed.
    """
    table = arrow_table(path)
    cells: Cells = (table if rows is None else table.slice(0, rows)).to_pydict()
    return cells


def arrow_table(path: Path) -> Any:
    """The table of a Feather or Arrow IPC file; see `read_arrow`."""
    try:
        import pyarrow as pa
    except ImportError:
        raise _missing_package(path, "pyarrow") from None
    try:
        with path.open("rb") as file:
            head = file.read(512)
        refuse_foreign(head, path, texts_only=True)
        if head.startswith(b"FEA1"):  # the first version of Feather
            from pyarrow import feather

            table = feather.read_table(str(path))
        else:
            opened = pa.ipc.open_file if head.startswith(b"ARROW1") else pa.ipc.open_stream
            table = opened(pa.memory_map(str(path))).read_all()
    except (ValueError, OSError, EOFError, MemoryError) as error:  # arrow's errors are ValueErrors
        if isinstance(error, DataError):
            raise
        raise unreadable_table(path, error) from error
    check_memory(table.num_rows * table.num_columns * CELL_BYTES, path)
    return table


def read_excel(path: Path, rows: int | None = None) -> Cells:
    """The columns of the first worksheet of an Excel workbook, whose first row that is not empty holds their names.

    Args:
        path: The file.
        rows: How many rows to read; None for all.

    Raises:
        DataError: It cannot be read, does not fit into memory, or a column with values has no name.
        ExtraError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise _missing_package(path, "openpyxl") from None
    try:
        with zipfile.ZipFile(path) as archive:
            check_memory(EXCEL_GROWTH * sum(item.file_size for item in archive.infolist()), path)
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except DataError:
        raise
    except Exception as error:  # a damaged workbook can fail in any way
        raise unreadable_table(path, error) from error
    try:
        sheet = workbook.worksheets[0] if workbook.worksheets else None
        lines = (row for row in (sheet.iter_rows(values_only=True) if sheet else ()) if not _is_empty_line(row))
        header = next(lines, ())
        body = list(lines if rows is None else islice(lines, rows))
    except Exception as error:  # likewise
        raise unreadable_table(path, error) from error
    finally:
        workbook.close()
    return _excel_columns(header, body, path, "" if sheet is None else sheet.title)


def _is_empty_line(row: tuple[Any, ...]) -> bool:
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in row)


def _excel_columns(header: tuple[Any, ...], body: list[tuple[Any, ...]], path: Path, sheet: str) -> Cells:
    width = max((len(row) for row in body), default=len(header))
    names = [*header, *[None] * (width - len(header))]
    columns: Cells = {}
    for at, name in enumerate(names):
        cells = [row[at] if at < len(row) else None for row in body]
        if name is None or not str(name).strip():
            if any(cell is not None for cell in cells):
                what = f"column {at + 1} of the worksheet {sheet!r} has no name in the first row"
                raise DataError(what, where=str(path), fix="Give every column a name, and leave out titles above them.")
            continue
        if str(name).strip() in columns:
            raise DataError(f"columns share a name: {str(name)!r}", where=str(path), fix="Give each its own name.")
        columns[str(name).strip()] = cells
    return columns


def worksheets(path: Path) -> list[str]:
    """The names of a workbook's worksheets; see `read_excel`."""
    import openpyxl

    workbook = openpyxl.load_workbook(path, read_only=True)
    names = [str(sheet.title) for sheet in workbook.worksheets]
    workbook.close()
    return names


def read_json_lines(path: Path, rows: int | None = None) -> Cells:
    """The columns of a file with one JSON object per line; a name that a line lacks is a missing value in its row.

    Args:
        path: The file; it may be compressed with gzip.
        rows: How many rows to read; None for all.

    Raises:
        DataError: A line is not such an object, or the table does not fit into memory.
    """
    columns: Cells = {}
    number = 0
    for number, row in enumerate(islice(_json_rows(path), rows), 1):
        for name, cell in row.items():
            if name not in columns:
                columns[name] = [None] * (number - 1)
            columns[name].append(cell)
        for cells in columns.values():
            if len(cells) < number:
                cells.append(None)
        if number % CHECKED_EVERY == 0:
            check_memory(number * len(columns) * CELL_BYTES, path)
    return columns


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if not line.lstrip().startswith((b"{", b"[")):
                        refuse_foreign(line, path, texts_only=True)
                if line.strip():
                    yield _json_row(line, number, path)
    except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]  # gzip's own zlib
        raise unreadable_table(path, error) from error


def _json_row(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        fix = 'Write one object per line, such as {"a": 1, "b": "x"}, without commas between the lines.'
        raise DataError(f"line {number:,} is not JSON: {getattr(error, 'msg', error)}", where=str(path), fix=fix) from error
    if not isinstance(row, dict):
        fix = 'Write one object per line, such as {"a": 1, "b": "x"}.'
        raise DataError(
            f"line {number:,} holds no object, but {line[:40].decode(errors='replace').strip()!r}", where=str(path), fix=fix
        )
    nested = next((name for name, cell in row.items() if isinstance(cell, dict)), None)
    if nested is not None:
        fix = "Give each of its values a column of its own; pandas.json_normalize does so."
        raise DataError(f"line {number:,} holds an object in {nested!r}", where=str(path), fix=fix)
    return row


def _missing_package(path: Path, package: str) -> ExtraError:
    extra = 'pip install "lepton-automl[excel]", or ' if package == "openpyxl" else ""
    fix = f"{extra}pip install {package}; or save the table as CSV."
    return ExtraError(f"reading it needs {package}, which is not installed", where=str(path), fix=fix)


TABLE_READERS: dict[tuple[str, ...], Callable[..., Cells]] = {
    ARROW_ENDINGS: read_arrow,
    EXCEL_ENDINGS: read_excel,
    JSON_LINES_ENDINGS: read_json_lines,
}


def table_reader(name: str) -> Callable[..., Cells] | None:
    """The function that reads a table's file, by its name; None for CSV, Parquet and all other files."""
    return next((read for endings, read in TABLE_READERS.items() if name.lower().endswith(endings)), None)

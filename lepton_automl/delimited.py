"""Reads CSV files of any common layout: detects the separator, the header and the rows; cells stay verbatim text.

Training and every deployed model read tables with this file.
"""

from __future__ import annotations

import csv
import itertools
import lzma
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_automl.cells import PLAIN_NUMBER
from lepton_automl.errors import DataError
from lepton_automl.unpacked import TextLines, check_memory

SEPARATORS = ",;\t|"
UNREADABLE = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError, csv.Error)
MIN_AGREEMENT = 0.9  # share of the rows that must fit the header for a separator to be accepted
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 200, 1 << 18  # the layout is detected from these
_MOST_PREAMBLE = 20  # lines before the header
_MOST_BLANK = 1_000_000  # consecutive lines
_CELLS_AT_ONCE = 1 << 13  # with more lists alive, garbage collection takes longer
_BYTES_A_CELL = 120  # as text, and in everything that a model makes from it
_SEP_LINE = re.compile(r'"?sep=(.|\\t)"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """The layout of a table in its file.

    Args:
        separator: The character between cells.
        skipped: Number of lines before the header.
        header: The header's cells, verbatim.
        row_names: Whether each row begins with a name that has no cell in the header, as R writes it.
        spaces: Whether a space follows the separators, even before quotes.
        agreement: The share of the rows that fit the header.
    """

    separator: str
    skipped: int
    header: Sequence[str]
    row_names: bool
    spaces: bool
    agreement: float


class DelimitedFile:
    """A text table, compressed or not.

    Args:
        path: The file.

    Attributes:
        names: The columns' names; a column without one is named as in pandas, `Unnamed: 2`.
        unnamed: Indices of the columns that have no name in the file.
        separator: The character between cells.
        notes: What was detected about the file.
        warnings: What looks wrong; complete when all rows have been read.

    Raises:
        DataError: The file is not a text table, it is damaged, or two columns share a name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.warnings: list[str] = []
        try:
            self._layout = self._find_layout()
        except UNREADABLE as error:
            raise unreadable_table(path, error) from error
        except UnicodeDecodeError as error:
            raise _not_text(path, error) from error
        self.separator = self._layout.separator
        written = [name.strip() for name in self._layout.header]
        self.names = [name or f"Unnamed: {at}" for at, name in enumerate(written)]
        self.unnamed = {at for at, name in enumerate(written) if not name}
        duplicates = [name for name, count in Counter(self.names).items() if count > 1]
        if duplicates:
            shared = f"columns share a name: {', '.join(map(repr, duplicates))}"
            raise DataError(shared, where=str(path), fix="Give each column its own name.")
        if all(PLAIN_NUMBER.fullmatch(name) for name in written if name):
            self.warnings.append("the first line contains only numbers and was used as the column names; add a header line")

    def chunks(self) -> Iterator[tuple[list[tuple[str, ...]], float]]:
        """Yield some rows at a time, as columns of cells, with the share of the file that has been read.

        Raises:
            DataError: A row has more cells than there are columns, a quote is not closed, or the file is damaged.
        """
        try:
            with TextLines(self.path) as text:
                yield from self._chunks(text)
        except UNREADABLE as error:
            raise unreadable_table(self.path, error) from error
        except UnicodeDecodeError as error:
            raise _not_text(self.path, error) from error

    def _chunks(self, text: TextLines) -> Iterator[tuple[list[tuple[str, ...]], float]]:
        layout, width = self._layout, len(self.names) + self._layout.row_names
        reader = _reader(itertools.islice(text, layout.skipped, None), layout.separator, spaces=layout.spaces, strict=True)
        rows: list[list[str]] = []
        odd = _OddRows(self, width)
        most = max(_CELLS_AT_ONCE // max(width, 1), 64)
        try:
            next(reader)
            for row in reader:
                if len(row) != width or (width == 1 and not row[0].strip()):
                    fitted = odd.fit(row, layout.skipped + reader.line_num)
                    if fitted is None:
                        continue
                    row = fitted
                rows.append(row)
                if len(rows) >= most:
                    yield list(zip(*rows, strict=True))[layout.row_names :], text.share
                    rows = []
        except csv.Error as error:  # a quote is not closed, or closed too early
            line = f"line {layout.skipped + reader.line_num:,}"
            fix = "Check the quotes in and before this line: a quote within a quoted text must be doubled."
            raise DataError(f"the table cannot be read: {line}: {error}", where=str(self.path), fix=fix) from error
        if rows:
            yield list(zip(*rows, strict=True))[layout.row_names :], 1.0
        self.warnings += odd.warnings()

    def _find_layout(self) -> _Layout:
        lines: list[str] = []
        with TextLines(self.path) as text:
            size, cut = 0, False
            for line in text:
                if len(lines) >= _SAMPLE_LINES or size > _SAMPLE_CHARACTERS:
                    cut = True
                    break
                lines.append(line)
                size += len(line)
        first = next((at for at, line in enumerate(lines) if line.strip()), None)
        if first is None:
            raise DataError("the file is empty", where=str(self.path), fix="Give a CSV with a header line and rows.")
        declared = _SEP_LINE.fullmatch(lines[first])
        if declared:
            separator = "\t" if declared[1] == "\\t" else declared[1]
            best = _layout(lines, separator, first + 1, cut=cut)
        else:
            layouts = [_layout(lines, separator, first, cut=cut) for separator in SEPARATORS]
            best = max((layout for layout in layouts if layout), key=_fits, default=None)
        if best is None:
            raise DataError("the file is empty", where=str(self.path), fix="Give a CSV with a header line and rows.")
        before = [line.strip() for line in lines[(first + 1 if declared else first) : best.skipped] if line.strip()]
        if before:
            shown = "; ".join(repr(line[:60]) for line in before[:3])
            self.notes.append(f"skipped {len(before)} lines before the header: {shown}" if before[1:] else
                              f"skipped the line before the header: {shown}")  # fmt: skip
        if best.row_names:
            self.notes.append(
                "the header has no name for the first cell of each row: these cells were taken as row names and left out"
            )
        return best


class _OddRows:
    """Rows with more or fewer cells than there are columns."""

    def __init__(self, file: DelimitedFile, width: int) -> None:
        self._file, self._width = file, width
        self._named = width - next((at for at in range(len(file.names)) if len(file.names) - 1 - at not in file.unnamed), 0)
        self._short, self._first_short, self._comments, self._none, self._last_none = 0, 0, 0, 0, 0

    def fit(self, row: list[str], line: int) -> list[str] | None:
        """The row with the right number of cells; None for a blank line or a comment.

        Raises:
            DataError: It has too many cells.
        """
        bare = row[0].strip() if len(row) == 1 else ""
        comment = bare.startswith("#") and self._width > 1
        if len(row) < 2 and (not bare or comment):
            self._none = self._none + 1 if line == self._last_none + 1 else 1
            self._last_none = line
            self._comments += comment
            if self._none > _MOST_BLANK:
                what = f"more than {_MOST_BLANK:,} lines before line {line:,} contain no rows"
                raise DataError(what, where=str(self._file.path), fix="Remove blank lines and comments.")
            return None
        if len(row) < self._width:
            if len(row) < self._named:
                self._short += 1
                self._first_short = self._first_short or line
            return row + [""] * (self._width - len(row))
        if any(map(str.strip, row[self._width :])):
            what = f"the table cannot be read: line {line:,} has {len(row)} cells; the header names {self._width} columns"
            fix = "Quote cells that contain the separator, or give every column a name."
            raise DataError(what, where=str(self._file.path), fix=fix)
        return row[: self._width]

    def warnings(self) -> list[str]:
        """Warnings about these rows."""
        messages = []
        if self._short:
            messages.append(
                f"{self._short:,} rows have fewer cells than the {self._width} columns, the first in line {self._first_short:,}: "
                "their last cells are treated as missing"
            )
        if self._comments:
            messages.append(f"skipped {self._comments:,} lines that begin with #")
        return messages


def read_delimited(path: Path) -> dict[str, list[str | None]]:
    """Read all cells of a table as verbatim text, None for blank cells; warns about what looks wrong.

    Args:
        path: The file.

    Raises:
        DataError: The table cannot be read, or does not fit into memory.
    """
    file = DelimitedFile(path)
    columns: list[list[str | None]] = [[] for _ in file.names]
    for chunk, share in file.chunks():
        for column, cells in zip(columns, chunk, strict=True):
            column += [cell if cell.strip() else None for cell in cells]
        check_memory(_BYTES_A_CELL * len(columns) * len(columns[0]), path, share)
    for what in file.warnings:
        warnings.warn(f"{path}: {what}", stacklevel=2)
    named = zip(file.names, columns, strict=True)
    return {name: cells for at, (name, cells) in enumerate(named) if at not in file.unnamed or any(cells)}


def _reader(lines: Iterator[str], separator: str, *, spaces: bool, strict: bool) -> Any:
    return csv.reader(lines, delimiter=separator, skipinitialspace=spaces, strict=strict)


def _layout(lines: list[str], separator: str, first: int, *, cut: bool) -> _Layout | None:
    """The layout of a file if this is its separator; None if there are no cells."""
    spaces = separator != "\t" and f'{separator} "' in "".join(lines)
    records: list[tuple[int, list[str]]] = []  # the first line of each, and its cells
    reader, begins = _reader(iter(lines[first:]), separator, spaces=spaces, strict=False), first
    for cells in reader:
        if any(map(str.strip, cells)):
            records.append((begins, cells))
        begins = first + reader.line_num
    if cut and len(records) > 1:
        records.pop()  # it may be cut off
    if not records:
        return None
    at = _header_at([cells for _, cells in records])
    begins, header = records[at]
    body = [cells for _, cells in records[at + 1 :]]
    row_names = _has_row_names(header, body)
    fitting = sum(_used(cells) <= len(header) + row_names and len(cells) > len(header) // 2 for cells in body)
    agreement = fitting / len(body) if body else 1.0
    return _Layout(separator, begins, header, row_names, spaces, agreement)


def _has_row_names(header: list[str], body: list[list[str]]) -> bool:
    """Whether rows begin with names as R writes them: distinct texts, or increasing integers."""
    if len(header) < 2 or len(body) < 2 or any(not len(cells) == len(header) + 1 == _used(cells) for cells in body):
        return False
    names = [cells[0].strip() for cells in body]
    if any(map(PLAIN_NUMBER.fullmatch, names)):
        integers = len(body) > 2 and all(name.isdigit() for name in names)
        return integers and all(int(name) < int(following) for name, following in itertools.pairwise(names))
    return len(set(names)) == len(names)


def _fits(layout: _Layout) -> tuple[bool, int]:
    """Sort key of a separator: first whether most rows agree on it, then the number of columns."""
    return layout.agreement >= MIN_AGREEMENT and len(layout.header) > 1, len(layout.header)


def _header_at(records: list[list[str]]) -> int:
    """Index of the header record: the first, unless a title or comments come before it."""
    used = _most_common([_used(cells) for cells in records[1:]], default=0)
    first = 0
    while first < min(len(records) - 1, _MOST_PREAMBLE) and records[first][0].lstrip().startswith("#"):
        if _used(records[first]) == used:
            break  # a header such as "#id,name"
        first += 1
    if used < 2 or _used(records[first]) >= used:
        return first
    full = next((at for at, cells in enumerate(records[:_MOST_PREAMBLE]) if at > first and _used(cells) >= used), None)
    if full is None or any(_used(cells) > 1 and len(cells) >= used for cells in records[first:full]):
        return first
    candidate, begins = records[full], records[first]
    if any(PLAIN_NUMBER.fullmatch(cell) for cell in candidate) or len(set(candidate)) < len(candidate):
        return first  # a row: the header has fewer cells
    below = [[cells[at] for cells in records[full + 1 :] if len(cells) > at and cells[at].strip()] for at in range(used)]
    names_numbers = any(column and all(map(PLAIN_NUMBER.fullmatch, column)) for column in below)
    return full if names_numbers or len(begins) != used - 1 or used == 2 else first


def _used(cells: Sequence[str]) -> int:
    """Number of cells up to the last that is not blank."""
    return next((at for at in range(len(cells), 0, -1) if cells[at - 1].strip()), 0)


def _most_common(numbers: list[int], default: int) -> int:
    return max(Counter(numbers).items(), key=lambda counted: (counted[1], counted[0]))[0] if numbers else default


def unreadable_table(path: Path, error: Exception) -> DataError:
    """The error for a table's file that a library cannot read."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    fix = "Check that the file is complete, or read it with pandas and pass the DataFrame."
    return DataError(f"the table cannot be read: {reason}", where=str(path), fix=fix)


def _not_text(path: Path, error: UnicodeDecodeError) -> DataError:
    fix = "Save it as UTF-8, or read it with pandas (often encoding='cp1252') and pass the DataFrame."
    return DataError(f"the file is not UTF-8 text: {error.reason} at {error.object[error.start : error.end]!r}", where=str(path), fix=fix)  # fmt: skip

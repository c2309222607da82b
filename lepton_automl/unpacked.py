"""A table's file as lines of text: decompressed and decoded by its first bytes; other file types are refused by name.

This file is shipped with every deployed model, so it only needs the standard library.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

from lepton_automl.errors import DataError
from lepton_automl.memory import available

CSV_ENDINGS = tuple(f".{kind}{packed}" for kind in ("csv", "tsv", "txt") for packed in ("", ".gz", ".xz", ".bz2", ".zip"))
PARQUET_ENDINGS = (".parquet", ".pq")
LONGEST_LINE = 1 << 24  # characters; a longer line is not a row of a table
MEMORY_SHARE = 0.7  # of the free memory
ENOUGH_TO_PROJECT = 1 << 20  # bytes; with less read so far, the memory for the whole file is not extrapolated
_PACKERS = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\x00", lzma.open), (b"BZh", bz2.open))
_AS_FRAME = "Export it as CSV, or read it with pandas and pass the DataFrame."
_FOREIGN = (  # first bytes of files that are not CSV, what they are, what to do
    (rb"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "Run git lfs pull and try again."),
    (rb"(?i)\s*<(!doctype\s+html|html|head|body|script)\b",
     "it is an HTML page, not a table; a download that needs a login or was not found gives such a page",
     "Download the file itself and try again."),
    (rb"(?i)\s*<(\?xml|error|rss|svg)\b", "it is XML, not CSV", _AS_FRAME),
    (rb'\s*(\{\s*["}\n]|\[\s*[\[{])', "it is JSON, not CSV", "Read it with pandas.read_json and pass the DataFrame."),
    (rb"PAR1", "its content is Parquet, but its name does not end in .parquet", "Rename it to end in .parquet."),
    (rb"\xd0\xcf\x11\xe0", "it is an Excel workbook or another Office file", _AS_FRAME),
    (rb"(?i)(%[^\n]*\n|\s)*@relation\b", "it is an ARFF file, not CSV", _AS_FRAME),
    (rb"%PDF", "it is a PDF document", _AS_FRAME),
    (rb"SQLite format 3\0", "it is an SQLite database", _AS_FRAME),
    (rb"\x89HDF|ARROW1|FEA1|ORC|\x93NUMPY|\x80[\x02-\x05]", "it is a binary file of another format, not CSV", _AS_FRAME),
    (rb"\x28\xb5\x2f\xfd", "it is compressed with Zstandard", "Unpack it and pass the file inside."),
    (rb"Rar!|7z\xbc\xaf\x27\x1c", "it is an archive of an unsupported type", "Unpack it and pass the file inside."),
    (rb"\x1f\x8b|\xfd7zXZ|PK\x03\x04", "it is compressed twice", "Unpack it and pass the file inside."),
)  # fmt: skip
_TEXTS = 4  # the first entries, which are text
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip


class TextLines:
    """The lines of a text file, line ends included, as an iterator and context manager.

    Args:
        path: The file; it may be compressed with gzip, xz, bzip2 or zip, whatever its suffix.

    Raises:
        DataError: It is another type of file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = max(path.stat().st_size, 1)
        self._raw = path.open("rb")
        try:
            unpacked = io.BufferedReader(_unpack(self._raw, path), 1 << 16)
            head = unpacked.peek(4096)[:4096]
            refuse_foreign(head, path)
            self._text = io.TextIOWrapper(unpacked, encoding=_encoding(head, path), newline="")
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def __iter__(self) -> Iterator[str]:
        number = 0
        while line := self._text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                fix = "Check that the file is a text table with one row per line."
                raise DataError(f"line {number:,} has more than {LONGEST_LINE:,} characters", where=str(self.path), fix=fix)
            yield line

    @property
    def share(self) -> float:
        """The share of the file on disk that has been read, from 0 to 1."""
        return min(self._raw.tell() / self._size, 1.0)


def refuse_foreign(head: bytes, path: Path, *, texts_only: bool = False) -> None:
    """Refuse a file whose first bytes show that it is not a text table.

    Args:
        head: The first bytes, decompressed.
        path: For the message.
        texts_only: Whether to check only for what may stand in place of any file: a Git LFS pointer or a web page.

    Raises:
        DataError: It is another type of file, which the message names.
    """
    for begins, what, fix in _FOREIGN[:_TEXTS] if texts_only else _FOREIGN:
        if re.match(begins, head.removeprefix(b"\xef\xbb\xbf")):
            raise DataError(what, where=str(path), fix=fix)


def _unpack(raw: BinaryIO, path: Path) -> Any:
    """The decompressed bytes of a file."""
    head = raw.read(8)
    raw.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return _member(raw, path)
    return next((opened(raw) for begins, opened in _PACKERS if head.startswith(begins)), raw)


def _member(raw: BinaryIO, path: Path) -> Any:
    """The one table of a zip archive."""
    archive = zipfile.ZipFile(raw)
    if "[Content_Types].xml" in archive.namelist():
        raise DataError("it is an Excel workbook or another Office file", where=str(path), fix=_AS_FRAME)
    tables = tables_within(archive)
    if len(tables) != 1:
        content = f"contains {len(tables)} tables: {', '.join(tables[:5])}" if tables else "contains no CSV file"
        raise DataError(f"the archive {content}", where=str(path), fix="Unpack it and pass one table.")
    if archive.getinfo(tables[0]).flag_bits & 1:
        raise DataError("the archive is protected by a password", where=str(path), fix="Unpack it and pass the table inside.")
    return archive.open(tables[0])


def tables_within(archive: zipfile.ZipFile) -> list[str]:
    """The names of the text tables in an archive; .txt files count only if there is no .csv or .tsv file."""
    files = files_within(archive)
    return [name for name in files if name.lower().endswith((".csv", ".tsv"))] or [
        name for name in files if name.lower().endswith(CSV_ENDINGS)
    ]


def files_within(archive: zipfile.ZipFile) -> list[str]:
    """The names of the files in an archive, without hidden files and those that macOS adds."""
    names = [name for name in archive.namelist() if not name.startswith("__MACOSX/") and not name.endswith("/")]
    return [name for name in names if not name.split("/")[-1].startswith(".")]


def _encoding(head: bytes, path: Path) -> str:
    """The text encoding: from the byte order mark, else UTF-16 if every other byte is 0, else UTF-8."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8"
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[first::2], head[1 - first :: 2]
        if zeros.count(0) > 0.6 * len(zeros) and others.count(0) < 0.1 * len(others):
            return encoding
    raise DataError("the table cannot be read: it contains zero bytes, so it is not text", where=str(path), fix=_AS_FRAME)


def check_memory(needed: float, path: Path, read: float = 1.0) -> None:
    """Refuse a table that does not fit into memory.

    Args:
        needed: Bytes that the rows read so far need, with everything that is made from them.
        path: For the message.
        read: The share of the file that has been read, to extrapolate to the whole file.

    Raises:
        DataError: The table needs more than `MEMORY_SHARE` of the free memory.
    """
    free = available()
    whole = needed / read if read > 0 and needed > ENOUGH_TO_PROJECT else needed
    if whole > MEMORY_SHARE * free:
        what = f"the table needs about {whole / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free"
        raise DataError(what, where=str(path), fix="Use fewer rows or columns, or a machine with more memory.")

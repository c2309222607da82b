"""Tables in archives, and files that are not tables; see `table_files.py`."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path

from .case import case
from .table_files import PRICES, lines, prepared, usual, write

PACKED = "B packed tables"
FOREIGN = "B a pointer, a web page or another format as CSV"


@case(PACKED, "train.csv.zip, and a zip of one table")
def _(folder: Path) -> None:
    for name in ("train.csv.zip", "house-prices.zip"):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data/train.csv", lines(PRICES))
            archive.writestr("__MACOSX/data/._train.csv", b"\0\5\x16\7")
            archive.writestr("data/README.txt", "About it")
        usual(prepared(folder / name))


@case(PACKED, "gzip, xz and bzip2, whatever the file's name")
def _(folder: Path) -> None:
    text = lines(PRICES).encode()
    for name, content in (("a.csv.gz", gzip.compress(text)), ("b.csv.xz", lzma.compress(text)), ("c.csv.bz2", bz2.compress(text)), ("d.csv", gzip.compress(text)), ("e.csv.gz", text)):  # fmt: skip
        usual(prepared(write(folder, content, name)))


@case(PACKED, "an archive of two tables", refused="contains 2 tables: test.csv, train.csv")
def _(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("test.csv", lines(PRICES))
        archive.writestr("train.csv", lines(PRICES))
    prepared(folder / "all.zip")


@case(PACKED, "an incomplete download", refused="cannot be read")
def _(folder: Path) -> None:
    prepared(write(folder, gzip.compress(lines(PRICES).encode())[:-40], "prices.csv.gz"))


@case(FOREIGN, "a Git LFS pointer", refused="a Git LFS pointer")
def _(folder: Path) -> None:
    prepared(write(folder, f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"))


@case(FOREIGN, "a Git LFS pointer as Parquet", refused="a Git LFS pointer")
def _(folder: Path) -> None:
    prepared(write(folder, f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n", "a.parquet"))


@case(FOREIGN, "an HTML page", refused="an HTML page")
def _(folder: Path) -> None:
    prepared(write(folder, "\ufeff\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>a, b, c</body></html>\n"))


@case(FOREIGN, "an Excel workbook", refused="an Excel workbook")
def _(folder: Path) -> None:
    with zipfile.ZipFile(folder / "prices.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    prepared(folder / "prices.csv")


@case(FOREIGN, "JSON", refused="it is JSON")
def _(folder: Path) -> None:
    prepared(write(folder, json.dumps([{"a": 1, "b": 2}] * 30)))


@case(FOREIGN, "Parquet with the ending .csv", refused="its content is Parquet")
def _(folder: Path) -> None:
    prepared(write(folder, b"PAR1\x15\0\x15\0"))

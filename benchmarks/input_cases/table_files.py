"""Table files as found in practice; each is prepared, and predict.py must read the same arrays as training."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.example_files import read_examples
from lepton_automl.modalities.table.spec import table_input
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec

from .case import case

ROWS = 60
PRICES = [("price", "rooms", "area", "sold")] + [
    (f"{900 + 7 * n % 40}.5", str(n % 5 + 1), str(30 + 13 * n % 47), ("yes", "no")[n % 3 == 0]) for n in range(ROWS)
]
A3 = "A3 rows that end in a separator"
A4 = "A4 texts that pandas reads as missing, in files"
A11 = "A11 a bundle reads the files that training could read"
TITLES = "B a title line or sep= before the header"
EMPTY = "B headers with empty last columns"
ZEROS = "B labels and codes that begin with zeros"
ENCODED = "B tables in other encodings"
RAGGED = "B irregular rows and lines"


@dataclass(frozen=True)
class Prepared:
    """A prepared file.

    Args:
        spec: The prepared data.
        columns: The kind of each input column.
        messages: Notes and warnings.
    """

    spec: DataSpec
    columns: dict[str, str]
    messages: str


def prepared(file: Path, **options: Any) -> Prepared:
    """Prepare a file, and assert that prediction reads the same bits as training."""
    folder = file.parent / f"{file.name}.prepared"
    spec = prepare(file, folder, DataOptions(folds=0, **options))
    preprocess = load_preprocess(json.loads((folder / "preprocess.json").read_text()))
    with warnings.catch_warnings(action="ignore"):  # training has already given them
        answered = preprocess.arrays(read_examples(str(file), preprocess))
    for name, part in answered.items():
        stored = np.concatenate([np.load(folder / side / f"{name}.npy") for side in ("rows", "test")])
        assert len(stored) == len(part), f"prediction reads {len(part)} rows, training read {len(stored)}"
        assert sorted(row.tobytes() for row in part) == sorted(row.tobytes() for row in stored), f"{name} differs"
    return Prepared(spec, dict(table_input(spec).columns), "\n".join([*spec.notes, *spec.warnings]))


def lines(rows: Sequence[tuple[str, ...]], separator: str = ",", end: str = "") -> str:
    """Rows as the text of a file."""
    return "".join(separator.join(row) + end + "\n" for row in rows)


def usual(prepared: Prepared) -> None:
    """Assert that `PRICES` were read correctly."""
    assert prepared.columns == dict.fromkeys(("price", "rooms", "area"), "number"), prepared.columns
    assert (prepared.spec.target, prepared.spec.classes) == ("sold", ("no", "yes")), prepared.spec
    assert prepared.spec.train + prepared.spec.validation + prepared.spec.test == ROWS


def write(folder: Path, text: str | bytes, name: str = "prices.csv") -> Path:
    """Write a file."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


@case(A3, "the rows, not the header")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES[:1]) + lines(PRICES[1:], end=","))))


@case(A3, "some of the rows, twice")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES[:20]) + lines(PRICES[20:], end=",,"))))


@case(A3, "header and rows, with semicolons")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES, ";", ";"))))


@case(A3, "only text columns, with tabs")
def _(folder: Path) -> None:
    rows = [("city", "sold")] + [(("Rome", "Bonn", "Oslo")[n % 3], row[3]) for n, row in enumerate(PRICES[1:])]
    result = prepared(write(folder, lines(rows[:1], "\t") + lines(rows[1:], "\t", "\t"), "prices.tsv"))
    assert result.columns == {"city": "category"} and result.spec.target == "sold"


@case(A3, "a cell after the last column", refused="line 11 has 5 cells; the header names 4 columns")
def _(folder: Path) -> None:
    prepared(write(folder, lines(PRICES[:10]) + lines(PRICES[10:], end=",7")))


@case(A4, "None is a label")
def _(folder: Path) -> None:
    rows = [("hours", "disorder")] + [(str(4 + n % 7), ("None", "Apnea", "Insomnia")[n % 3]) for n in range(ROWS)]
    result = prepared(write(folder, lines(rows)))
    assert (
        result.spec.classes == ("Apnea", "Insomnia", "None")
        and sum((result.spec.train, result.spec.validation, result.spec.test)) == ROWS
    )


@case(A4, "NA is a category")
def _(folder: Path) -> None:
    rows = [("region", "n", "sold")] + [(("NA", "EU", "AS")[n % 3], str(n % 7), row[3]) for n, row in enumerate(PRICES[1:])]
    result = prepared(write(folder, lines(rows)))
    described = json.loads((folder / "prices.csv.prepared" / "preprocess.json").read_text())["input"]["columns"]
    assert result.columns["region"] == "category" and described[0]["categories"] == ["AS", "EU", "NA"], described[0]


@case(A4, "NA, #N/A and blanks among numbers are missing numbers")
def _(folder: Path) -> None:
    texts = ("NA", "#N/A", "", "null", " ")
    rows = [PRICES[0]] + [(texts[n % 5], *row[1:]) if n % 4 == 0 else row for n, row in enumerate(PRICES[1:])]
    usual(prepared(write(folder, lines(rows))))


@case(A4, "null and nan are labels")
def _(folder: Path) -> None:
    rows = [("n", "kind")] + [(str(n % 11), ("null", "nan", "pointer")[n % 3]) for n in range(ROWS)]
    assert prepared(write(folder, lines(rows)), target="kind").spec.classes == ("nan", "null", "pointer")


def _spelled(texts: tuple[str, ...]) -> str:
    return lines([("a", "b", "sold")] + [(texts[n % len(texts)], str(n % 9), PRICES[n + 1][3]) for n in range(ROWS)])


@case(A11, "whole numbers as 1.0, 2.00 and 3e0, as categories")
def _(folder: Path) -> None:
    assert prepared(write(folder, _spelled(("1.0", "2.00", "3e0"))), categorical=["a"]).columns["a"] == "category"


@case(A11, "TRUE, true, False and blanks, as numbers and as categories")
def _(folder: Path) -> None:
    text = _spelled(("TRUE", "true", "False", "FALSE", ""))
    assert prepared(write(folder, text)).columns["a"] == "number"
    assert prepared(write(folder, text, "b.csv"), categorical=["a"]).columns["a"] == "category"


@case(A11, "#N/A and NULL among numbers that are categories")
def _(folder: Path) -> None:
    assert prepared(write(folder, _spelled(("1", "#N/A", "2", "NULL", "3.0"))), categorical=["a"]).columns["a"] == "category"


@case(A11, "semicolons, tabs and bars")
def _(folder: Path) -> None:
    for name, separator in (("a.csv", ";"), ("b.tsv", "\t"), ("c.txt", "|"), ("d.csv", "\t")):
        usual(prepared(write(folder, lines(PRICES, separator), name)))


@case(A11, "decimal commas")
def _(folder: Path) -> None:
    rows = [PRICES[0]] + [(row[0].replace(".", ","), *row[1:]) for row in PRICES[1:]]
    usual(prepared(write(folder, lines(rows, ";"))))


@case(A11, "quotes, line ends within quotes, spaces after separators")
def _(folder: Path) -> None:
    texts = ('"x, y"', '"x\ny"', '"say ""x"""')
    rows = [("a", "b", "sold")] + [(texts[n % 3], f'"{n % 9}"', row[3]) for n, row in enumerate(PRICES[1:])]
    for separator in (",", ", "):
        assert prepared(write(folder, lines(rows, separator), f"{len(separator)}.csv")).columns == {
            "a": "category",
            "b": "number",
        }


@case(A11, "Parquet, with every kind of column")
def _(folder: Path) -> None:
    import pandas as pd

    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) * 7, "h")
    whole = pd.array([None if n % 7 == 0 else n % 4 for n in range(ROWS)], dtype="Int64")
    frame = pd.DataFrame(
        {"a": whole, "b": np.arange(ROWS) % 3 == 0, "when": moments, "c": pd.Categorical(["u", "v", None] * 20)}
    )
    frame.assign(f=np.linspace(0, 1, ROWS) ** 2, sold=[row[3] for row in PRICES[1:]]).to_parquet(folder / "prices.parquet")
    kinds = {"a": "category", "b": "number", "when": "time", "c": "category", "f": "number"}
    assert prepared(folder / "prices.parquet", categorical=["a"]).columns == kinds


@case(TITLES, "sep=;")
def _(folder: Path) -> None:
    usual(prepared(write(folder, "sep=;\n" + lines(PRICES, ";"))))


@case(TITLES, "sep= with a separator that names do not contain")
def _(folder: Path) -> None:
    rows = [("price, net", "rooms, all", "area", "sold"), *PRICES[1:]]
    assert prepared(write(folder, '"sep=^"\r\n' + lines(rows, "^"))).columns == dict.fromkeys(rows[0][:3], "number")


@case(TITLES, "one title")
def _(folder: Path) -> None:
    result = prepared(write(folder, "Sales of 2024\n" + lines(PRICES)))
    usual(result)
    assert "'Sales of 2024'" in result.messages


@case(TITLES, "a title padded with separators, and a blank line")
def _(folder: Path) -> None:
    usual(prepared(write(folder, "Sales of 2024;;;\n;;;\n" + lines(PRICES, ";"))))


@case(TITLES, "comments before the header and between rows")
def _(folder: Path) -> None:
    result = prepared(
        write(
            folder,
            "# made by: me\n# rooms, area, and more, and more, and more\n"
            + lines(PRICES[:30])
            + "# half\n"
            + lines(PRICES[30:]),
        )
    )
    usual(result)
    assert "skipped 1 lines that begin with #" in result.messages


@case(EMPTY, "header and rows end in separators")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES, end=",,"))))


@case(EMPTY, "only the header")
def _(folder: Path) -> None:
    result = prepared(write(folder, lines(PRICES[:1], end=",,,") + lines(PRICES[1:])))
    usual(result)
    assert "fewer cells" not in result.messages


@case(EMPTY, "spaces as names and as cells")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES, "\t", "\t \t "), "prices.tsv")))


@case(EMPTY, "numbers below an empty name")
def _(folder: Path) -> None:
    rows = [(*row[:3], f"{n * 7 % 11 if n else ''}", row[3]) for n, row in enumerate(PRICES)]
    assert "Unnamed: 3" in prepared(write(folder, lines(rows))).columns


@case(EMPTY, "an R table: the first column has no name")
def _(folder: Path) -> None:
    rows = [PRICES[0]] + [(f'"{n}"', *row) for n, row in enumerate(PRICES[1:])]
    result = prepared(write(folder, lines(rows)))
    usual(result)
    assert "row names" in result.messages


@case(ZEROS, "01234 is a label")
def _(folder: Path) -> None:
    rows = [("n", "zip")] + [(str(n % 11), ("01234", "98765", "00501")[n % 3]) for n in range(ROWS)]
    assert prepared(write(folder, lines(rows)), target="zip").spec.classes == ("00501", "01234", "98765")


@case(ZEROS, "01 and 1 are two labels")
def _(folder: Path) -> None:
    rows = [("n", "code")] + [(str(n % 11), ("01", "1")[n % 2]) for n in range(ROWS)]
    assert prepared(write(folder, lines(rows)), target="code").spec.classes == ("01", "1")


@case(ZEROS, "codes as categories, one of them after thousands of rows without zeros")
def _(folder: Path) -> None:
    codes = [str(10 + n % 3) for n in range(30_000)] + ["07", "007"] * 20
    prepared(
        write(
            folder, lines([("code", "n", "sold")] + [(code, str(n % 7), ("yes", "no")[n % 2]) for n, code in enumerate(codes)])
        ),
        categorical=["code"],
    )
    described = json.loads((folder / "prices.csv.prepared" / "preprocess.json").read_text())["input"]["columns"]
    assert {"07", "007", "10"} <= set(described[0]["categories"]), described[0]


@case(ZEROS, "0.5, 0 and -0 are numbers")
def _(folder: Path) -> None:
    assert prepared(write(folder, _spelled(("0.5", "0", "-0", "00.25")))).columns["a"] == "number"


@case(ENCODED, "UTF-16 with a byte order mark, as Excel writes text")
def _(folder: Path) -> None:
    usual(prepared(write(folder, lines(PRICES, "\t").encode("utf-16"), "prices.txt")))


@case(ENCODED, "UTF-16 of either order without a mark, UTF-8 with one, UTF-32")
def _(folder: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"):
        usual(prepared(write(folder, lines(PRICES).encode(encoding), f"{encoding}.csv")))


@case(ENCODED, "Latin-1", refused="not UTF-8 text")
def _(folder: Path) -> None:
    rows = [("city", "sold")] + [(("Köln", "Rom")[n % 2], row[3]) for n, row in enumerate(PRICES[1:])]
    prepared(write(folder, lines(rows).encode("latin-1")))


@case(ENCODED, "line ends of Windows and of old Macs, a file without a final one")
def _(folder: Path) -> None:
    for end in ("\r\n", "\r"):
        usual(prepared(write(folder, lines(PRICES).replace("\n", end).rstrip(), f"{len(end)}.csv")))


@case(RAGGED, "short rows are padded, with a warning")
def _(folder: Path) -> None:
    rows = [("sold", *PRICES[0][:3])] + [(row[3], *row[:3]) for row in PRICES[1:]]
    result = prepared(write(folder, lines(rows[:50]) + lines([row[:2] for row in rows[50:]])), target="sold")
    usual(result)
    assert "11 rows have fewer cells than the 4 columns, the first in line 51" in result.messages


@case(RAGGED, "blank lines between rows and at both ends")
def _(folder: Path) -> None:
    usual(prepared(write(folder, "\n\n" + lines(PRICES).replace("\n", "\n\n  \n") + "\n\n")))


@case(RAGGED, "an unclosed quote", refused="line 62: unexpected end of data")
def _(folder: Path) -> None:
    prepared(write(folder, lines(PRICES) + '"1,2,3,yes\n'))


@case(RAGGED, "two columns with the same name", refused="columns share a name: 'rooms'")
def _(folder: Path) -> None:
    prepared(write(folder, lines([("price", "rooms", "rooms ", "sold"), *PRICES[1:]])))


@case(RAGGED, "no header: a warning")
def _(folder: Path) -> None:
    rows = [(str(n), str(n * n % 17), str(n % 2)) for n in range(ROWS)]
    assert "the first line contains only numbers" in prepared(write(folder, lines(rows[2:] + rows[:2]))).messages

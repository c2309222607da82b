"""What a column is: numbers and dates as people write them, texts for missing values, codes, labels; never by test rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.preprocess import NumberColumn, TablePreprocess, TimeColumn, load_preprocess
from lepton_automl.specs import DataSpec

from .case import case

ROWS = 120
MISSING = "A4 texts that may stand for a missing value"
NUMBERS = "A7 numbers written by people"
DATES = "A8 dates"
TEST = "A9 nothing is learnt from test rows"
GAPS = "B a numeric target with some ?"
SPELLING = "B labels that differ in their spelling"
ZEROS = "B labels that begin with a zero"


def table(cells: Sequence[Any], target: Sequence[Any] = ("p", "q")) -> pd.DataFrame:
    """A table with a column `a` of these cells, over and over, and another one that is plain."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": pd.Series([cells[row % len(cells)] for row in range(ROWS)]),
            "z": rng.normal(size=ROWS),
            "y": pd.Series([target[row % len(target)] for row in range(ROWS)]).sample(frac=1, random_state=0).to_numpy(),
        }
    )


def prepared(frame: pd.DataFrame, folder: Path, test: Any = None, **options: Any) -> tuple[DataSpec, dict[str, Any]]:
    """What came of a table; its raw rows give the same arrays in a prediction as they gave in training."""
    spec = prepare(frame, folder / "data", DataOptions(target="y", **options), test=test)
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess)
    raw = frame.astype(object).to_dict("records")
    stored = {name: _stored(folder / "data", name) for name in preprocess.arrays(raw[:1])}
    if test is None and sum(map(len, stored.values())) == len(frame) * len(stored):
        for name, part in preprocess.arrays(raw).items():
            one = np.concatenate([preprocess.arrays(row)[name] for row in raw[:20]])
            assert np.array_equal(one, part[:20])
            assert sorted(map(bytes, part)) == sorted(map(bytes, stored[name])), (
                f"{name} differ between training and prediction"
            )
    return spec, {column.name: column for column in preprocess.columns}


def _stored(folder: Path, name: str) -> Any:
    return np.concatenate([np.load(folder / part / f"{name}.npy") for part in ("rows", "test")])


def number(column: Any, text: Any) -> float:
    assert isinstance(column, NumberColumn), f"it is a {column.kind} column"
    return column.number(text)


def day(column: Any, text: Any) -> str:
    assert isinstance(column, TimeColumn), f"it is a {column.kind} column"
    return str(np.datetime64("1970-01-01T00:00") + np.timedelta64(round(column.day(text) * 1440), "m"))


def said(spec: DataSpec, *texts: str) -> None:
    every = "\n".join((*spec.notes, *spec.warnings))
    for text in texts:
        assert text in every, f"{text!r} is not told in:\n{every}"


def warned(spec: DataSpec, text: str) -> None:
    assert any(text in one for one in spec.warnings), f"no warning on {text!r}: {spec.warnings}"


WORDS = {
    "None": ["None", "gold", "silver", "None"],
    "NA and nan": ["NA", "nan", "EU", "US"],
    "null and n/a": ["null", "n/a", "a", "b"],
    "the most frequent one": ["none", "none", "none", "x", "y"],
}


def _keep(name: str, words: list[str]) -> None:
    @case(MISSING, f"labels and categories {name}")
    def kept(folder: Path) -> None:
        spec, columns = prepared(table(words, words), folder)
        assert spec.classes == tuple(sorted(set(words))) and spec.train + spec.test + spec.validation == ROWS
        assert set(columns["a"].categories) == set(words)
        said(spec, "kept among its classes", "kept among its categories")


for _name, _words in WORDS.items():
    _keep(_name, _words)


@case(MISSING, "missing= says that NA means it")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["NA", "EU", "US", "NA"], ["NA", "p", "q"]), folder, missing="NA")
    assert spec.classes == ("p", "q") and columns["a"].categories == ("EU", "US")
    warned(spec, "taken as missing: 'NA' (40)")


@case(MISSING, "missing= for one column alone")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["NA", "EU", "US", "NA"], ["NA", "p", "q"]), folder, missing={"a": ["NA"]})
    assert spec.classes == ("NA", "p", "q") and columns["a"].categories == ("EU", "US")


@case(MISSING, "missing= names a number")
def _(folder: Path) -> None:
    tables: list[list[Any]] = [["-1", "3", "5", "8", "13"], [-1, 3, 5, 8, 13], [-1.0, 3.5, 5.0]]
    for number_of_table, cells in enumerate(tables):
        (folder / str(number_of_table)).mkdir()
        _, columns = prepared(table(cells), folder / str(number_of_table), missing=["-1"])
        assert all(np.isnan(number(columns["a"], cell)) for cell in ("-1", -1, -1.0)) and columns["a"].flag
        assert number(columns["a"], "5") == 5


@case(MISSING, "missing= names a number of the target")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5, 3.5], [0, 1, 9]), folder, missing={"y": "9"})
    assert spec.classes == (0, 1)
    warned(spec, "40 rows without a 'y' are left out")


@case(MISSING, "among numbers NA, null, - and ? mean it, and are counted")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1.5", "NA", "7", "null", "12", "-", "3", "?"]), folder)
    assert all(np.isnan(number(columns["a"], text)) for text in ("NA", "null", "-", "?", "n/a", "")) and columns["a"].flag
    said(spec, "in it means missing (", "training rows without a value in 'a'")


# Cells, a text and its number, and what is told.
WRITTEN: dict[str, tuple[list[str], str, float, str]] = {
    '"1,234"': (["1,234", "999", "1,234,567", "17"], "1,234", 1234, "'1,234' is 1234"),
    "$1,234.00": (["$1,234.00", "$5.50", "$12", "$8,000.10"], "$1,234.00", 1234, "($)"),
    "4.5%": (["4.5%", "10%", "0.3%", "99%"], "4.5%", 4.5, "'4.5%' is 4.5 (%)"),
    "12.3 kg": (["12.3 kg", "7 kg", "8.25 KG", "1 kgs"], "12.3 kg", 12.3, "'12.3 kg' is 12.3"),
    "1.234,50": (["1.234,50", "99,90", "7,00", "12.000,00"], "1.234,50", 1234.5, "'1.234,50' is 1234.5"),
    "1 234,5 €": (["1 234,5 €", "12,0 €", "1\u202f999,9 €", "3 €"], "1 234,5 €", 1234.5, "(€)"),
    "1'234.50": (["1'234.50", "CHF 99.90", "CHF 7.00", "CHF 1'000.00"], "1'234.50", 1234.5, "name no unit"),
    "(1,234.50) and -$5": (["($1,234.50)", "-$5.00", "$17.25", "$1.00"], "($1,234.50)", -1234.5, "($)"),
    "12,34,567.00": (["₹12,34,567.00", "₹5,000.00", "₹1,00,000.00"], "₹12,34,567.00", 1234567, "(₹)"),
    "36 months": (["36 months", "60 months"], "36 months", 36, "(months)"),
    "decimals from one cell": (["1,234", "5,678", "9,87"], "1,234", 1.234, "'1,234' is 1.234"),
}


def _write(name: str, cells: list[str], text: str, value: float, told: str) -> None:
    @case(NUMBERS, name)
    def feature(folder: Path) -> None:
        spec, columns = prepared(table(cells), folder)
        assert number(columns["a"], text) == value and number(columns["a"], value) == value
        said(spec, told)

    @case(NUMBERS, f"{name} as a target")
    def target(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], cells), folder, task="regression", folds=0, validation_share=0.01)
        assert spec.task == "regression"
        stored = _stored(folder / "data", "targets") * spec.target_scale + spec.target_mean
        assert np.isclose(stored, value, rtol=1e-5).any()
        said(spec, told)


for _name, _given in WRITTEN.items():
    _write(_name, *_given)


@case(NUMBERS, "a price with thousands separators is no name as a target")
def _(folder: Path) -> None:
    prices = [f"${1000 + 317 * row:,}.00" for row in range(ROWS)]
    spec, _ = prepared(table([1.5, 2.5, 3.5], prices), folder)
    assert spec.task == "regression" and 1000 < spec.target_mean < 40_000


@case(NUMBERS, "numeric= reads them, too")
def _(folder: Path) -> None:
    _, columns = prepared(table(["$1,234.00", "007", "$2.50"]), folder, numeric="a")
    assert number(columns["a"], "$1,234.00") == 1234 and number(columns["a"], "007") == 7


@case(NUMBERS, "categorical= keeps the texts")
def _(folder: Path) -> None:
    _, columns = prepared(table(["4.5%", "10%"]), folder, categorical="a")
    assert columns["a"].categories == ("10%", "4.5%")


@case(NUMBERS, "1,234 alone allows both: as ever the point is the decimal sign, and a warning names decimal=")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1,234", "5,678", "9,012", "3,456"]), folder)
    assert number(columns["a"], "1,234") == 1234
    warned(spec, "decimal=','")


@case(NUMBERS, "decimal=',' decides")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1,234", "5,678", "9,012", "3,456"]), folder, decimal=",")
    assert number(columns["a"], "1,234") == 1.234 and not any("two ways" in one for one in spec.warnings)


@case(NUMBERS, "1.234 € alone allows both")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1.234 €", "5.678 €", "9.012 €"]), folder)
    assert number(columns["a"], "1.234 €") == 1.234
    warned(spec, "can be read in two ways")


@case(NUMBERS, "1.5 and 2,5 in one column", refused="mixes decimal signs: '1.5' and '2,5'")
def _(folder: Path) -> None:
    prepared(table(["1.5", "2,5"]), folder)


MIXED = {
    "kg and g": ["1 kg", "500 g", "2 kg"],
    "$ and €": ["$5", "$7", "€6"],
    "hours and minutes": ["2 h", "90 min"],
    "% and ‰": ["4%", "5‰"],
}


def _refuse(name: str, cells: list[str]) -> None:
    @case(NUMBERS, f"{name} in one column", refused="'a' mixes units")
    def feature(folder: Path) -> None:
        prepared(table(cells), folder)

    @case(NUMBERS, f"{name} in one target", refused="'y' mixes units")
    def target(folder: Path) -> None:
        prepared(table([1.5, 2.5, 3.5], cells), folder)


for _name, _cells in MIXED.items():
    _refuse(_name, _cells)

CATEGORIES = {
    "seats": ["12A", "12B", "13A", "14C"],
    "ordinals": ["1st", "2nd", "3rd", "4th"],
    "versions": ["1.2.3", "1.2.4", "2.0.0"],
    "ranges": ["10-19", "20-29", "30-39"],
    "an open end": ["10+ years", "1 year", "2 years", "3 years", "< 1 year"],
    "codes with zeros": ["01234", "98052", "02139", "10001"],
    "codes behind letters": ["Q1", "Q2", "Q3", "Q4"],
}


def _leave(name: str, cells: list[str]) -> None:
    @case(NUMBERS, f"no numbers: {name}")
    def kept(folder: Path) -> None:
        _, columns = prepared(table(cells), folder)
        assert columns["a"].kind == "category" and set(columns["a"].categories) == set(cells)


for _name, _cells in CATEGORIES.items():
    _leave(_name, _cells)

# Cells, a text and its moment, and what is told.
MOMENTS: dict[str, tuple[list[str], str, str, str]] = {
    "31/12/2024": (["31/12/2024", "1/2/2024", "5/6/2023"], "1/2/2024", "2024-02-01T00:00", "have the day first"),
    "1/31/24 8:30": (["1/31/24 8:30", "2/3/24 17:05", "12/1/23 0:00"], "2/3/24 17:05", "2024-02-03T17:05", "have the month first"),
    "one unknown": (["2024-01-31"] * 7 + ["2023-05-01"] * 8 + ["unknown"], "2024-01-31", "2024-01-31T00:00", "'unknown'"),
    "31.12.2024": (["31.12.2024", "01.02.2024", "5.6.2023"], "01.02.2024", "2024-02-01T00:00", "have the day first"),
    "2024/12/31": (["2024/12/31", "2024/1/2", "2023/5/6"], "2024/1/2", "2024-01-02T00:00", "point in time"),
    "31 Dec 2024": (["31 Dec 2024", "1 February 2024", "5-Jun-23"], "1 February 2024", "2024-02-01T00:00", "two digits"),
    "Dec 31, 2024": (["Dec 31, 2024", "June 5, 2023", "Feb 1, 2024"], "Feb 1, 2024", "2024-02-01T00:00", "point in time"),
    "months alone": (["1949-01", "1949-12", "1950-07", "1951-03"], "1950-07", "1950-07-01T00:00", "point in time"),
    "AM and PM": (["12/31/2024 1:05 PM", "1/2/2024 12:00 AM", "3/4/2024 8:30 am"], "1/2/2024 12:00 AM", "2024-01-02T00:00", "month"),
    "0000-00-00": (["2024-01-31", "2023-05-01", "0000-00-00", "2022-07-08"], "2023-05-01", "2023-05-01T00:00", "are no dates"),
    "a day that is none": (["30/01/2024"] * 9 + ["31/02/2024"] + ["5/6/2023"] * 10, "5/6/2023", "2023-06-05T00:00", "'31/02/2024'"),
}  # fmt: skip


def _date(name: str, cells: list[str], text: str, moment: str, told: str) -> None:
    @case(DATES, name)
    def feature(folder: Path) -> None:
        spec, columns = prepared(table(cells), folder)
        assert day(columns["a"], text) == moment
        said(spec, told)

    @case(DATES, f"{name} as a target", refused="the target holds dates")
    def target(folder: Path) -> None:
        prepared(table([1.5, 2.5, 3.5], cells), folder)


for _name, _moment in MOMENTS.items():
    _date(_name, *_moment)


@case(DATES, "cells that are no date are counted, and stay missing in predictions")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["2024-01-31", "2023-05-01", "unknown", "2022-07-08"]), folder)
    assert np.isnan(columns["a"].day("unknown")) and columns["a"].flag
    warned(spec, "cells of 'a' are no dates ('unknown'): taken as missing")


@case(DATES, "all cells allow both: a warning names dayfirst=")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1/2/2024", "3/4/2024", "5/6/2023"]), folder)
    assert day(columns["a"], "1/2/2024") == "2024-01-02T00:00"
    warned(spec, "dayfirst=True")


@case(DATES, "dayfirst=True decides")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1/2/2024", "3/4/2024", "5/6/2023"]), folder, dayfirst=True)
    assert day(columns["a"], "1/2/2024") == "2024-02-01T00:00" and not any("dayfirst" in one for one in spec.warnings)


@case(DATES, "the day first and the month first in one column", refused="mixes dates with the day first ('31/12/2024')")
def _(folder: Path) -> None:
    prepared(table(["31/12/2024", "12/31/2024"]), folder)


@case(DATES, "dates as objects", refused="the target holds dates, such as '2024-01-")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], [date(2024, 1, day) for day in range(1, 20)]), folder)


@case(DATES, "datetime64 of three days as a target", refused="the target holds dates")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], list(pd.date_range("2023-01-01", periods=3))), folder)


@case(DATES, "datetime64 as classes", refused="the target holds dates")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], list(pd.date_range("2023-01-01", periods=3))), folder, task="multiclass")


@case(DATES, "durations as a target", refused="the target holds durations")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], [timedelta(hours=hours) for hours in range(1, 20)]), folder)


@case(TEST, "oops in every test row")
def _(folder: Path) -> None:
    frame = table([1.5, 2.5, 3.5])
    spec, columns = prepared(frame, folder, test=frame.assign(a="oops"))
    assert number(columns["a"], 2.5) == 2.5
    warned(spec, "120 cells of 'a' that were not learnt from are no numbers, such as 'oops': taken as missing")


def _same(name: str, frame: pd.DataFrame, **changes: Any) -> None:
    @case(TEST, name)
    def alike(folder: Path) -> None:
        split = np.array(["train", "valid", "test"])[np.arange(ROWS) % 3]
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        one = prepared(frame.assign(split=split), folder / "a")[0]
        other = frame.assign(split=split)
        for column, cell in changes.items():
            texts = other[column].astype(object)
            texts[split == "test"] = cell
            other[column] = texts
        two = prepared(other, folder / "b")[0]
        first, second = ((Path(spec.folder) / "preprocess.json").read_text() for spec in (one, two))
        assert first == second, f"{first}\n{second}"
        assert (one.task, one.classes, one.target_mean, one.notes) == (two.task, two.classes, two.target_mean, two.notes)


_same("a word among numbers, in a table with a split column", table([1.5, 2.5, 3.5]), a="oops")
_same("no value among whole numbers that number the rows", table(range(ROWS)), a=None)
_same("another unit in test rows", table(["1 kg", "2 kg", "3.5 kg"]), a="7 g")
_same("the month first in test rows", table(["31/12/2024", "1/2/2024", "5/6/2023"]), a="12/31/2024")
_same("numbers among categories in test rows", table(["red", "blue", "green"]), a=17)


@case(TEST, "a class that only test rows have", refused="no training example is of class 'r'")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5]), folder, test=table([1.5, 2.5, 3.5]).assign(y=["p", "q", "r"] * (ROWS // 3)))


@case(
    TEST,
    "fractions as targets of test rows alone make no quantity of whole labels",
    refused="no training example is of class '0.5'",
)
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], [0, 1, 2]), folder, test=table([1.5, 2.5, 3.5], [0.5, 1.5]))


@case(TEST, "test labels of another type")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5], [0, 1]), folder, test=table([1.5, 2.5], ["0", "1"]))
    assert spec.classes == (0, 1) and spec.test == ROWS


FEW = [f"{value / 4}" for value in range(30)]


@case(GAPS, "fractions")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5, 3.5], [*FEW, "?"]), folder)
    assert spec.task == "regression" and spec.train + spec.test == ROWS - 3
    warned(spec, "3 rows without a 'y' are left out; taken as missing: '?' (3)")


@case(GAPS, "task='regression'")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5, 3.5], [*FEW, "?", "unknown"]), folder, task="regression")
    assert spec.task == "regression"
    warned(spec, "'?'")


@case(GAPS, "numbers and n/a as objects")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5, 3.5], [*map(float, FEW), "n/a"]), folder)
    assert spec.task == "regression"
    warned(spec, "'n/a' (3)")


@case(GAPS, "classes 0 and 1")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5, 3.5], ["0", "1", "?"]), folder)
    assert spec.classes == (0, 1)
    warned(spec, "'?' (40)")


@case(GAPS, "words are no quantity", refused="Set task to multiclass")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], ["low", "high", "7"]), folder, task="regression")


ALIKE = {
    "yes, YES and Yes": ["yes", "YES", "Yes", "no"],
    "an underscore": ["not spam", "not_spam", "spam"],
    "a full stop": ["<=50K", "<=50K.", ">50K", ">50K."],
    "two forms of é": ["caf\u00e9", "cafe\u0301", "bar"],
}


def _spell(name: str, labels: list[str]) -> None:
    @case(SPELLING, name)
    def alike(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder)
        assert set(spec.classes) == set(labels)
        warned(spec, "labels of 'y' differ in their spelling alone")


for _name, _labels in ALIKE.items():
    _spell(_name, _labels)


def _zero(name: str, labels: list[str]) -> None:
    @case(ZEROS, name)
    def kept(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder)
        assert spec.classes == tuple(sorted(labels))
        said(spec, "begins with a zero")


_zero("01234", ["01234", "98052", "10001"])
_zero("all with zeros", ["001", "002", "003"])
_zero("two labels", ["00", "01"])
_zero("more labels than are guessed", [f"{code:04}" for code in range(30)])


def written(folder: Path, lines: Sequence[str], name: str = "table.csv") -> Path:
    """A file in a folder of its own."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def _rows(cells: Sequence[str], targets: Sequence[str], splits: Sequence[str] = ("",), separator: str = ",") -> list[str]:
    names = ["a", "z", "y"] + ["split"] * (splits[0] != "")
    rows = [
        [cells[row % len(cells)], str(row), targets[row * 7 % len(targets)], splits[row // 3 % len(splits)]][: len(names)]
        for row in range(ROWS)
    ]
    return [separator.join(row) for row in [names, *rows]]


def _same_file(name: str, cells: list[str], targets: list[str], old: str, new: str) -> None:
    @case(TEST, f"a file: {name}")
    def alike(folder: Path) -> None:
        splits = ["train", "valid", "test"]
        one = _rows(cells, targets, splits)
        two = [line.replace(old, new) if line.endswith(",test") else line for line in one]
        assert one != two
        specs = [
            prepare(written(folder / part, lines), folder / f"{part}-data", DataOptions(target="y"))
            for part, lines in (("one", one), ("two", two))
        ]
        first, second = ((Path(spec.folder) / "preprocess.json").read_text() for spec in specs)
        assert first == second and specs[0].task == specs[1].task and specs[0].classes == specs[1].classes


_same_file("a word in test rows among three whole numbers", ["1", "2", "3"], ["p", "q"], "1,", "oops,")
_same_file("a word in test rows among booleans", ["true", "false"], ["p", "q"], "true,", "oops,")
_same_file("a label without a value in test rows", ["1.5", "2.5"], ["0", "1"], ",0,test", ",?,test")
_same_file("another decimal sign in test rows", ["1.5", "2.25"], ["p", "q"], "1.5,", "1;5,")


@case(TEST, "test data in a file of their own are read as the training data")
def _(folder: Path) -> None:
    train = written(folder / "train", _rows(["1.234,50", "12.000,00", "7,25", "1.500"], ["p", "q"], separator=";"))
    test = written(folder / "test", _rows(["1.500", "2.750"], ["p", "q"], separator=";"))
    spec = prepare(train, folder / "data", DataOptions(target="y"), test=test)
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess)
    expected = preprocess.arrays({"a": ["1.500", "2.750"] * 60, "z": list(range(ROWS))})["numeric"]
    assert spec.test == ROWS and np.array_equal(np.load(folder / "data/test/numeric.npy"), expected)
    assert number(preprocess.columns[0], "1.500") == 1500


@case(NUMBERS, "1,234 alone between semicolons: as ever the comma is the decimal sign, with a warning")
def _(folder: Path) -> None:
    path = written(folder / "file", _rows(["1,234", "5,678", "9,012"], ["p", "q"], separator=";"))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess) and number(preprocess.columns[0], "1,234") == 1.234
    warned(spec, "can be read in two ways")


@case(MISSING, "a file whose largest class is None")
def _(folder: Path) -> None:
    path = written(folder / "file", _rows(["1.5", "2.5", "NA"], ["None", "None", "None", "gold", "silver"]))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    assert spec.classes == ("None", "gold", "silver") and spec.train + spec.validation + spec.test == ROWS
    said(spec, "'None' (72) is kept among its classes")


@case(ZEROS, "in a file")
def _(folder: Path) -> None:
    path = written(folder / "file", _rows(["1.5", "2.5"], ["01234", "98052"]))
    assert prepare(path, folder / "data", DataOptions(target="y")).classes == ("01234", "98052")


@case(GAPS, "in a file")
def _(folder: Path) -> None:
    path = written(folder / "file", _rows(["1.5", "2.5"], [*FEW, "?"]))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    assert spec.task == "regression"
    warned(spec, "'?'")

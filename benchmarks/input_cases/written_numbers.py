"""Numbers in common notations: separators, units, percentages; and texts that are not numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.shipped import load_preprocess

from .case import case
from .columns import NUMBERS, ROWS, has_note, number, prepared, scale, stored_arrays, table, text_rows, warned, written

# Cells, one text, its number, and part of the note.
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


def _write(name: str, cells: list[str], text: str, value: float, note: str) -> None:
    @case(NUMBERS, name)
    def feature(folder: Path) -> None:
        spec, columns = prepared(table(cells), folder)
        assert number(columns["a"], text) == value and number(columns["a"], value) == value
        has_note(spec, note)

    @case(NUMBERS, f"{name} as a target")
    def target(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], cells), folder, task="regression", folds=0, validation_share=0.01)
        assert spec.task == "regression"
        stored = stored_arrays(folder / "data", "targets") * scale(spec).scale + scale(spec).mean
        assert np.isclose(stored, value, rtol=1e-5).any()
        has_note(spec, note)


for _name, _given in WRITTEN.items():
    _write(_name, *_given)


@case(NUMBERS, "a price with thousands separators as a target is a number")
def _(folder: Path) -> None:
    prices = [f"${1000 + 317 * row:,}.00" for row in range(ROWS)]
    spec, _ = prepared(table([1.5, 2.5, 3.5], prices), folder)
    assert spec.task == "regression" and 1000 < scale(spec).mean < 40_000


@case(NUMBERS, "numeric= reads them as well")
def _(folder: Path) -> None:
    _, columns = prepared(table(["$1,234.00", "007", "$2.50"]), folder, numeric="a")
    assert number(columns["a"], "$1,234.00") == 1234 and number(columns["a"], "007") == 7


@case(NUMBERS, "categorical= keeps the texts")
def _(folder: Path) -> None:
    _, columns = prepared(table(["4.5%", "10%"]), folder, categorical="a")
    assert columns["a"].categories == ("10%", "4.5%")


@case(NUMBERS, "1,234 only is ambiguous: by default the point is the decimal sign, and a warning mentions decimal=")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1,234", "5,678", "9,012", "3,456"]), folder)
    assert number(columns["a"], "1,234") == 1234
    warned(spec, "decimal=','")


@case(NUMBERS, "decimal=',' decides")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1,234", "5,678", "9,012", "3,456"]), folder, decimal=",")
    assert number(columns["a"], "1,234") == 1.234 and not any("two ways" in warning for warning in spec.warnings)


@case(NUMBERS, "1.234 € only is ambiguous")
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
    "codes after letters": ["Q1", "Q2", "Q3", "Q4"],
}


def _leave(name: str, cells: list[str]) -> None:
    @case(NUMBERS, f"not numbers: {name}")
    def kept(folder: Path) -> None:
        _, columns = prepared(table(cells), folder)
        assert columns["a"].kind == "category" and set(columns["a"].categories) == set(cells)


for _name, _cells in CATEGORIES.items():
    _leave(_name, _cells)


@case(NUMBERS, "1,234 only between semicolons: by default the comma is the decimal sign, with a warning")
def _(folder: Path) -> None:
    path = written(folder / "file", text_rows(["1,234", "5,678", "9,012"], ["p", "q"], separator=";"))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess) and number(preprocess.columns[0], "1,234") == 1.234
    warned(spec, "can be read in two ways")

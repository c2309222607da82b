"""Texts that may mean a missing value, in numbers, categories and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare

from .case import case
from .columns import GAPS, MISSING, ROWS, has_note, number, prepared, table, text_rows, warned, written

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
        has_note(spec, "kept among its classes", "kept among its categories")


for _name, _words in WORDS.items():
    _keep(_name, _words)


@case(MISSING, "missing= makes NA a missing value")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["NA", "EU", "US", "NA"], ["NA", "p", "q"]), folder, missing="NA")
    assert spec.classes == ("p", "q") and columns["a"].categories == ("EU", "US")
    warned(spec, "taken as missing: 'NA' (40)")


@case(MISSING, "missing= for one column only")
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


@case(MISSING, "among numbers, NA, null, - and ? are missing, and counted")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1.5", "NA", "7", "null", "12", "-", "3", "?"]), folder)
    assert all(np.isnan(number(columns["a"], text)) for text in ("NA", "null", "-", "?", "n/a", "")) and columns["a"].flag
    has_note(spec, "in it means missing (", "missing values in training rows: 'a'")


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


@case(GAPS, "words as a target of numbers", refused="Set task to multiclass")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], ["low", "high", "7"]), folder, task="regression")


@case(MISSING, "a file whose largest class is None")
def _(folder: Path) -> None:
    path = written(folder / "file", text_rows(["1.5", "2.5", "NA"], ["None", "None", "None", "gold", "silver"]))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    assert spec.classes == ("None", "gold", "silver") and spec.train + spec.validation + spec.test == ROWS
    has_note(spec, "'None' (72) is kept among its classes")


@case(GAPS, "in a file")
def _(folder: Path) -> None:
    path = written(folder / "file", text_rows(["1.5", "2.5"], [*FEW, "?"]))
    spec = prepare(path, folder / "data", DataOptions(target="y"))
    assert spec.task == "regression"
    warned(spec, "'?'")

"""Nothing is learned from test rows: neither a column's type nor its values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.shipped import load_preprocess

from .case import case
from .columns import ROWS, TEST, number, prepared, table, text_rows, warned, written


@case(TEST, "oops in every test row")
def _(folder: Path) -> None:
    frame = table([1.5, 2.5, 3.5])
    spec, columns = prepared(frame, folder, test=frame.assign(a="oops"))
    assert number(columns["a"], 2.5) == 2.5
    warned(spec, "120 cells of 'a' outside the training rows are not numbers, such as 'oops': taken as missing")


def _same(name: str, frame: pd.DataFrame, **changes: Any) -> None:
    @case(TEST, name)
    def alike(folder: Path) -> None:
        split = np.array(["train", "valid", "test"])[np.arange(ROWS) % 3]
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        first_spec = prepared(frame.assign(split=split), folder / "a")[0]
        other = frame.assign(split=split)
        for column, cell in changes.items():
            texts = other[column].astype(object)
            texts[split == "test"] = cell
            other[column] = texts
        two = prepared(other, folder / "b")[0]
        first, second = ((Path(spec.folder) / "preprocess.json").read_text() for spec in (first_spec, two))
        assert first == second, f"{first}\n{second}"
        assert (first_spec.output, first_spec.notes) == (two.output, two.notes)


_same("a word among numbers, in a table with a split column", table([1.5, 2.5, 3.5]), a="oops")
_same("a missing value among integers that number the rows", table(range(ROWS)), a=None)
_same("another unit in test rows", table(["1 kg", "2 kg", "3.5 kg"]), a="7 g")
_same("the month first in test rows", table(["31/12/2024", "1/2/2024", "5/6/2023"]), a="12/31/2024")
_same("numbers among categories in test rows", table(["red", "blue", "green"]), a=17)


@case(TEST, "a class that occurs only in test rows", refused="no training example is of class 'r'")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5]), folder, test=table([1.5, 2.5, 3.5]).assign(y=["p", "q", "r"] * (ROWS // 3)))


@case(
    TEST,
    "fractions as test targets do not turn integer labels into numbers",
    refused="no training example is of class '0.5'",
)
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], [0, 1, 2]), folder, test=table([1.5, 2.5, 3.5], [0.5, 1.5]))


@case(TEST, "test labels of another type")
def _(folder: Path) -> None:
    spec, _ = prepared(table([1.5, 2.5], [0, 1]), folder, test=table([1.5, 2.5], ["0", "1"]))
    assert spec.classes == (0, 1) and spec.test == ROWS


def _same_file(name: str, cells: list[str], targets: list[str], old: str, new: str) -> None:
    @case(TEST, f"a file: {name}")
    def alike(folder: Path) -> None:
        splits = ["train", "valid", "test"]
        first_lines = text_rows(cells, targets, splits)
        two = [line.replace(old, new) if line.endswith(",test") else line for line in first_lines]
        assert first_lines != two
        specs = [
            prepare(written(folder / part, lines), folder / f"{part}-data", DataOptions(target="y"))
            for part, lines in (("one", first_lines), ("two", two))
        ]
        first, second = ((Path(spec.folder) / "preprocess.json").read_text() for spec in specs)
        assert first == second and specs[0].task == specs[1].task and specs[0].classes == specs[1].classes


_same_file("a word in test rows among three integers", ["1", "2", "3"], ["p", "q"], "1,", "oops,")
_same_file("a word in test rows among booleans", ["true", "false"], ["p", "q"], "true,", "oops,")
_same_file("a label without a value in test rows", ["1.5", "2.5"], ["0", "1"], ",0,test", ",?,test")
_same_file("another decimal sign in test rows", ["1.5", "2.25"], ["p", "q"], "1.5,", "1;5,")


@case(TEST, "a separate test file is read like the training file")
def _(folder: Path) -> None:
    train = written(folder / "train", text_rows(["1.234,50", "12.000,00", "7,25", "1.500"], ["p", "q"], separator=";"))
    test = written(folder / "test", text_rows(["1.500", "2.750"], ["p", "q"], separator=";"))
    spec = prepare(train, folder / "data", DataOptions(target="y"), test=test)
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess)
    expected = preprocess.arrays({"a": ["1.500", "2.750"] * 60, "z": list(range(ROWS))})["numeric"]
    assert spec.test == ROWS and np.array_equal(np.load(folder / "data/test/numeric.npy"), expected)
    assert number(preprocess.columns[0], "1.500") == 1500

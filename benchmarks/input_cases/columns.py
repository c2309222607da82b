"""Tables and files with a column of chosen cells, and their expected values, notes and warnings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.modalities.table.preprocess.columns import NumberColumn
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.times import TimeColumn
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec
from lepton_automl.tasks.regression import NumberOutput

ROWS = 120
MISSING = "A4 texts that may stand for a missing value"
NUMBERS = "A7 numbers written by people"
DATES = "A8 dates"
TEST = "A9 nothing is learned from test rows"
GAPS = "B a numeric target with some ?"
SPELLING = "B labels that differ in their spelling"
ZEROS = "B labels that begin with a zero"


def table(cells: Sequence[Any], target: Sequence[Any] = ("p", "q")) -> pd.DataFrame:
    """A table with a column `a` that repeats these cells, a column `z` of plain numbers, and a target `y`."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": pd.Series([cells[row % len(cells)] for row in range(ROWS)]),
            "z": rng.normal(size=ROWS),
            "y": pd.Series([target[row % len(target)] for row in range(ROWS)]).sample(frac=1, random_state=0).to_numpy(),
        }
    )


def prepared(frame: pd.DataFrame, folder: Path, test: Any = None, **options: Any) -> tuple[DataSpec, dict[str, Any]]:
    """Prepare a table, and assert that its raw rows give the same arrays in prediction as in training."""
    spec = prepare(frame, folder / "data", DataOptions(target="y", **options), test=test)
    preprocess = load_preprocess(json.loads((folder / "data/preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess)
    raw = frame.astype(object).to_dict("records")
    stored = {name: stored_arrays(folder / "data", name) for name in preprocess.arrays(raw[:1])}
    if test is None and sum(map(len, stored.values())) == len(frame) * len(stored):
        for name, part in preprocess.arrays(raw).items():
            first_rows = np.concatenate([preprocess.arrays(row)[name] for row in raw[:20]])
            assert np.array_equal(first_rows, part[:20])
            assert sorted(map(bytes, part)) == sorted(map(bytes, stored[name])), (
                f"{name} differ between training and prediction"
            )
    return spec, {column.name: column for column in preprocess.columns}


def stored_arrays(folder: Path, name: str) -> Any:
    return np.concatenate([np.load(folder / part / f"{name}.npy") for part in ("rows", "test")])


def scale(spec: DataSpec) -> NumberOutput:
    """The scale of a numeric target."""
    assert isinstance(spec.output, NumberOutput), f"the task is {spec.task}"
    return spec.output


def number(column: Any, text: Any) -> float:
    assert isinstance(column, NumberColumn), f"it is a {column.kind} column"
    return column.number(text)


def day(column: Any, text: Any) -> str:
    assert isinstance(column, TimeColumn), f"it is a {column.kind} column"
    return str(np.datetime64("1970-01-01T00:00") + np.timedelta64(round(column.day(text) * 1440), "m"))


def has_note(spec: DataSpec, *texts: str) -> None:
    every = "\n".join((*spec.notes, *spec.warnings))
    for text in texts:
        assert text in every, f"{text!r} is missing in:\n{every}"


def warned(spec: DataSpec, text: str) -> None:
    assert any(text in warning for warning in spec.warnings), f"no warning contains {text!r}: {spec.warnings}"


def written(folder: Path, lines: Sequence[str], name: str = "table.csv") -> Path:
    """Write a file to its own folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def text_rows(cells: Sequence[str], targets: Sequence[str], splits: Sequence[str] = ("",), separator: str = ",") -> list[str]:
    names = ["a", "z", "y"] + ["split"] * (splits[0] != "")
    rows = [
        [cells[row % len(cells)], str(row), targets[row * 7 % len(targets)], splits[row // 3 % len(splits)]][: len(names)]
        for row in range(ROWS)
    ]
    return [separator.join(row) for row in [names, *rows]]

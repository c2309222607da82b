"""More contents of columns: prices without cents, durations, periods, similar labels, cells that only held-out rows have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.modalities.table.spec import table_input

from .case import case
from .columns import DATES, NUMBERS, ROWS, SPELLING, TEST, day, number, prepared, table, warned

# Cells, one text, and its number.
PRICES: dict[str, tuple[list[str], str, float]] = {
    "5,-": (["5,-", "12,-", "7,50"], "5,-", 5.0),
    "CHF 7.— and 1'200.-": (["CHF 7.—", "CHF 12.50", "CHF 1'200.-"], "CHF 1'200.-", 1200.0),
    "12,-- €": (["12,-- €", "5,- €", "-7,50 €"], "12,-- €", 12.0),
    "a minus sign at the end": (["5-", "3", "7.5-"], "7.5-", -7.5),
}


def _price(name: str, cells: list[str], text: str, value: float) -> None:
    @case(NUMBERS, name)
    def read(folder: Path) -> None:
        _, columns = prepared(table(cells), folder)
        assert number(columns["a"], text) == value


for _name, _given in PRICES.items():
    _price(_name, *_given)

SPANS: dict[str, Sequence[Any]] = {
    "12:30": [f"{hour}:{3 * hour:02}" for hour in range(1, 19)],
    "1h 30m": ["1h 30m", "2h 5m", "45m"],
    "PT1H30M": ["PT1H30M", "PT5M", "PT20S"],
    "1 days 02:00:00": ["1 days 02:00:00", "0 days 05:00:00", "NA"],
    "times of the day": [time(hour) for hour in range(20)],
}


def _span(name: str, cells: Sequence[Any]) -> None:
    @case(DATES, f"{name} as a target", refused="the target holds durations or times")
    def target(folder: Path) -> None:
        prepared(table([1.5, 2.5, 3.5], cells), folder)


for _name, _cells in SPANS.items():
    _span(_name, _cells)


@case(DATES, "pandas months as a target", refused="the target holds dates, such as '2024-")
def _(folder: Path) -> None:
    prepared(table([1.5, 2.5, 3.5], list(pd.period_range("2024-01", periods=20, freq="M"))), folder)


@case(DATES, "times as labels with task=; scores of games and sizes are labels by default")
def _(folder: Path) -> None:
    for at, (labels, task) in enumerate(
        ((["08:00", "16:00"], "multiclass"), (["2:1", "0:0", "1:3"], None), (["s", "m"], None))
    ):
        (folder / str(at)).mkdir()
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder / str(at), task=task)
        assert spec.classes == tuple(sorted(labels))


@case(DATES, "24/12/31 may have the year first: a warning")
def _(folder: Path) -> None:
    for at, (cells, doubtful) in enumerate(
        ((["24/12/31", "24/01/02", "23/05/17"], True), (["31/12/24", "02/01/24", "17/05/23"], False))
    ):
        (folder / str(at)).mkdir()
        spec, _ = prepared(table(cells), folder / str(at))
        assert any("with the year last" in warning for warning in spec.warnings) == doubtful, spec.warnings


LOOK_ALIKE: dict[str, tuple[list[Any], str]] = {
    "zero-width characters": (["cat", "cat\u200b", "\ufeffdog", "dog"], "'cat', 'cat\\u200b'"),
    "1 and 1.0 as texts": (["1", "1.0", "2"], "'1', '1.0'"),
    "a hyphen": (["re-open", "re open", "shut"], "'re open', 're-open'"),
}


def _look(name: str, labels: list[Any], pair: str) -> None:
    @case(SPELLING, name)
    def alike(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder)
        warned(spec, f"labels of 'y' differ only in their spelling, and are separate classes: {pair}")


for _name, (_labels, _pair) in LOOK_ALIKE.items():
    _look(_name, _labels, _pair)


@case(SPELLING, "no warning about -1 and 1, nor about A, A- and A+")
def _(folder: Path) -> None:
    every: list[list[Any]] = [[-1, 1], ["-1", "1", "0"], ["A", "A-", "A+", "B"], ["+", "-"], ["<=50K", ">50K"]]
    for at, labels in enumerate(every):
        (folder / str(at)).mkdir()
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder / str(at))
        assert len(spec.classes) == len(labels) and not any("spelling" in warning for warning in spec.warnings), spec.warnings


DAYS = ["2024-01-31", "2023-05-01", "2022-07-08"]


@case(TEST, "invalid dates in test rows: counted, and missing")
def _(folder: Path) -> None:
    frame = table(DAYS)
    spec, columns = prepared(frame, folder, test=frame.assign(a=["soon", *frame["a"][1:]]))
    assert day(columns["a"], "2024-01-31") == "2024-01-31T00:00"
    warned(spec, "one cell of 'a' outside the training rows is not a date, such as 'soon': taken as missing")


@case(TEST, "invalid numbers in the validation rows of a split column: counted, and missing")
def _(folder: Path) -> None:
    split = np.array(["train", "valid", "test"])[np.arange(ROWS) % 3]
    frame = table([1.5, 2.5, 3.5, 4.5]).assign(split=split)
    cells = frame["a"].astype(object)
    cells[split != "train"] = "oops"
    spec = prepare(frame.assign(a=cells), folder / "data", DataOptions(target="y"))
    assert dict(table_input(spec).columns)["a"] == "number"
    warned(spec, "80 cells of 'a' outside the training rows are not numbers, such as 'oops': taken as missing")


@case(TEST, "an invalid number in a prediction", refused="column 'a' takes numbers, not 'oops'")
def _(folder: Path) -> None:
    frame = table([1.5, 2.5, 3.5])
    _, columns = prepared(frame, folder, test=frame.assign(a="oops"))
    number(columns["a"], "oops")


@case(TEST, "an invalid date in a prediction", refused="'soon'")
def _(folder: Path) -> None:
    frame = table(DAYS)
    _, columns = prepared(frame, folder, test=frame.assign(a="soon"))
    day(columns["a"], "soon")

"""Dates and times in common notations."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from .case import case
from .columns import DATES, day, has_note, prepared, table, warned

# Cells, one text, its time, and part of the note.
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
    "0000-00-00": (["2024-01-31", "2023-05-01", "0000-00-00", "2022-07-08"], "2023-05-01", "2023-05-01T00:00", "are not dates"),
    "an invalid day": (["30/01/2024"] * 9 + ["31/02/2024"] + ["5/6/2023"] * 10, "5/6/2023", "2023-06-05T00:00", "'31/02/2024'"),
}  # fmt: skip


def _date(name: str, cells: list[str], text: str, moment: str, note: str) -> None:
    @case(DATES, name)
    def feature(folder: Path) -> None:
        spec, columns = prepared(table(cells), folder)
        assert day(columns["a"], text) == moment
        has_note(spec, note)

    @case(DATES, f"{name} as a target", refused="the target holds dates")
    def target(folder: Path) -> None:
        prepared(table([1.5, 2.5, 3.5], cells), folder)


for _name, _moment in MOMENTS.items():
    _date(_name, *_moment)


@case(DATES, "invalid cells are counted, and stay missing in predictions")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["2024-01-31", "2023-05-01", "unknown", "2022-07-08"]), folder)
    assert np.isnan(columns["a"].day("unknown")) and columns["a"].flag
    warned(spec, "cells of 'a' are not dates ('unknown'): taken as missing")


@case(DATES, "all cells are ambiguous: a warning mentions dayfirst=")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1/2/2024", "3/4/2024", "5/6/2023"]), folder)
    assert day(columns["a"], "1/2/2024") == "2024-01-02T00:00"
    warned(spec, "dayfirst=True")


@case(DATES, "dayfirst=True decides")
def _(folder: Path) -> None:
    spec, columns = prepared(table(["1/2/2024", "3/4/2024", "5/6/2023"]), folder, dayfirst=True)
    assert day(columns["a"], "1/2/2024") == "2024-02-01T00:00" and not any("dayfirst" in warning for warning in spec.warnings)


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

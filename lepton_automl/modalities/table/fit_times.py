"""Fit a column of dates on the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import INFINITE
from lepton_automl.data.reader import Reader
from lepton_automl.data.written import Written
from lepton_automl.modalities.table.preprocess.times import CYCLES, ORDERS, TimeColumn, cycle_waves

from .findings import Findings, constant_note
from .options import table_options
from .quantile_knots import fit_robust, fit_scale

Array = NDArray[Any]


def fit_times(name: str, cells: Array, written: Written, findings: Findings) -> TimeColumn | None:
    """The column, with the cycles that its training rows cover; None with a note if it is constant.

    Args:
        name: The column's name.
        cells: Its training cells.
        written: How its dates are written.
        findings: What is known about the table; notes are added.
    """
    days, _ = Reader(date=written.date).days(cells)
    present = days[~np.isnan(days)]
    flag = len(present) < len(days)
    if not len(present) or (not flag and np.ptp(present) == 0):
        findings.notes.append(constant_note(name, empty=not len(present)))
        return None
    cycles = [cycle for cycle in CYCLES if _covers_cycle(present, cycle)]
    findings.notes.append(f"{name!r} is a point in time: days since 1970" + "".join(f", time of {cycle}" for cycle in cycles))
    findings.missing[name] = len(days) - len(present)
    infinite = (INFINITE,) if table_options(findings.options).infinite == "missing" else ()
    tokens = (*written.tokens, *sorted(findings.options.missing_in(name)), *infinite)
    settings: dict[str, Any] = {"tokens": tokens, "notation": written.date, "lenient": written.lenient}
    robust = fit_robust(present)
    return TimeColumn(name, fit_scale(present), robust=robust, cycles=cycles, orders=ORDERS, flag=flag, **settings)


def _covers_cycle(days: Array, cycle: str) -> bool:
    """Whether the days cover the cycle more than once and differ within it."""
    spread = float(cycle_waves(days, {cycle: 1}).std(1).max())
    return bool(np.ptp(days) > CYCLES[cycle] and spread > 0.01)

"""Points in time: days since 1970, and the parts of a date that repeat."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.cells import EPOCH, to_day
from lepton_automl.modalities.table.preprocess.scales import QuantileScale, RobustScale
from lepton_automl.notation import DateNotation

CYCLES = {"year": 365.2425, "month": 30.436875, "week": 7.0, "day": 1.0}  # days; a month has its own length
ORDERS = {"year": 2, "month": 1, "week": 3, "day": 2}  # pairs of waves; three tell all weekdays apart


class TimeColumn:
    """Points in time: days since 1970, and where in the year, month, week and day they fall, as sines and cosines.

    The days are a feature by rank, for an embedding, and one by distance from the median, which also orders dates outside the
    training range. Waves of higher order (twice, three times a cycle) give weekdays, months and hours values of their own.

    Args:
        name: The column's name.
        scale: Scales the days to [-1, 1].
        robust: Scales the days by distance; None for no such feature.
        cycles: Which of `CYCLES` the training rows cover.
        orders: Pairs of waves of each cycle; 1 if not given.
        flag: Whether there is a feature for missing cells.
        tokens: Texts that stand for a missing date, such as `"unknown"`.
        notation: How its texts are written, if not in ISO 8601.
        lenient: Whether texts that are not dates are missing cells.
    """

    kind = "time"
    embedded = 1  # features at the beginning that are embedded

    def __init__(
        self,
        name: str,
        scale: QuantileScale,
        *,
        robust: RobustScale | None = None,
        cycles: Sequence[str] = (),
        orders: Mapping[str, int] | None = None,
        flag: bool = False,
        tokens: Sequence[str] = (),
        notation: DateNotation | None = None,
        lenient: bool = False,
    ) -> None:
        self.name, self.scale, self.robust, self.cycles, self.flag = name, scale, robust, tuple(cycles), flag
        self.orders = {cycle: (orders or {}).get(cycle, 1) for cycle in self.cycles}
        self.tokens, self.notation, self.lenient = tuple(tokens), notation, lenient

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        waves = [
            f"{self.name} {wave}{f' {order}' if order > 1 else ''} of {cycle}"
            for cycle, most in self.orders.items()
            for order in range(1, most + 1)
            for wave in ("sine", "cosine")
        ]
        distance = [f"{self.name} from its middle"] if self.robust else []
        return [self.name, *distance, *waves] + [f"{self.name} is missing"] * self.flag

    def sample(self) -> Any:
        """The middle knot as a date in ISO 8601."""
        middle = self.scale.knots[len(self.scale.knots) // 2]
        return (EPOCH + timedelta(days=middle)).isoformat(timespec="seconds")

    def to_json(self) -> Json:
        """The column as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "knots": self.scale.knots,
            "robust": [self.robust.middle, self.robust.spread] if self.robust else None,
            "cycles": list(self.cycles),
            "orders": self.orders,
            "flag": self.flag,
            "tokens": list(self.tokens),
            "notation": self.notation.to_json() if self.notation else None,
            "lenient": self.lenient,
        }

    @classmethod
    def from_json(cls, data: Json) -> TimeColumn:
        """The column from its JSON."""
        notation = DateNotation.from_json(data["notation"]) if data.get("notation") else None
        robust = RobustScale(*data["robust"]) if data.get("robust") else None
        texts = {"tokens": data.get("tokens", ()), "notation": notation, "lenient": bool(data.get("lenient"))}
        cycles = {"cycles": data["cycles"], "orders": data.get("orders")}
        return cls(data["name"], QuantileScale(data["knots"]), robust=robust, flag=data["flag"], **cycles, **texts)

    def day(self, value: Any) -> float:
        """One cell as days since 1970; NaN if it is missing.

        Raises:
            InputError: It is not a date.
        """
        return to_day(value, self.name, self.tokens, self.notation, lenient=self.lenient)

    def days(self, cells: Array) -> Array:
        """Many cells as float64 [N]; see `day`."""
        if cells.dtype.kind == "M":
            micros = cells.astype("datetime64[us]")
            return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 86400e6)
        known = {cell: self.day(cell) for cell in {cell for cell in cells if type(cell) is str}}  # texts of dates repeat
        read = (known[cell] if type(cell) is str else self.day(cell) for cell in cells)
        return np.fromiter(read, np.float64, len(cells))

    def one(self, value: Any) -> list[float]:
        """The features of one cell."""
        cell = np.empty(1, object)
        cell[0] = value
        return [float(feature[0]) for feature in self.many(cell)]

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        days = self.days(cells)
        flags = [np.where(np.isnan(days), 1.0, -1.0)] if self.flag else []
        distance = [self.robust.many(days)] if self.robust else []
        return [self.scale.many(days), *distance, *cycle_waves(days, self.orders), *flags]


def to_days(cells: Array, name: str) -> Array:
    """Many points in time as float64 [N]; see `to_day`."""
    return TimeColumn(name, QuantileScale([0.0])).days(cells)


def cycle_waves(days: Array, orders: Mapping[str, int]) -> Array:
    """Sine and cosine of the position of days in each cycle, and those of its multiples, [waves, N]; 0 for missing days.

    Args:
        days: Days since 1970, float64 [N].
        orders: The number of pairs of each cycle.
    """
    known = ~np.isnan(days)
    position = np.where(known, days, 0.0)
    speeds, starts, monthly = _wave_table(tuple(orders.items()))
    phase = np.multiply.outer(speeds, position)
    if monthly.any():
        phase[monthly] = np.multiply.outer(speeds[monthly], _month_turns(position))
    return np.where(known, np.sin(phase + starts), 0.0)


@functools.cache
def _wave_table(orders: tuple[tuple[str, int], ...]) -> tuple[Array, Array, Array]:
    """Radians a day of each wave (a turn for the month), its phase at 0 (a cosine is a sine that is ahead), and the month's waves."""
    waves = [(cycle, order, start) for cycle, most in orders for order in range(1, most + 1) for start in (0.0, math.pi / 2)]
    speeds = [2 * math.pi * order / (1.0 if cycle == "month" else CYCLES[cycle]) for cycle, order, _ in waves]
    starts = np.array([start for *_, start in waves]).reshape(-1, 1)
    return np.array(speeds), starts, np.array([cycle == "month" for cycle, *_ in waves], bool)


def _month_turns(days: Array) -> Array:
    """The position of days in their calendar month, from 0 to 1."""
    whole = np.floor(days).astype("datetime64[D]")
    month = whole.astype("datetime64[M]")
    first, following = (start.astype("datetime64[D]").astype(np.float64) for start in (month, month + 1))
    turns: Array = (days - first) / (following - first)
    return turns

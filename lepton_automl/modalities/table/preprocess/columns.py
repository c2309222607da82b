"""Columns of a table: each turns its cells into features or codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.cells import (
    EPOCH,
    absent_numbers,
    objects,
    other_spellings,
    to_day,
    to_number,
    to_numbers,
    to_text,
    to_truth,
)
from lepton_automl.modalities.table.preprocess.scales import QuantileScale, RobustScale
from lepton_automl.notation import DateNotation, NumberNotation

CYCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}  # days


class NumberColumn:
    """Numbers and booleans: one feature for an embedding, then plain ones.

    The plain ones are the number again as its distance from the median and, if training rows had missing cells, a flag for
    missing cells.

    Args:
        name: The column's name.
        scale: Scales a number to [-1, 1], by rank.
        robust: Scales a number by distance.
        flag: Whether there is a feature for missing cells: 1 if the cell is missing, else -1.
        tokens: Texts that stand for a missing number, such as `"?"`.
        notation: How its texts are written, if not as in Python.
        lenient: Whether texts that are not numbers are missing cells.
    """

    kind = "number"

    def __init__(
        self,
        name: str,
        scale: QuantileScale,
        robust: RobustScale,
        *,
        flag: bool = False,
        tokens: Sequence[str] = (),
        notation: NumberNotation | None = None,
        lenient: bool = False,
    ) -> None:
        self.name, self.scale, self.robust, self.flag, self.tokens = name, scale, robust, flag, tuple(tokens)
        self.notation, self.lenient = notation, lenient
        self.absent = absent_numbers(self.tokens)
        self.boolean = set(scale.knots) <= {0.0, 1.0}  # then texts for true and false are read, too

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        return [self.name, f"{self.name} from its middle"] + [f"{self.name} is missing"] * self.flag

    def sample(self) -> Any:
        """The middle knot."""
        return self.scale.knots[len(self.scale.knots) // 2]

    def to_json(self) -> Json:
        """The column as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "knots": self.scale.knots,
            "middle": self.robust.middle,
            "spread": self.robust.spread,
            "flag": self.flag,
            "tokens": list(self.tokens),
            "notation": self.notation.to_json() if self.notation else None,
            "lenient": self.lenient,
        }

    @classmethod
    def from_json(cls, data: Json) -> NumberColumn:
        """The column from its JSON."""
        scales = QuantileScale(data["knots"]), RobustScale(data["middle"], data["spread"])
        notation = NumberNotation.from_json(data["notation"]) if data.get("notation") else None
        lenient = bool(data.get("lenient"))
        return cls(data["name"], *scales, flag=data["flag"], tokens=data["tokens"], notation=notation, lenient=lenient)

    def number(self, value: Any) -> float:
        """One cell as a number; NaN if it is missing.

        Raises:
            InputError: It is not a number, or is infinite.
        """
        if self.boolean:
            value = to_truth(value, self.tokens)
        number = to_number(value, self.name, self.tokens, self.notation, lenient=self.lenient)
        return math.nan if self.absent and number in self.absent else number

    def one(self, value: Any) -> list[float]:
        """The features of one cell."""
        # A shortcut, as every prediction calls this.
        plain = type(value) is float and -math.inf < value < math.inf and not self.absent
        number = value if plain else self.number(value)
        scaled = [self.scale.one(number), self.robust.one(number)]
        return [*scaled, 1.0 if number != number else -1.0] if self.flag else scaled  # noqa: PLR0124  # NaN

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        if self.boolean and cells.dtype.kind in "OUT":
            cells = objects([self.number(cell) for cell in cells.tolist()])
        numbers = to_numbers(cells, self.name, self.tokens, self.notation, lenient=self.lenient)
        if self.absent:
            numbers = np.where(np.isin(numbers, self.absent), np.nan, numbers)
        flags = [np.where(np.isnan(numbers), 1.0, -1.0)] if self.flag else []
        return [self.scale.many(numbers), self.robust.many(numbers), *flags]


class TimeColumn:
    """Points in time: days since 1970, and where in the year, week and day they fall, as sine and cosine.

    Args:
        name: The column's name.
        scale: Scales the days to [-1, 1].
        cycles: Which of `CYCLES` the training rows cover.
        flag: Whether there is a feature for missing cells.
        tokens: Texts that stand for a missing date, such as `"unknown"`.
        notation: How its texts are written, if not in ISO 8601.
        lenient: Whether texts that are not dates are missing cells.
    """

    kind = "time"

    def __init__(
        self,
        name: str,
        scale: QuantileScale,
        *,
        cycles: Sequence[str] = (),
        flag: bool = False,
        tokens: Sequence[str] = (),
        notation: DateNotation | None = None,
        lenient: bool = False,
    ) -> None:
        self.name, self.scale, self.cycles, self.flag = name, scale, tuple(cycles), flag
        self.tokens, self.notation, self.lenient = tuple(tokens), notation, lenient

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        waves = [f"{self.name} {wave} of {cycle}" for cycle in self.cycles for wave in ("sine", "cosine")]
        return [self.name, *waves] + [f"{self.name} is missing"] * self.flag

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
            "cycles": list(self.cycles),
            "flag": self.flag,
            "tokens": list(self.tokens),
            "notation": self.notation.to_json() if self.notation else None,
            "lenient": self.lenient,
        }

    @classmethod
    def from_json(cls, data: Json) -> TimeColumn:
        """The column from its JSON."""
        notation = DateNotation.from_json(data["notation"]) if data.get("notation") else None
        texts = {"tokens": data.get("tokens", ()), "notation": notation, "lenient": bool(data.get("lenient"))}
        return cls(data["name"], QuantileScale(data["knots"]), cycles=data["cycles"], flag=data["flag"], **texts)

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
        waves = [wave for cycle in self.cycles for wave in round_cycle(days, cycle)]
        return [self.scale.many(days), *(np.nan_to_num(wave) for wave in waves), *flags]


class CategoryColumn:
    """Categories as codes; code 0 stands for missing, rare and unseen values.

    Args:
        name: The column's name.
        categories: The texts, with codes from 1 on.
    """

    kind = "category"

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        self.name, self.categories = name, tuple(categories)
        self._codes: dict[str | None, int] = {category: code for code, category in enumerate(self.categories, 1)}

    @property
    def cardinality(self) -> int:
        """Number of codes, including the unknown one."""
        return len(self.categories) + 1

    def sample(self) -> Any:
        """The first category."""
        return next(iter(self.categories), None)

    def to_json(self) -> Json:
        """The column as JSON."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories)}

    @classmethod
    def from_json(cls, data: Json) -> CategoryColumn:
        """The column from its JSON."""
        return cls(data["name"], data["categories"])

    def one(self, value: Any) -> int:
        """The code of one cell."""
        if type(value) is str and (code := self._codes.get(value)):
            return code  # a shortcut, as every prediction calls this
        text = to_text(value)
        code = self._codes.get(text, 0)
        return code if code or text is None else next(filter(None, map(self._codes.get, other_spellings(text))), 0)

    def many(self, cells: Array) -> Array:
        """The codes of many cells, int64 [N]."""
        return np.fromiter((self.one(cell) for cell in cells.tolist()), np.int64, len(cells))


Column = NumberColumn | TimeColumn | CategoryColumn
_COLUMNS: dict[str, Any] = {kind.kind: kind for kind in (NumberColumn, TimeColumn, CategoryColumn)}


def to_days(cells: Array, name: str) -> Array:
    """Many points in time as float64 [N]; see `to_day`."""
    return TimeColumn(name, QuantileScale([0.0])).days(cells)


def round_cycle(days: Array, cycle: str) -> tuple[Array, Array]:
    """Sine and cosine of the position of days in a cycle."""
    phase = days * (2 * math.pi / CYCLES[cycle])
    return np.sin(phase), np.cos(phase)

"""Columns of a table: each turns its cells into features or codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.cells import (
    absent_numbers,
    objects,
    other_spellings,
    to_number,
    to_numbers,
    to_text,
    to_truth,
)
from lepton_automl.modalities.table.preprocess.scales import QuantileScale, RobustScale
from lepton_automl.modalities.table.preprocess.texts import TextColumn
from lepton_automl.modalities.table.preprocess.times import TimeColumn
from lepton_automl.notation import NumberNotation


class NumberColumn:
    """Numbers and booleans: one feature for an embedding, then plain ones.

    The plain ones are the number again as its distance from the median and, if training rows had missing cells, a flag for
    missing cells. Numbers outside the training range are clipped: by rank to its ends, by distance to three interquartile ranges.

    Args:
        name: The column's name.
        scale: Scales a number to [-1, 1], by rank.
        robust: Scales a number by distance.
        flag: Whether there is a feature for missing cells: 1 if the cell is missing, else -1.
        tokens: Texts that stand for a missing number, such as `"?"`.
        notation: How its texts are written, if not as in Python.
        lenient: Whether texts that are not numbers are missing cells.

    Attributes:
        ends: Numbers beyond are far outside: further from the training range than it is wide.
        outside: Where such a number is noted, with the column's name and the training range; None to note none.
    """

    kind = "number"
    embedded = 1  # features at the beginning that are embedded

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
        low, high = scale.knots[0], scale.knots[-1]
        reach = high - low or math.inf
        self.ends = (low - reach, high + reach)
        self.outside: list[tuple[str, float, float, float]] | None = None
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
        if self.outside is not None and (number < self.ends[0] or number > self.ends[1]):
            self._note(number)
        return [*scaled, 1.0 if number != number else -1.0] if self.flag else scaled  # noqa: PLR0124  # NaN

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        if self.boolean and cells.dtype.kind in "OUT":
            cells = objects([self.number(cell) for cell in cells.tolist()])
        numbers = to_numbers(cells, self.name, self.tokens, self.notation, lenient=self.lenient)
        if self.absent:
            numbers = np.where(np.isin(numbers, self.absent), np.nan, numbers)
        flags = [np.where(np.isnan(numbers), 1.0, -1.0)] if self.flag else []
        far = (numbers < self.ends[0]) | (numbers > self.ends[1])
        if far.any():
            self._note(float(numbers[far][0]))
        return [self.scale.many(numbers), self.robust.many(numbers), *flags]

    def _note(self, number: float) -> None:
        if self.outside is not None:
            self.outside.append((self.name, number, self.scale.knots[0], self.scale.knots[-1]))


class CategoryColumn:
    """Categories as codes; code 0 stands for rare and unseen values, and for missing ones unless they have a code of their own.

    A column of many categories may also have plain numeric features: what is known about the target of rows in each category.

    Args:
        name: The column's name.
        categories: The texts, with codes from 1 on.
        missing: Whether missing cells have a code of their own, the last one.
        tokens: Texts that stand for a missing cell, such as `"?"`.
        encodings: Features by category; a category may have them without having a code.
        encoded: Number of these features. They are 0 for other categories and missing cells.
    """

    kind = "category"
    embedded = 0  # features at the beginning that are embedded

    def __init__(
        self,
        name: str,
        categories: Sequence[str],
        *,
        missing: bool = False,
        tokens: Sequence[str] = (),
        encodings: Mapping[str, Sequence[float]] | None = None,
        encoded: int = 0,
    ) -> None:
        self.name, self.categories, self.missing, self.tokens = name, tuple(categories), missing, tuple(tokens)
        self.encodings, self.encoded = {text: list(values) for text, values in (encodings or {}).items()}, encoded
        self._codes: dict[str | None, int] = {category: code for code, category in enumerate(self.categories, 1)}
        self._absent = len(self.categories) + 1 if missing else 0
        if missing:
            self._codes = {**dict.fromkeys(self.tokens, self._absent), **self._codes}

    @property
    def cardinality(self) -> int:
        """Number of codes, including the unknown one."""
        return len(self.categories) + 1 + self.missing

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        return [f"{self.name} by target{f' {number}' if self.encoded > 1 else ''}" for number in range(1, self.encoded + 1)]

    def sample(self) -> Any:
        """The first category."""
        return next(iter(self.categories), None)

    def to_json(self) -> Json:
        """The column as JSON."""
        encodings = {"encodings": self.encodings, "encoded": self.encoded} if self.encoded else {}
        missing = {"missing": self.missing, "tokens": list(self.tokens)}
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories), **missing, **encodings}

    @classmethod
    def from_json(cls, data: Json) -> CategoryColumn:
        """The column from its JSON."""
        encodings = {"encodings": data.get("encodings"), "encoded": data.get("encoded", 0)}
        missing = {"missing": bool(data.get("missing")), "tokens": data.get("tokens", ())}
        return cls(data["name"], data["categories"], **missing, **encodings)

    def one(self, value: Any) -> int:
        """The code of one cell."""
        if type(value) is str and (code := self._codes.get(value)):
            return code  # a shortcut, as every prediction calls this
        text = to_text(value)
        if text is None:
            return self._absent
        code = self._codes.get(text, 0)
        return code or next(filter(None, map(self._codes.get, other_spellings(text))), 0)

    def many(self, cells: Array) -> Array:
        """The codes of many cells, int64 [N]."""
        return np.fromiter((self.one(cell) for cell in cells.tolist()), np.int64, len(cells))

    def encode(self, value: Any) -> list[float]:
        """The numeric features of one cell."""
        text = to_text(value)
        spellings = [] if text is None else [text, *(() if text in self.encodings else other_spellings(text))]
        return next((self.encodings[spelling] for spelling in spellings if spelling in self.encodings), [0.0] * self.encoded)

    def encode_many(self, cells: Array) -> list[Array]:
        """The numeric features of many cells."""
        if not self.encoded:
            return []
        return list(np.array([self.encode(cell) for cell in cells.tolist()]).reshape(len(cells), self.encoded).T)


Column = NumberColumn | TimeColumn | TextColumn | CategoryColumn
_COLUMNS: dict[str, Any] = {kind.kind: kind for kind in (NumberColumn, TimeColumn, TextColumn, CategoryColumn)}

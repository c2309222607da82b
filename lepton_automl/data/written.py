"""What the texts of a column are (numbers, dates or categories) and how they are written, decided from its training cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np

from lepton_automl.cells import TRUTHS, to_truth
from lepton_automl.errors import InputError
from lepton_automl.notation import (
    ISO,
    DateNotation,
    NumberNotation,
    WrittenDate,
    WrittenNumber,
    looks_missing,
    means_missing,
    written_date,
    written_number,
)
from lepton_automl.units import KNOWN_UNITS

from .options import DataOptions

_SHORT = re.compile(r"([0-9]{2})[/. -]([0-9]{2})[/. -]([0-9]{2})(?![0-9])")
MOST_TOKENS = 3  # different texts that may stand for a missing number or date
MANY_READABLE = 0.95  # share of readable cells from which on any number of other texts may be missing values
MANY_VALUES = 20  # different values that this needs as well
MOST_CONFLICTS = 0.02  # share of cells that may contradict the column's notation; more are refused
MOST_SHOWN = 3  # texts in a message


@dataclass(frozen=True)
class Written:
    """What a column's texts are.

    Args:
        kind: `"number"`, `"time"` or `"category"`.
        tokens: Texts that stand for a missing number or date.
        lenient: Whether every text that cannot be read is a missing value, as there are too many for `tokens`.
        number: How its numbers are written, if Python's `float` does not read them.
        date: How its dates are written, if not in ISO 8601.
        decode_targets: Whether the texts true and false are read as 1 and 0.
        lost: Cells that cannot be read, by their text; the usual texts for a missing value are among them.
        notes: What was decided.
        warnings: What may be wrong with it.
    """

    kind: Literal["number", "time", "category"]
    tokens: tuple[str, ...] = ()
    lenient: bool = False
    number: NumberNotation | None = None
    date: DateNotation | None = None
    decode_targets: bool = False
    lost: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def usual_decimal(separator: str) -> str:
    """The decimal sign for ambiguous numbers in a file: a comma if semicolons separate the cells, else a point."""
    return "," if separator == ";" else "."


def decide(
    name: str,
    present: Sequence[Any],
    options: DataOptions,
    *,
    forced: bool = False,
    few: bool = False,
    decimal: str = ".",
) -> Written:
    """Decide what a column of texts is, which may also contain numbers or dates.

    Args:
        name: The column's name.
        present: The training cells that have a value.
        options: May set the decimal sign and the order of day and month.
        forced: Whether the column has to be read as numbers.
        few: Whether a column of few different numbers may be numeric, too.
        decimal: The decimal sign for numbers that can be read either way.

    Raises:
        InputError: The column mixes units, currencies, decimal signs or orders of day and month.
    """
    texts = Counter(cell.strip() for cell in present if isinstance(cell, str))
    others = [cell for cell in present if not isinstance(cell, str)]
    empty = Counter({text: count for text, count in texts.items() if means_missing(text)})
    column = _Column(name, texts - empty, others, empty, options, decimal)
    if forced:
        return column.numbers(forced=True, few=True) or Written("number", tuple(sorted(texts)), lost=texts)
    return column.numbers(few=few) or column.dates() or Written("category", notes=column.category_notes())


@dataclass(frozen=True)
class _Column:
    name: str
    texts: Counter[str]
    others: list[Any]
    empty: Counter[str]
    options: DataOptions
    usual: str

    @property
    def cells(self) -> int:
        return self.texts.total() + len(self.others)

    def category_notes(self) -> tuple[str, ...]:
        """A note on texts such as NA that stay categories."""
        words = {text: count for text, count in self.empty.items() if looks_missing(text)}
        if not words or self.cells == 0:
            return ()
        return (kept_note(self.name, words, "categories"),)

    def numbers(self, *, forced: bool = False, few: bool = False) -> Written | None:
        """The column as numbers; None if it is not numeric."""
        if not self.cells or not all(map(is_float, self.others)):
            return None
        read = {text: number for text in self.texts if (number := written_number(text) or _plain(text)) is not None}
        decode_targets = self._truths(read)
        read |= decode_targets
        read, shown, notes, warnings, clash = self._one_unit(read)
        formatted = {text for text in read if text not in decode_targets and not is_float(text)}
        unread = self.texts - Counter({text: self.texts[text] for text in read})
        if not self._mostly(unread, len(read), few=few or bool(formatted), forced=forced):
            return None
        if clash:
            raise InputError(self._mixed(clash))
        codes = [text for text, number in read.items() if number.padded]
        if codes and not forced:
            return self._codes(codes[0])
        decimal, more, odd = self._decimal(read)
        unread += odd
        plain = decimal == "." and not shown and formatted <= odd.keys()
        unit = next((number.unit for number in read.values() if number.unit), "")
        notation = None if plain else NumberNotation(decimal, unit, shown)
        if notation is not None:
            shows = (text for text in read if text not in odd and (text in formatted or decimal == ","))
            example, value = next((text, value) for text in shows if (value := notation.read(text)) is not None)  # not "inf"
            notes = [f"{self.name!r} is numeric: {example!r} is {value:.10g}{f' ({shown})' if shown else ''}", *notes]
        if unread and not forced and (len(unread) > MOST_TOKENS or any(map(_has_digits, unread))):
            warnings.append(f"{_cells(unread)} of {self.name!r} cannot be read as numbers ({_shown(unread)}): taken as missing")
        return self._written("number", unread, notes, [*warnings, *more], number=notation, decode_targets=bool(decode_targets))

    def _truths(self, read: dict[str, WrittenNumber]) -> dict[str, WrittenNumber]:
        """The texts true and false as 1 and 0, if every number of the column is 0 or 1."""
        numbers = {number.point for number in read.values()} | {float(cell) for cell in self.others}
        if not numbers or not numbers <= {0.0, 1.0}:
            return {}
        texts = {text: float(to_truth(text)) for text in self.texts if text.lower() in TRUTHS}
        return {text: WrittenNumber("", "", value, value, padded=False) for text, value in texts.items()}

    def _one_unit(
        self, read: dict[str, WrittenNumber]
    ) -> tuple[dict[str, WrittenNumber], str, list[str], list[str], list[str]]:
        """Numbers of one unit, the unit, notes, warnings, and texts with two units if several known units occur."""
        units: dict[str, list[str]] = {}
        for text, number in read.items():
            units.setdefault(number.unit, []).append(text)
        bare = units.pop("", [])
        if not units:
            return read, "", [], [], []
        counts = {unit: sum(self.texts[text] for text in texts) for unit, texts in units.items()}
        known = [unit for unit in units if _is_known(unit)]
        if len(units) == len(known):
            clash = [units[unit][0] for unit in known[:2]] if len(units) > 1 else []
        elif len(units) == 1 and not bare and not self.others:
            clash = []
        else:  # a letter after some numbers is part of a code: 12, 12A, 12B
            return {text: read[text] for text in bare}, "", [], [], []
        unit = max(counts, key=lambda symbol: counts[symbol])
        shown = Counter({read[text].shown: self.texts[text] for text in units[unit]}).most_common(1)[0][0]
        without = sum(self.texts[text] for text in bare) + len(self.others)
        warnings = []
        if without:
            warnings.append(f"{without:,} cells of {self.name!r} name no unit; they are read as {shown}, like the others")
        return read, shown, [], warnings, clash

    def _mixed(self, texts: list[str]) -> str:
        first, second = sorted(texts, key=lambda text: -self.texts[text])[:2]
        return f"column {self.name!r} mixes units: {first!r} and {second!r}. It must have one unit."

    def _mostly(self, unread: Counter[str], different: int, *, few: bool, forced: bool) -> bool:
        """Whether enough cells can be read to treat the others as missing."""
        readable = self.cells - unread.total()
        if forced or not readable:
            return bool(readable)
        if readable >= MANY_READABLE * self.cells and different + len(set(self.others)) > MANY_VALUES:
            return True
        distinct = len(self.texts) + len(self.empty) + len(set(map(str, self.others)))
        if any(map(_has_digits, unread)) or len(unread) > MOST_TOKENS or readable < 0.5 * (self.cells + self.empty.total()):
            return False
        return distinct > MOST_TOKENS or (few and not unread)

    def _codes(self, example: str) -> Written:
        note = f"{self.name!r} holds codes, as {example!r} begins with a zero: they are read as categories"
        return Written("category", notes=(f"{note} (set numeric=[{self.name!r}] if they are numbers)", *self.category_notes()))

    def _decimal(self, read: dict[str, WrittenNumber]) -> tuple[str, list[str], Counter[str]]:
        """The decimal sign, a warning if it was guessed, and texts that are not numbers with this sign."""
        point = {text for text, number in read.items() if number.comma is None}
        comma = {text for text, number in read.items() if number.point is None}
        if not point and not comma:
            both = [text for text, number in read.items() if number.point != number.comma]
            if not both:
                return ".", [], Counter()
            sign = self.options.decimal or self.usual
            if self.options.decimal:
                return sign, [], Counter()
            number = read[both[0]]
            message = f"{self.name!r} can be read in two ways: {both[0]!r} as {number.point:.10g} or as {number.comma:.10g}"
            value = number.comma if sign == "," else number.point
            return sign, [f"{message}; it is read as {value:.10g} (set decimal=',' or decimal='.' to decide)"], Counter()
        points, commas = (sum(self.texts[text] for text in texts) for texts in (point, comma))
        sign = "." if points >= commas else ","
        if min(points, commas) > MOST_CONFLICTS * self.cells:
            if not self.options.decimal:
                first, second = min(point), min(comma)
                message = f"column {self.name!r} mixes decimal signs: {first!r} and {second!r}."
                raise InputError(f"{message} Set decimal='.' or ',' to treat the others as missing.")
            sign = self.options.decimal
        odd = comma if sign == "." else point
        return sign, [], Counter({text: self.texts[text] for text in odd})

    def dates(self) -> Written | None:
        """The column as dates; None if it does not hold dates."""
        if not self.cells or not all(is_moment(cell) for cell in self.others):
            return None
        read = {text: date for text in self.texts if (date := written_date(text)) is not None}
        unread = self.texts - Counter({text: self.texts[text] for text in read})
        readable = self.cells - unread.total()
        if readable < 0.5 * (self.cells + self.empty.total()):
            return None
        if len(unread) > MOST_TOKENS and readable < MANY_READABLE * self.cells:
            return None
        order, notes, warnings, odd = self._order(read)
        unread += odd
        if any(date.short for date in read.values()):
            notes.append(f"years of two digits in {self.name!r}: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068")
            if example := _year_may_be_first(read):
                warnings.append(
                    f"{self.name!r} is read with the year last, as in {example!r}; if the year is first, use four digits"
                )
        notation = None if all(map(ISO.fullmatch, read)) else DateNotation(day_first=order)
        lost = unread + Counter({text: count for text, count in self.empty.items() if text})
        if lost:
            warnings.append(f"{_cells(lost)} of {self.name!r} are not dates ({_shown(lost)}): taken as missing")
        return self._written("time", unread, notes, warnings, date=notation)

    def _order(self, read: dict[str, WrittenDate]) -> tuple[bool | None, list[str], list[str], Counter[str]]:
        """Whether the day is first, notes, warnings, and texts that are not dates in this order."""
        day = {text for text, date in read.items() if date.month is None}
        month = {text for text, date in read.items() if date.day is None}
        both = [text for text, date in read.items() if None not in (date.day, date.month) and date.day != date.month]
        dayfirst = self.options.dayfirst
        if not day and not month:
            if not both:
                return None, [], [], Counter()
            order = bool(dayfirst) if dayfirst is not None else "." in both[0]
            if dayfirst is not None:
                return order, [self._order_note(both[0], order=order)], [], Counter()
            message = f"{self.name!r} can be read day first or month first, such as {both[0]!r}"
            way = "day" if order else "month"
            return order, [], [f"{message}: it is read {way} first (set dayfirst=True or dayfirst=False to decide)"], Counter()
        days, months = (sum(self.texts[text] for text in texts) for texts in (day, month))
        order = days >= months
        if min(days, months) > MOST_CONFLICTS * self.cells:
            if dayfirst is None:
                message = (
                    f"column {self.name!r} mixes dates with the day first ({min(day)!r}) and the month first ({min(month)!r})."
                )
                raise InputError(f"{message} Set dayfirst=True or False to treat the others as missing.")
            order = dayfirst
        odd = Counter({text: self.texts[text] for text in (month if order else day)})
        return order, [self._order_note(min(day if order else month, default=""), order=order)], [], odd

    def _order_note(self, example: str, *, order: bool) -> str:
        return f"dates in {self.name!r} have the {'day' if order else 'month'} first, as in {example!r}"

    def _written(
        self, kind: Literal["number", "time"], unread: Counter[str], notes: list[str], warnings: list[str], **notation: Any
    ) -> Written:
        named = tuple(sorted({*unread, *(text for text in self.empty if text)}))
        lenient = len(unread) > MOST_TOKENS
        tokens = tuple(text for text in named if text in self.empty) if lenient else named
        return Written(
            kind, tokens, lenient, lost=unread + self.empty, notes=tuple(notes), warnings=tuple(warnings), **notation
        )


def _year_may_be_first(texts: Collection[str]) -> str:
    """A date such as 24/12/31, if all have this form and the last number varies more than the first, as days do; else empty."""
    parts = [match.groups() for text in texts if (match := _SHORT.match(text.strip()))]
    if len(parts) < len(texts) or not all(1 <= int(month) <= 12 and 1 <= int(day) <= 31 for _, month, day in parts):
        return ""
    more = len({day for _, _, day in parts}) > len({year for year, _, _ in parts})
    return next(iter(texts)) if more else ""


def kept_note(name: str, words: dict[str, int], what: str) -> str:
    """A note on texts that are kept, although they often stand for a missing value."""
    listed = ", ".join(f"{text!r} ({count:,})" for text, count in sorted(words.items()))
    texts = ", ".join(repr(text) for text in sorted(words))
    return (
        f"{name!r}: {listed} {'are' if len(words) > 1 else 'is'} kept among its {what} (missing=[{texts}] if no value is meant)"
    )


def _is_known(unit: str) -> bool:
    return unit in KNOWN_UNITS or all(part in KNOWN_UNITS for part in unit.replace("/", " ").split())


def _plain(text: str) -> WrittenNumber | None:
    """The number of a text that Python's `float` reads; None for any other."""
    try:
        value = float(text)
    except ValueError:
        return None
    return WrittenNumber("", "", value, value, padded=False)


def is_float(cell: Any) -> bool:
    """Whether a cell is a number, or a text that Python's `float` reads."""
    try:
        float(cell)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def is_moment(cell: Any) -> bool:
    """Whether a cell is a date or a point in time."""
    return isinstance(cell, date | np.datetime64) or (hasattr(cell, "isoformat") and hasattr(cell, "year"))


def _has_digits(text: str) -> bool:
    return any(map(str.isdigit, text))


def _cells(texts: Counter[str]) -> str:
    count = texts.total()
    return f"{count:,} cell{'s' if count > 1 else ''}"


def _shown(texts: Counter[str]) -> str:
    return ", ".join(repr(text[:40]) for text, _ in texts.most_common(MOST_SHOWN)) + (" ..." if len(texts) > MOST_SHOWN else "")

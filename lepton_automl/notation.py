"""Numbers and dates as people write them: thousands separators, decimal commas, units, day or month first.

The notation of a column is decided once, from its training cells (see `data/written.py`); these classes read the cells in
training and in every prediction. This file is shipped with every deployed model, so it only needs the standard library.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from lepton_automl.units import CURRENCIES, unit_of

# Texts that mean "no value" in a column of numbers or dates; in a column of categories or labels they are kept.
MISSING_WORDS = frozenset(
    [
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "nan",
        "-nan",
        "null",
        "nil",
        "none",
        "nat",
        "missing",
        "#n/a",
        "#na",
        "<na>",
        "#null!",
        "#value!",
        "#div/0!",
        "#ref!",
        "#num!",
        "#name?",
        "#n/a n/a",
        "1.#ind",
        "-1.#ind",
        "1.#qnan",
        "-1.#qnan",
    ]
)
NO_DATES = frozenset({"0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000"})


def looks_missing(text: str) -> bool:
    """Whether a category or label is a text that often means "no value", such as NA or ?."""
    bare = text.strip()
    return bare.casefold() in MISSING_WORDS or (bool(bare) and not bare.strip("?-.*#_"))


def means_missing(text: str) -> bool:
    """Whether a text in a column of numbers or dates means "no value": blank, only punctuation, or one of the usual words."""
    bare = text.strip()
    return not any(map(str.isalnum, bare)) or bare.casefold() in MISSING_WORDS or bare in NO_DATES


_SPACES = " \u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"""(?P<open>\()?\s*(?P<sign>[-+−])?\s*
    (?P<before>[^\W\d_]{{0,3}}[$€£¥₹₩₽₺₪₫₴₦₱฿]|[^\W\d_]{{2,3}}\.?)?\s*(?P<second>[-+−])?\s*
    (?P<core>[0-9](?:[0-9.,'’_{_SPACES}]*[0-9])?(?:[.,][-−–—]{{0,2}})?|[.,][0-9]+)(?P<exponent>[eE][-+]?[0-9]{{1,3}}(?![0-9A-Za-z]))?
    (?:(?P<behind>[-−])|\s*(?P<after>[^\s0-9.,'’()+−_-]\S{{0,11}}(?:\ [^\W\d_]\S{{0,11}})?))?\s*(?P<close>\))?""",
    re.VERBOSE,
)
# Digits with or without a point that separates no thousands.
_SIMPLE = re.compile(r"-?(?P<digits>[0-9]+)(?P<fraction>\.(?:[0-9]{1,2}|[0-9]{4,})|(?<=[0-9]{4})\.[0-9]{3})?")
_GROUPED = {
    ".": re.compile(rf"[1-9][0-9]{{0,2}}(?P<by>[,'’_{_SPACES}])[0-9]{{3}}(?:(?P=by)[0-9]{{3}})*|[1-9][0-9]?(?:,[0-9]{{2}})+,[0-9]{{3}}"),
    ",": re.compile(rf"[1-9][0-9]{{0,2}}(?P<by>[.'’_{_SPACES}])[0-9]{{3}}(?:(?P=by)[0-9]{{3}})*"),
}  # fmt: skip


class WrittenNumber(NamedTuple):
    """The possible readings of a text as a number.

    Args:
        unit: The unit in its usual spelling, `""` without one.
        shown: The unit as it is written.
        point: The value if the point is the decimal sign; None if the text is not a number then.
        comma: The value if the comma is the decimal sign; None if the text is not a number then.
        padded: Whether it is an integer with leading zeros, as codes have.
    """

    unit: str
    shown: str
    point: float | None
    comma: float | None
    padded: bool


def written_number(text: str) -> WrittenNumber | None:
    """Parse a text as a number with at most one unit; None if it is not one."""
    text = text.strip()
    if simple := _SIMPLE.fullmatch(text):  # most are, and this takes a third of the time
        value, digits, whole = float(text), simple["digits"], not simple["fraction"]
        return WrittenNumber("", "", value, value if whole else None, whole and len(digits) > 1 and digits[0] == "0")
    number = _NUMBER.fullmatch(text)
    if number is None or bool(number["open"]) != bool(number["close"]):
        return None
    signs = [sign for sign in (number["sign"], number["second"], number["behind"]) if sign]
    before, after = (number["before"] or ""), (number["after"] or "").strip()
    if len(signs) + bool(number["open"]) > 1 or (before and unit_of(before) not in CURRENCIES):
        return None
    core, exponent = number["core"].rstrip("-−–—"), number["exponent"] or ""  # 5,- is a price without cents
    factor = -1.0 if number["open"] or signs in (["-"], ["−"]) else 1.0
    point, comma = (_value(core, decimal, exponent, factor) for decimal in ".,")
    if point is None and comma is None:
        return None
    units = [unit for unit in (before, after) if unit]
    if len(units) == 2 and unit_of(before) == unit_of(after):
        units = units[:1]
    padded = core[0] == "0" and len(core) > 1 and core.isdigit() and not exponent
    return WrittenNumber(" ".join(map(unit_of, units)), " ".join(units), point, comma, padded)


def _value(core: str, decimal: str, exponent: str, factor: float) -> float | None:
    whole, _, fraction = core.partition(decimal)
    if whole and not whole.isdigit():
        if not _GROUPED[decimal].fullmatch(whole):
            return None
        whole = "".join(filter(str.isdigit, whole))
    if fraction and not fraction.isdigit():
        return None
    return factor * float(f"{whole or 0}.{fraction or 0}{exponent}")


class NumberNotation:
    """How the numbers of a column are written.

    Args:
        decimal: The decimal sign, `"."` or `","`; the other of the two may separate thousands.
        unit: The unit that cells may have, spelled as in `WrittenNumber.unit`; `""` for none.
        shown: The unit as it is written in the cells.
    """

    def __init__(self, decimal: str, unit: str = "", shown: str = "") -> None:
        self.decimal, self.unit, self.shown = decimal, unit, shown

    def to_json(self) -> dict[str, Any]:
        """The notation as JSON."""
        return {"decimal": self.decimal, "unit": self.unit, "shown": self.shown}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NumberNotation:
        """The notation from its JSON."""
        return cls(data["decimal"], data["unit"], data["shown"])

    def read(self, text: str) -> float | None:
        """Read a text as a number; None if it is not one in this notation, or has another unit."""
        number = written_number(text)
        if number is None or number.unit not in ("", self.unit):
            return None
        return number.comma if self.decimal == "," else number.point

    def __repr__(self) -> str:
        return "numbers such as " + ("1.234,5" if self.decimal == "," else "1,234.5") + (f" {self.shown}" if self.shown else "")


ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?")
_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        ],
        1,
    )
    for name in names.split()
}
_CLOCK = r"""(?:(?:[T,]|,?[ ](?:at[ ])?)[ ]?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?
    [ ]?(?P<half>[AaPp]\.?[Mm]\.?)?[ ]?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"""
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[.,]*[ ])?"
_DATES = [
    re.compile(pattern + _CLOCK, re.VERBOSE | re.IGNORECASE)
    for pattern in (
        r"(?P<a>[0-9]{1,2})(?P<by>[/. -])(?P<b>[0-9]{1,2})(?P=by)(?P<year>[0-9]{4}|[0-9]{2})",
        r"(?P<year>[0-9]{4})(?P<by>[/. -])(?P<m>[0-9]{1,2})(?P=by)(?P<d>[0-9]{1,2})",
        _WEEKDAY
        + r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?[ /.-]{1,2}(?P<name>[a-z]{3,9})\.?[ ,/.-]{1,2}(?P<year>[0-9]{4}|[0-9]{2})",
        _WEEKDAY + r"(?P<name>[a-z]{3,9})\.?[ ](?P<d>[0-9]{1,2})(?:st|nd|rd|th)?,?[ ](?P<year>[0-9]{4})",
        r"(?P<year>(?:1[6-9]|2[01])[0-9]{2})(?P<by>[/-])(?P<m>[0-9]{2})",  # a month: its first day
        r"(?P<m>0?[1-9]|1[0-2])/(?P<year>(?:1[6-9]|2[01])[0-9]{2})",  # likewise
        r"(?P<name>[a-z]{3,9})\.?[ -](?P<year>[0-9]{4})",
    )
]
CENTURY = 69  # two-digit years from 69 on belong to the 20th century, smaller ones to the 21st, as in POSIX


class WrittenDate(NamedTuple):
    """The possible readings of a text as a date; both are equal if only one is possible.

    Args:
        day: The date if the day comes before the month; None if the text is not a date then.
        month: The date if the month comes before the day; None if the text is not a date then.
        short: Whether the year has two digits.
    """

    day: datetime | None
    month: datetime | None
    short: bool = False


def written_date(text: str) -> WrittenDate | None:
    """Parse a text as a date; None if it is not one."""
    bare = text.strip()
    if ISO.fullmatch(bare):
        try:
            moment = _plain(datetime.fromisoformat(bare))
        except (ValueError, OverflowError):
            return None
        return WrittenDate(moment, moment)
    date = next((match for match in (pattern.fullmatch(bare) for pattern in _DATES) if match), None)
    if date is None:
        return None
    parts = date.groupdict()
    short = len(parts["year"]) == 2
    year = int(parts["year"]) + ((1900 if int(parts["year"]) >= CENTURY else 2000) if short else 0)
    if parts.get("a"):
        first, second = int(parts["a"]), int(parts["b"])
        dates = [_moment(year, second, first, parts), _moment(year, first, second, parts)]
    else:
        month = _MONTHS.get(parts["name"].lower(), 0) if parts.get("name") else int(parts["m"])
        dates = [_moment(year, month, int(parts.get("d") or 1), parts)] * 2
    return WrittenDate(dates[0], dates[1], short) if any(dates) else None


def _moment(year: int, month: int, day: int, parts: dict[str, str | None]) -> datetime | None:
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (parts["half"][0] in "pP")
    try:
        second, micro = int(parts["second"] or 0), int((parts["part"] or "0").ljust(6, "0")[:6])
        return _plain(datetime(year, month, day, hour, int(parts["minute"] or 0), second, micro, _zone(parts["zone"])))
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return UTC
    off = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-off if text[0] == "-" else off)


def _plain(moment: datetime) -> datetime:
    """Convert to UTC and drop the time zone."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


class DateNotation:
    """How the dates of a column are written, if not as ISO 8601.

    Args:
        day_first: Whether 1/2/2024 is the first of February; None if no cell shows which.
    """

    def __init__(self, *, day_first: bool | None) -> None:
        self.day_first = day_first

    def to_json(self) -> dict[str, Any]:
        """The notation as JSON."""
        return {"day_first": self.day_first}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DateNotation:
        """The notation from its JSON."""
        return cls(day_first=data["day_first"])

    def read(self, text: str) -> datetime | None:
        """Read a text as a time in UTC; None if it is not a date, or is ambiguous."""
        date = written_date(text)
        if date is None:
            return None
        if self.day_first is None:
            return date.day if date.day == date.month else None
        return date.day if self.day_first else date.month

"""The filter of the table of trials: words, and conditions on columns."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection
from typing import Any

from lepton_automl.errors import did_you_mean
from lepton_automl.reporting.tables import Row

from .cells import cell, missing

CONDITION = re.compile(r"^([\w.]+)(<=|>=|!=|=|<|>)(.*)$")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def filtered(rows: list[Row], text: str, columns: Collection[str]) -> tuple[list[Row], str]:
    """The rows that meet every word and condition of a filter.

    Args:
        rows: The rows.
        text: Words, each of which a cell must contain, and conditions without spaces: `complete score>0.9 model.kind=mlp`.
        columns: The columns that conditions may name.

    Returns:
        The rows, and what is wrong with the filter; empty if nothing is. A wrong condition is left out.
    """
    complaints = []
    for part in text.split():
        match = CONDITION.match(part)
        if match is None:
            word = part.casefold()
            rows = [row for row in rows if any(word in cell(value).casefold() for value in row.values())]
            continue
        name, sign, value = match.groups()
        if name not in columns:
            complaints.append(f"there is no column {name!r}{did_you_mean(name, columns)}")
        elif value and (sign in {"=", "!="} or _number(value) is not None):
            rows = [row for row in rows if _meets(row.get(name), sign, value)]
        else:
            complaints.append(f"{part!r} needs {'a value' if sign in {'=', '!='} else 'a number'} after {sign}")
    return rows, "; ".join(complaints)


def _meets(value: Any, sign: str, text: str) -> bool:
    """Whether a cell meets a condition; one without a value meets none."""
    number = _number(text)
    if missing(value):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool) and number is not None:
        return COMPARE[sign](float(value), number)
    return sign in {"=", "!="} and COMPARE[sign](str(value).casefold(), text.casefold())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

"""Whether a target's cells are numbers, in whatever notation, or labels; and warnings about labels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError, InputError
from lepton_automl.notation import looks_missing, means_missing, written_number

from .options import DataOptions
from .reader import Reader
from .written import decide, kept_note

Array = NDArray[Any]
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # 007 is not a number
_BETWEEN = re.compile(r"_|(?<=\w)-(?=\w)")  # A- is not a spelling of A, nor -1 of 1
_CLOCK = r"[0-9]{1,3}:[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?(\s*[ap]\.?m\.?)?"
_SPAN = re.compile(
    rf"{_CLOCK}|[-+]?[0-9]+ days?,? *[-+]?{_CLOCK}|p(?=[0-9t])([0-9]+d)?(t([0-9]+h)?([0-9]+m)?([0-9.]+s)?)?"
    r"|([0-9]+([.,][0-9]+)?\s*(d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)[\s,]*)+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Form:
    """How the numbers of a target are written.

    Args:
        reader: Reads them.
        shown: Their unit, where the cells name one.
        gaps: Whether some texts stand for a missing number.
        notes: What was decided.
        warnings: What may be wrong with it.
    """

    reader: Reader
    shown: str = ""
    gaps: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def numbers(self, cells: Array) -> Array:
        """The numbers among some cells, without missing ones."""
        numbers, _ = self.reader.numbers(cells)
        known: Array = numbers[~np.isnan(numbers)]
        return known


def read_form(cells: list[Any], options: DataOptions, column: str, decimal: str, *, holds: str | None = None) -> Form | None:
    """How a target's numbers are written; None where its cells are labels.

    Args:
        cells: The cells that have a value and are not in test rows.
        options: The user's options on how cells are written.
        column: The target's name.
        decimal: The decimal sign for numbers that can be read either way.
        holds: Whether the requested task has `"numbers"` or `"labels"` as targets; None if no task was requested.

    Raises:
        DataError: The target holds dates, or mixes units or decimal signs.
    """
    if all(_is_number(cell) for cell in cells):
        return Form(Reader())
    texts = [cell for cell in cells if isinstance(cell, str)]
    if not texts or any(isinstance(cell, bool | np.bool_) for cell in cells):
        return None
    try:
        written = decide(column, cells, options, few=True, decimal=decimal)
        if written.kind == "category" and holds == "numbers":
            written = decide(column, cells, options, forced=True, decimal=decimal)
    except InputError as error:
        raise DataError(str(error), where=column, fix="Correct these cells, or choose another target.") from error
    if written.kind == "time":
        raise dates_error(column, next(text for text in texts if text.strip() not in written.lost), duration=False)
    if written.kind == "category" or 2 * written.lost.total() > len(cells):
        if holds != "labels":
            _check_spans(texts, column)
        return None
    shown = written.number.shown if written.number else ""
    return Form(Reader(written.number), shown, bool(written.lost), written.notes, written.warnings)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number | Decimal) and not isinstance(cell, bool | np.bool_)


def _check_spans(texts: list[str], column: str) -> None:
    """Refuse durations and times of day as classes.

    Raises:
        DataError: All texts are durations or times.
    """
    present = [text.strip() for text in texts if not means_missing(text)]
    if present and all(map(_SPAN.fullmatch, present)):
        raise durations_error(column, present[0])


def durations_error(column: str, example: str) -> DataError:
    """The error for a target that holds durations or times as text."""
    what = f"the target holds durations or times, such as {example!r}, which cannot be predicted"
    return DataError(what, where=column, fix="Make it a number, such as minutes; or set task to multiclass if they are labels.")


def dates_error(column: str, example: str, *, duration: bool) -> DataError:
    """The error for a target that holds dates or durations."""
    what, number = ("durations", "hours") if duration else ("dates", "days since a fixed day")
    way = (
        f"frame[{column!r}].dt.total_seconds() / 3600"
        if duration
        else f"(frame[{column!r}] - pd.Timestamp('2020-01-01')).dt.days"
    )
    fix = f"Make it a number, such as {number}: {way}."
    return DataError(f"the target holds {what}, such as {example!r}, which cannot be predicted", where=column, fix=fix)


def label_warnings(classes: Iterable[Any], column: str) -> tuple[str, ...]:
    """Warnings about labels that differ only in spelling."""
    spellings_by_label: dict[str, list[str]] = {}
    for label in classes:
        spellings_by_label.setdefault(_normalized(str(label)), []).append(str(label))
    several = [sorted(spellings) for spellings in spellings_by_label.values() if len(spellings) > 1]
    if not several:
        return ()
    listed = "; ".join(", ".join(map(repr, spellings)) for spellings in several[:5]) + (" ..." if len(several) > 5 else "")
    return (f"labels of {column!r} differ only in their spelling, and are separate classes: {listed}",)


def _normalized(label: str) -> str:
    """A label without differences in spelling: case, white space, punctuation around it, Unicode forms, 1 and 1.0."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    visible = "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")  # zero width
    if _NUMBER.fullmatch(visible.strip()):
        return repr(float(visible))
    words = _BETWEEN.sub(" ", visible).split()
    return " ".join(words).strip(" .,;:!") or label


def label_notes(classes: Iterable[Any], cells: Iterable[Any], column: str) -> tuple[str, ...]:
    """Notes on labels that are kept although they look like missing values or numbers."""
    texts = [label for label in classes if isinstance(label, str)]
    words = [label for label in texts if looks_missing(label)]
    codes = [label for label in texts if (number := written_number(label)) and number.padded]
    notes = []
    if words:
        counts = Counter(cell.strip() for cell in cells if isinstance(cell, str))
        notes.append(kept_note(column, {word: counts[word] for word in words}, "classes"))
    if codes:
        notes.append(f"labels of {column!r} are kept as text, as {codes[0]!r} begins with a zero")
    return tuple(notes)

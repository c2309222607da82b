"""What the cells of a target are: numbers, however they are written, or labels; and what is odd about labels."""

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
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # 007 is no number
_BETWEEN = re.compile(r"_|(?<=\w)-(?=\w)")  # A- is no spelling of A, nor -1 of 1
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
        """The numbers that there are."""
        found, _ = self.reader.numbers(cells)
        known: Array = found[~np.isnan(found)]
        return known


def read_form(given: list[Any], options: DataOptions, where: str, decimal: str, *, asked: str | None = None) -> Form | None:
    """How a target's numbers are written; None where its cells are labels.

    Args:
        given: The cells that hold something and are no test rows.
        options: How cells are written.
        where: The target's name.
        decimal: The decimal sign of numbers that can be read with either.
        asked: What the task that was asked for holds, `"numbers"` or `"labels"`; None where none was.

    Raises:
        DataError: It holds dates, or mixes units or decimal signs.
    """
    if all(_is_number(cell) for cell in given):
        return Form(Reader())
    texts = [cell for cell in given if isinstance(cell, str)]
    if not texts or any(isinstance(cell, bool | np.bool_) for cell in given):
        return None
    try:
        written = decide(where, given, options, few=True, decimal=decimal)
        if written.kind == "category" and asked == "numbers":
            written = decide(where, given, options, forced=True, decimal=decimal)
    except InputError as error:
        raise DataError(str(error), where=where, fix="Correct these cells, or choose another target.") from error
    if written.kind == "time":
        raise moments_refused(where, next(text for text in texts if text.strip() not in written.lost), duration=False)
    if written.kind == "category" or 2 * written.lost.total() > len(given):
        if asked != "labels":
            _check_spans(texts, where)
        return None
    shown = written.number.shown if written.number else ""
    return Form(Reader(written.number), shown, bool(written.lost), written.notes, written.warnings)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number | Decimal) and not isinstance(cell, bool | np.bool_)


def _check_spans(texts: list[str], where: str) -> None:
    """Durations and times of the day are no classes.

    Raises:
        DataError: All texts are such.
    """
    present = [text.strip() for text in texts if not means_missing(text)]
    if present and all(map(_SPAN.fullmatch, present)):
        raise spans_refused(where, present[0])


def spans_refused(where: str, example: str) -> DataError:
    """The refusal of a target that holds durations or times as texts."""
    what = f"the target holds durations or times, such as {example!r}, which are not predicted"
    return DataError(what, where=where, fix="Make it a number, such as minutes; or set task to multiclass if they are labels.")


def moments_refused(where: str, example: str, *, duration: bool) -> DataError:
    """The refusal of a target that holds dates or durations."""
    what, number = ("durations", "hours") if duration else ("dates", "days since a fixed day")
    way = (
        f"frame[{where!r}].dt.total_seconds() / 3600"
        if duration
        else f"(frame[{where!r}] - pd.Timestamp('2020-01-01')).dt.days"
    )
    fix = f"Make it a number, such as {number}: {way}."
    return DataError(f"the target holds {what}, such as {example!r}, which are not predicted", where=where, fix=fix)


def label_warnings(classes: Iterable[Any], where: str) -> tuple[str, ...]:
    """Warnings on labels that differ in nothing but their spelling."""
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault(_sound(str(label)), []).append(str(label))
    several = [sorted(spellings) for spellings in alike.values() if len(spellings) > 1]
    if not several:
        return ()
    listed = "; ".join(", ".join(map(repr, spellings)) for spellings in several[:5]) + (" ..." if len(several) > 5 else "")
    return (f"labels of {where!r} differ in their spelling alone, and are classes of their own: {listed}",)


def _sound(label: str) -> str:
    """A label without what people spell differently: case, white space, punctuation around it, forms of Unicode, 1 and 1.0."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    seen = "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")  # zero width
    if _NUMBER.fullmatch(seen.strip()):
        return repr(float(seen))
    words = _BETWEEN.sub(" ", seen).split()
    return " ".join(words).strip(" .,;:!") or label


def label_notes(classes: Iterable[Any], given: Iterable[Any], where: str) -> tuple[str, ...]:
    """Notes on labels that are kept as they are, although they look like missing values or numbers."""
    texts = [label for label in classes if isinstance(label, str)]
    words = [label for label in texts if looks_missing(label)]
    codes = [label for label in texts if (found := written_number(label)) and found.padded]
    notes = []
    if words:
        counts = Counter(cell.strip() for cell in given if isinstance(cell, str))
        notes.append(kept_note(where, {word: counts[word] for word in words}, "classes"))
    if codes:
        notes.append(f"labels of {where!r} are texts, as {codes[0]!r} begins with a zero")
    return tuple(notes)

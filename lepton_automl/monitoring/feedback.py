"""True answers by prediction id: once, in time, within the schema, and on the disk before they are acknowledged."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_automl._json import Value
from lepton_automl.errors import Complaints, did_you_mean

from .errors import FeedbackError
from .ids import PredictionIds
from .log.frames import FrameFile, read_frames
from .log.segments import DAY

MAX_DAYS = 30.0  # between an answer and its feedback
SHOWN = 10  # labels that a message lists
LONGEST_KEY = 200  # characters


@dataclass(frozen=True, kw_only=True)
class FeedbackEvent(Value):
    """A true answer as it was reported.

    Args:
        id: The prediction id, with the number of the row.
        truth: The true label or number.
        key: The name of the key that reported it.
        at: When, in seconds since 1970.
        correction: Whether it replaces an earlier report of the same id.
    """

    id: str
    truth: str | float
    key: str
    at: float
    correction: bool = False


class FeedbackStore:
    """The true answers that were reported for one model.

    Args:
        path: The file that they are kept in; it is created if it is missing.
        ids: What checks prediction ids.
        labels: The labels that the model knows; empty if answers are numbers.
        max_days: The most days between an answer and its feedback.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        ids: PredictionIds,
        labels: Sequence[Any] = (),
        *,
        max_days: float = MAX_DAYS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ids, self._clock, self._max_days = ids, clock, max_days
        self._labels = {str(label): str(label) for label in labels}
        self._latest: dict[str, FeedbackEvent] = {event.id: event for event in read_feedback(path)}
        self._file = FrameFile(path)

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, prediction_id: str, truth: Any, key: str, *, correction: bool = False) -> FeedbackEvent:
        """Record a true answer; it is on the disk when this returns.

        Args:
            prediction_id: The id that the answer carried, with `.ROW` if the answer has several rows.
            truth: The true label or number.
            key: The name of the caller's key.
            correction: Whether it replaces what was reported before.

        Raises:
            FeedbackError: The id was not issued to this key or is too old, the label is unknown, or there is a report already.
            OSError: It cannot be written; nothing was recorded.
        """
        return self.add_all([(prediction_id, truth)], key, correction=correction)[0]

    def add_all(self, reports: Iterable[tuple[str, Any]], key: str, *, correction: bool = False) -> list[FeedbackEvent]:
        """Record several true answers, all or none; see `add`.

        Raises:
            FeedbackError: Something is wrong with one or more of them.
            OSError: They cannot be written; nothing was recorded.
        """
        complaints = Complaints("feedback", FeedbackError)
        events: dict[str, FeedbackEvent] = {}
        for prediction_id, truth in reports:
            try:
                event = self._event(prediction_id, truth, key, correction=correction)
                if event.id in events:
                    raise FeedbackError(
                        "this prediction id is there twice", where=event.id, fix="Send one true answer for each."
                    )
                events[event.id] = event
            except FeedbackError as error:
                complaints.add(f"{error.where}: {error.what}", error.fix)
        complaints.raise_any()
        if events:
            self._file.append(json.dumps([event.to_json() for event in events.values()]).encode())
            self._latest |= events
        return list(events.values())

    def _event(self, prediction_id: str, truth: Any, key: str, *, correction: bool) -> FeedbackEvent:
        known, now = self._ids.check(prediction_id, key), self._clock()
        if now - known.at > self._max_days * DAY:
            raise FeedbackError(
                f"the answer is older than {self._max_days:g} days", where=known.name, fix="Report true answers sooner."
            )
        before = self._latest.get(known.name)
        if before is not None and not correction:
            fix = "Send it as a correction if it is one."
            raise FeedbackError("a true answer was reported for this prediction id before", where=known.name, fix=fix)
        if before is None and correction:
            fix = "Send it as a first report."
            raise FeedbackError(
                "nothing was reported for this prediction id that could be corrected", where=known.name, fix=fix
            )
        return FeedbackEvent(
            id=known.name, truth=self._checked(truth, known.name), key=key[:LONGEST_KEY], at=now, correction=correction
        )

    def _checked(self, truth: Any, where: str) -> str | float:
        """The true answer, if the model could have given it.

        Raises:
            FeedbackError: It could not.
        """
        if self._labels:
            if str(truth) not in self._labels or isinstance(truth, dict | list):
                shown = ", ".join(list(self._labels)[:SHOWN])
                fix = f"Use one of the model's labels: {shown}.{did_you_mean(str(truth), self._labels)}"
                raise FeedbackError(f"{str(truth)[:60]!r} is no label of this model", where=where, fix=fix)
            return str(truth)
        if isinstance(truth, bool) or not isinstance(truth, int | float) or not math.isfinite(truth):
            raise FeedbackError(f"{str(truth)[:60]!r} is not a finite number", where=where, fix="Send a number.")
        return float(truth)

    def events(self) -> list[FeedbackEvent]:
        """The latest report of each id, in the order of the first reports."""
        return list(self._latest.values())

    def get(self, prediction_id: str) -> FeedbackEvent | None:
        """The latest report of an id, with the number of its row; None if there is none."""
        return self._latest.get(prediction_id)

    def forget(self, before: float) -> int:
        """Remove reports made before some time, in seconds since 1970; returns how many.

        Ids as old as these must be too old to be reported again, or they would count twice.
        """
        kept = {name: event for name, event in self._latest.items() if event.at >= before}
        removed = len(self._latest) - len(kept)
        if removed:
            self._rewrite(kept)
        return removed

    def _rewrite(self, kept: dict[str, FeedbackEvent]) -> None:
        path = self._file.path
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        file = FrameFile(part)
        file.append(json.dumps([event.to_json() for event in kept.values()]).encode())
        part.rename(path)
        self._file.close()
        self._file, self._latest = file, kept
        self._file.path = path

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_feedback(path: Path) -> list[FeedbackEvent]:
    """All reports in a file, in their order, corrections included; those of a torn last write are left out."""
    return [FeedbackEvent.from_json(event) for content in read_frames(path) for event in json.loads(content)]

"""True answers beside what was answered: what a score is computed from, and a new model may be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .feedback import FeedbackEvent
from .log.reader import read_log
from .rows import Feedback


def joined_feedback(log: Path, events: Sequence[FeedbackEvent]) -> Feedback:
    """Reported true answers with the answers that the log has, in the order of the reports.

    Args:
        log: The log's folder.
        events: The reports; those whose rows are not logged, as only a share is or they were too old, are left out.

    Raises:
        MonitoringError: There is no such log.
    """
    table = read_log(log, columns=["id", "answer", "confidence"])
    columns = [table[name].to_pylist() for name in table.column_names]
    known = {name: place for place, name in enumerate(columns[0])}
    kept = [event for event in events if event.id in known]
    places = np.array([known[event.id] for event in kept], np.int64)
    number = bool(kept) and not isinstance(kept[0].truth, str)
    answers = [columns[1][place] for place in places]
    confidence = np.array([columns[2][place] for place in places], np.float64)
    return Feedback(
        truth=np.array([event.truth for event in kept], np.float64 if number else object),
        answers=np.array(answers, np.float64 if number else object),
        confidence=None if np.isnan(confidence).all() else confidence,
        keys=np.array([event.key for event in kept], object),
        rows=places,
    )

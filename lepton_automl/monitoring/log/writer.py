"""The log of answered rows: the caller puts rows in a queue, and a thread writes them."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array

from .segments import AT, MEGABYTE, SegmentFolder
from .settings import LogSettings

HOUR = 3600.0  # seconds
PRUNED_EVERY = 60.0  # seconds between two checks of age and size
FEATURE = "feature."  # what names of columns with features begin with
SPACE = 1 << 32  # of the checksum that decides whether an id is logged


@dataclass(frozen=True, kw_only=True, eq=False)
class LoggedRows:
    """Rows as they are logged.

    Args:
        ids: The prediction id of each row, [N].
        features: The values of each feature, [N] each.
        answers: The answers, [N].
        confidence: The probability of each label, [N]; None if the model has none.
        model: The model's name.
        version: Its version.
        key: The name of the caller's key; never the key itself.
        latency_ms: The time that the request took.
        at: When it was answered, in seconds since 1970.
        raw: The raw inputs, [N], as JSON-able objects; None if they are not to be logged.
    """

    ids: Sequence[str]
    features: Mapping[str, Array]
    answers: Sequence[Any]
    confidence: Sequence[float] | None = None
    model: str = ""
    version: str = ""
    key: str = ""
    latency_ms: float = 0.0
    at: float = 0.0
    raw: Sequence[Any] | None = None


class RequestLog:
    """A log that is being written. It never makes the caller wait, and never raises an error at it.

    Args:
        folder: Where it is written; one process may write to it at a time.
        settings: What is logged, how much, and for how long.
        clock: Returns the time in seconds since 1970.

    Attributes:
        written: Rows on the disk since the log was opened.
        dropped: Rows that were not logged, as too many were waiting.
        lost: Rows that could not be written, because the disk was full for example.
        trouble: The last error of writing; empty if there was none since.

    Raises:
        MonitoringError: Another process writes to the folder, or it cannot be created.
    """

    def __init__(self, folder: Path, settings: LogSettings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or LogSettings()
        self.written = self.dropped = self.lost = 0
        self.trouble = ""
        self._clock = clock
        self._segments = SegmentFolder(Path(folder))
        self._never = frozenset(self.settings.never)
        self._queue: deque[LoggedRows] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._asked = self._done = 0  # flushes
        self._closing = False
        self._opened = self._pruned = time.monotonic()
        self._segments.prune(self._clock(), self.settings.max_days, self.settings.max_mb)
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def is_logged(self, prediction_id: str) -> bool:
        """Whether the row with this id is among those that are logged; the same for a row whenever it is asked."""
        return zlib.crc32(prediction_id.encode()) < self.settings.share * SPACE

    def add(self, rows: LoggedRows) -> None:
        """Log some rows, if they are among the share that is; returns at once."""
        kept = [place for place, one in enumerate(rows.ids) if self.is_logged(one)]
        if not kept:
            return
        try:
            chosen = self._chosen(rows, kept)
        except Exception as error:  # rows may hold anything
            self.lost, self.trouble = self.lost + len(kept), f"{type(error).__name__}: {error}"
            return
        with self._changed:
            if self._closing or self._waiting + len(kept) > self.settings.max_waiting:
                self.dropped += len(kept)
                return
            self._queue.append(chosen)
            self._waiting += len(kept)

    def _chosen(self, rows: LoggedRows, kept: list[int]) -> LoggedRows:
        """The rows that are logged, without the features that never are."""
        return LoggedRows(
            ids=[rows.ids[place] for place in kept],
            features={name: np.asarray(column)[kept] for name, column in rows.features.items() if name not in self._never},
            answers=[rows.answers[place] for place in kept],
            confidence=None if rows.confidence is None else [rows.confidence[place] for place in kept],
            model=rows.model,
            version=rows.version,
            key=rows.key,
            latency_ms=rows.latency_ms,
            at=rows.at or self._clock(),
            raw=[rows.raw[place] for place in kept] if self.settings.raw and rows.raw is not None else None,
        )

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all rows so far are on the disk, or are counted as lost; returns whether they are."""
        with self._changed:
            self._asked += 1
            number = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= number or not self._thread.is_alive(), timeout)
            return self._done >= number

    def close(self) -> None:
        """Write what waits, close the segment, and let another process write to the folder."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._try(self._segments.close_segment)
        self._segments.close()

    def _run(self) -> None:
        """The thread: writes what waits, every `flush_seconds`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._asked > self._done, self.settings.flush_seconds)
                closing, asked = self._closing, self._asked
                rows, self._queue = list(self._queue), deque()
            count = sum(len(one.ids) for one in rows)
            if rows and not self._write(rows):
                for one in rows if len(rows) > 1 else []:  # what cannot be written must not take others with it
                    self._write([one])
            with self._changed:
                self._waiting -= count
                self._done = asked
                self._changed.notify_all()
            if closing:
                return
            self._maintain()

    def _write(self, rows: Sequence[LoggedRows]) -> bool:
        """Write rows; those of one call that cannot be written count as lost."""
        count = sum(len(one.ids) for one in rows)
        written = self._try(lambda: self._segments.append(as_batch(rows)))
        self.written += count if written else 0
        self.lost += count if not written and len(rows) == 1 else 0
        return written

    def _maintain(self) -> None:
        now = time.monotonic()
        full = self._segments.size > self.settings.segment_mb * MEGABYTE
        if full or (self._segments.size and now - self._opened > self.settings.segment_hours * HOUR):
            self._try(self._segments.close_segment)
            self._opened = now
        if full or now - self._pruned > PRUNED_EVERY:
            self._try(lambda: self._segments.prune(self._clock(), self.settings.max_days, self.settings.max_mb))
            self._pruned = now

    def _try(self, action: Callable[[], None]) -> bool:
        """Do something that may fail, as the log must not end; returns whether it succeeded."""
        try:
            action()
        except Exception as error:  # pyarrow's errors have no common class, and rows may hold anything
            self.trouble = f"{type(error).__name__}: {error}"
            return False
        self.trouble = ""
        return True


def as_batch(rows: Sequence[LoggedRows]) -> Any:
    """Rows as one pyarrow.RecordBatch."""
    import pyarrow as pa

    counts = [len(one.ids) for one in rows]
    columns: dict[str, Any] = {
        "id": pa.array([each for one in rows for each in one.ids], pa.string()),
        AT: pa.array(np.repeat([round(1000 * one.at) for one in rows], counts), pa.timestamp("ms", "UTC")),
        "model": _repeated([one.model for one in rows], counts),
        "version": _repeated([one.version for one in rows], counts),
        "key": _repeated([one.key for one in rows], counts),
        "latency_ms": pa.array(np.repeat([one.latency_ms for one in rows], counts), pa.float64()),
        "answer": pa.array([str(each) for one in rows for each in one.answers], pa.string()),
        "confidence": pa.array(
            [each for one in rows for each in (one.confidence if one.confidence is not None else [None] * len(one.ids))],
            pa.float64(),
        ),
    }
    for name in dict.fromkeys(name for one in rows for name in one.features):
        columns[FEATURE + name] = _feature([one.features.get(name) for one in rows], counts)
    if any(one.raw is not None for one in rows):
        texts = [json.dumps(each, default=str) for one in rows for each in (one.raw or [None] * len(one.ids))]
        columns["raw"] = pa.array(texts, pa.string())
    return pa.RecordBatch.from_pydict(columns)


def _repeated(texts: Sequence[str], counts: Sequence[int]) -> Any:
    import pyarrow as pa

    return pa.array([text for text, count in zip(texts, counts, strict=True) for _ in range(count)], pa.string())


def _feature(parts: Sequence[Array | None], counts: Sequence[int]) -> Any:
    """A feature's column: numbers if all parts are numeric, else texts; null where it is missing."""
    import pyarrow as pa

    known = [np.full(count, np.nan) if part is None else part for part, count in zip(parts, counts, strict=True)]
    if all(part.dtype.kind in "fiub" for part in known):
        return pa.array(np.concatenate(known).astype(np.float64), from_pandas=True)
    cells = [None if cell is None or cell != cell else str(cell) for part in known for cell in part.tolist()]  # noqa: PLR0124  # NaN
    return pa.array(cells, pa.string())

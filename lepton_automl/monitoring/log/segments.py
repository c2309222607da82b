"""The files of a log: one of frames that is being written, and closed segments in Parquet.

Each has a number. A segment is written under another name, renamed, and only then the file of frames is removed: whenever the process
is killed, each row is in exactly one of the two after `SegmentFolder` is opened again.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton_automl.monitoring.errors import MonitoringError

from .frames import FrameFile, read_frames, sync_folder

MEGABYTE = 1_000_000  # bytes
DAY = 86_400.0  # seconds
CLOSED = re.compile(r"segment-(\d{8})-(\d+)\.parquet")  # number, and the second of its newest row
OPEN = re.compile(r"open-(\d{8})\.frames")
AT = "at"  # the column with the time of a row


class SegmentFolder:
    """A folder of segments, opened for writing by one process.

    Args:
        folder: It is created if it is missing; only its owner can read it.

    Raises:
        MonitoringError: Another process writes to it, or it cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            fix = "Choose a folder that you can write to."
            raise MonitoringError(f"the log cannot be opened: {error.strerror}", where=str(folder), fix=fix) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            fix = "Stop it, or choose another folder."
            raise MonitoringError("another process writes to this log", where=str(folder), fix=fix) from error
        self._recover()
        self._frames = self._next()

    @property
    def size(self) -> int:
        """Bytes of frames that are not in a closed segment yet."""
        return self._frames.size

    def append(self, batch: Any) -> None:
        """Append rows.

        Args:
            batch: A pyarrow.RecordBatch.

        Raises:
            OSError: They cannot be written; nothing of them remains.
        """
        self._frames.append(_serialized(batch))

    def close_segment(self) -> None:
        """Write what is in frames as a segment in Parquet.

        Raises:
            OSError: It cannot be written; the frames remain.
        """
        if not self._frames.size:
            return
        _write_segment(self._frames.path)
        self._frames.close()
        self._frames = self._next()

    def prune(self, now: float, max_days: float, max_mb: float) -> None:
        """Remove segments that are too old, and the oldest ones while all take too much space.

        Args:
            now: The time, in seconds since 1970.
            max_days: The most days that rows are kept.
            max_mb: The most megabytes on the disk.
        """
        segments = closed_segments(self.folder)
        for path in list(segments):
            newest = float(path.stem.rpartition("-")[2])
            if newest < now - max_days * DAY:
                path.unlink()
                segments.remove(path)
        sizes = [path.stat().st_size for path in segments]
        total = sum(sizes) + self.size
        for path, size in zip(segments, sizes, strict=True):
            if total <= max_mb * MEGABYTE:
                break
            path.unlink()
            total -= size

    def close(self) -> None:
        """Close the files; frames remain for the next process or `close_segment`."""
        self._frames.close()
        os.close(self._lock)

    def _recover(self) -> None:
        """Finish what a killed process began."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        for path in open_files(self.folder):
            _write_segment(path)

    def _next(self) -> FrameFile:
        names = [path.name for path in self.folder.iterdir()]
        numbers = [int(match[1]) for name in names if (match := CLOSED.match(name) or OPEN.match(name))]
        frames = FrameFile(self.folder / f"open-{max(numbers, default=0) + 1:08}.frames")
        sync_folder(self.folder)
        return frames


def closed_segments(folder: Path) -> list[Path]:
    """The closed segments, the oldest first."""
    return sorted(path for path in folder.iterdir() if CLOSED.fullmatch(path.name))


def open_files(folder: Path) -> list[Path]:
    """The files of frames, the oldest first; more than one only while a segment is being closed."""
    return sorted(path for path in folder.iterdir() if OPEN.fullmatch(path.name))


def read_open(path: Path) -> list[Any]:
    """The rows of a file of frames, as pyarrow tables."""
    import pyarrow as pa

    return [pa.ipc.open_stream(content).read_all() for content in read_frames(path)]


def _serialized(batch: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _write_segment(path: Path) -> None:
    """Write a file of frames as a segment, and remove it; again if a process was killed in between."""
    number = OPEN.fullmatch(path.name)
    assert number is not None
    done = any(match[1] == number[1] for other in path.parent.iterdir() if (match := CLOSED.fullmatch(other.name)))
    tables = [] if done else read_open(path)
    if tables:
        _write_parquet(tables, path, number[1])
    path.unlink()


def _write_parquet(tables: Sequence[Any], path: Path, number: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pa.concat_tables(tables, promote_options="permissive")
    newest = int(pc.max(table[AT]).cast(pa.int64()).as_py() // 1000)
    part = path.with_suffix(".part")
    try:
        pq.write_table(table, part, compression="zstd")
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)
        raise
    part.rename(path.with_name(f"segment-{number}-{newest}.parquet"))
    sync_folder(path.parent)

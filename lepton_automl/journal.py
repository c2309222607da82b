"""The journal of a study: an append-only file of checksummed lines. Whoever wants to know reads it from an offset."""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from .errors import StudyError
from .events import Event, event_from_json, event_to_json


class Journal:
    """One study's events, in a file.

    A line is eight hexadecimal digits of CRC-32, a space, a JSON object. A torn last line (a crash in mid-write) is
    cut off by the next writer and never seen by a reader.

    Args:
        path: The file; it comes to be with the first event.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def append(self, event: Event, *, durable: bool = True) -> None:
        """Write one event.

        Args:
            event: What happened.
            durable: Wait until the disk has it. Not needed for what a later event makes good, such as an epoch's report.

        Raises:
            StudyError: The file cannot be written; earlier events are safe.
        """
        body = json.dumps(event_to_json(event), separators=(",", ":"), allow_nan=True).encode()
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        try:
            with open(self.path, "ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                whole = self._whole_length()
                if whole < file.tell():
                    file.truncate(whole)
                file.write(line)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        except OSError as error:
            fix = "Make room or give write permission. What the journal holds so far is safe: lepton front shows its models."
            raise StudyError(f"cannot write the journal: {error.strerror}", where=str(self.path), fix=fix) from error

    def _whole_length(self) -> int:
        """Bytes up to the last complete line."""
        with open(self.path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            at = size
            while at > 0:
                start = max(0, at - 65536)
                file.seek(start)
                newline = file.read(at - start).rfind(b"\n")
                if newline >= 0:
                    return start + newline + 1
                at = start
        return 0

    def read(self, offset: int = 0) -> Iterator[tuple[int, Event]]:
        """The events from an offset on, each with the offset behind it.

        Args:
            offset: Bytes; 0 for all, or what an earlier read ended with.

        Raises:
            StudyError: A line in the middle is damaged.
        """
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                event = self._parse(line, offset)
                if event is not None:
                    yield offset, event

    def _parse(self, line: bytes, offset: int) -> Event | None:
        checksum, _, body = line[:-1].partition(b" ")
        if b"%08x" % zlib.crc32(body) != checksum:
            fix = "Restore the file from a copy, or delete the study and search again."
            raise StudyError(f"the journal is damaged before byte {offset}", where=str(self.path), fix=fix)
        return event_from_json(json.loads(body))

"""The journal of a study: an append-only file of checksummed lines, which can be read from any offset."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import StudyError
from .events import PATHS, Event, event_from_json, event_to_json
from .journal_format import FORMAT, KEY, check_format, converted, format_of

MODE = 0o600  # of files that may contain the user's code and texts
MOST_STARTS = 32  # positions in a damaged stretch at which a line may begin
_START = re.compile(rb"(?=[0-9a-f]{8} \{)")
_NUMBER = re.compile(rb'\{"n":(\d{1,15}),')


@dataclass(frozen=True)
class Line:
    """A line of a journal, or what is left of it.

    Args:
        end: The offset after it.
        event: Its event; None if it is damaged, or of a kind that a newer version wrote.
        fault: What is wrong with it, in words; empty if nothing is.
        number: Its number in the journal, from 1; None in journals of versions that did not number lines.
        raw: The line itself, without its newline; in the current format.
        converted: Whether it was in an older format.
    """

    end: int
    event: Event | None
    fault: str = ""
    number: int | None = None
    raw: bytes = b""
    converted: bool = False

    @property
    def core(self) -> bytes:
        """Its content without its number: the same in every copy."""
        return _NUMBER.sub(b"{", self.raw[9:], count=1)


def private(path: str, flags: int) -> int:
    """Open a file that only its owner can read if it is newly created; an `opener` for `open`."""
    return os.open(path, flags, MODE)


def write_private(path: Path, text: str) -> None:
    """Write a text that only its owner can read."""
    with open(path, "w", encoding="utf-8", opener=private) as file:
        file.write(text)


class Journal:
    """One study's events, in a file.

    A line is eight hexadecimal digits of CRC-32, a space, and a JSON object. The object's `n` numbers the lines from 1, so that
    missing, repeated and exchanged lines are detected; its `format` is that of the names in it (see `journal_format`). A torn
    last line (a crash during a write) is cut off by the next writer and never seen by a reader. Readers skip damaged lines;
    `lines` reports them. Paths in a study's own folder are relative to it in the file, and absolute in events.

    Args:
        path: The file; the first event creates it.
        spare: Returns the file for a copy of an event's line, from which `lepton repair` restores it; None for no copy.
        study: The study's folder; by default the one that the file is in.
        convert: Whether lines of an older format are converted; else reading raises an error.
    """

    def __init__(
        self,
        path: Path,
        spare: Callable[[Event], Path | None] = lambda _: None,
        *,
        study: Path | None = None,
        convert: bool = False,
    ) -> None:
        self.path, self._spare, self._convert = Path(path), spare, convert
        self._study = study or self.path.parent
        self._end, self._count = -1, 0  # of the file after the last append: its size, the number of its last line

    def append(self, event: Event, *, durable: bool = True) -> None:
        """Write one event.

        Args:
            event: What happened.
            durable: Whether to wait until it is on the disk. Not needed if a later event makes up for a loss, as for a report.

        Raises:
            StudyError: The file cannot be written; earlier events are safe.
        """
        try:
            with open(self.path, "a+b", opener=private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._find_end(file)
                line = encoded(event, self._count + 1, self._study)
                file.write(line)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                self._end, self._count = file.tell(), self._count + 1
        except OSError as error:
            fix = "Free disk space or give write permission. Earlier events are safe: lepton front shows the models so far."
            raise StudyError(f"cannot write the journal: {error.strerror}", where=str(self.path), fix=fix) from error
        self._keep(event, line)

    def _keep(self, event: Event, line: bytes) -> None:
        """Write a copy of a line; if that fails, only the journal has it."""
        path = self._spare(event)
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab", opener=private) as file:
                file.write(line)

    def _find_end(self, file: IO[bytes]) -> None:
        """Cut off a torn last line, and find the number of the last intact one."""
        size = file.seek(0, os.SEEK_END)
        if size == self._end:
            return
        whole = _last_newline(file, size)
        file.seek(whole)
        content = b"".join(raw + b"\n" for raw in _pieces(file.read()))  # a last line of which only the newline was changed
        if whole < size:
            file.truncate(whole)
            file.seek(whole)
            file.write(content)
        self._count = self._last_number(file) or self._count  # an emptied journal continues its numbering

    def _last_number(self, file: IO[bytes]) -> int:
        """The number of the last line; if it has none, all lines are counted."""
        size = file.seek(0, os.SEEK_END)
        start = _last_newline(file, size - 1) if size else 0
        file.seek(start)
        last = file.read(size - start)
        if _is_whole(last[:-1]) and (number := _number(last[:-1])) is not None:
            return number
        file.seek(0)
        count = 0
        for line in file:
            number = _number(line[:-1]) if _is_whole(line[:-1]) else None
            count = count + 1 if number is None else number
        return count

    def last_number(self) -> int:
        """The number of the last line; 0 if there is none, or it cannot be read."""
        try:
            with open(self.path, "rb") as file:
                return self._last_number(file)
        except OSError:
            return 0

    def read(self, offset: int = 0) -> Iterator[tuple[int, Event]]:
        """The events from an offset on, each with the offset after it; damaged lines are skipped.

        Args:
            offset: In bytes; 0 for all, or the last offset of an earlier read.

        Raises:
            FormatError: A line is in another format.
            StudyError: The file cannot be read.
        """
        last = -1
        for line in self.lines(offset):
            if line.event is not None and line.number != last:  # else it was written twice
                yield line.end, line.event
            last = -1 if line.number is None else line.number

    def lines(self, offset: int = 0) -> Iterator[Line]:
        """All lines from an offset on, with their faults.

        An intact line that is out of order has both an event and a fault.

        Raises:
            FormatError: A line is in another format.
            StudyError: The file cannot be read.
        """
        try:
            if not self.path.is_file():
                if self.path.exists():
                    raise StudyError(
                        "there is a folder where the journal should be", where=str(self.path), fix=_repair(self.path)
                    )
                return
            with open(self.path, "rb") as file:
                file.seek(offset)
                yield from self._numbered(file, offset)
        except OSError as error:
            fix = "Give read permission, or restore the file from a copy."
            raise StudyError(f"cannot read the journal: {error.strerror}", where=str(self.path), fix=fix) from error

    def _numbered(self, file: IO[bytes], offset: int) -> Iterator[Line]:
        last: int | None = None
        damaged = 0  # lines since the last intact one
        for chunk in file:
            for line in self._parse_chunk(chunk, offset):
                number, fault = line.number, line.fault
                if number is None and fault:
                    damaged += 1
                elif number is None:  # of a version that did not number them
                    last, damaged = (last or 0) + damaged + 1, 0
                else:
                    fault = fault or (_gap(last, number, damaged) if last is not None or offset == 0 else "")
                    last, damaged = max(number, last or 0), 0
                yield Line(line.end, line.event, fault, number, line.raw, line.converted)
            offset += len(chunk)

    def _parse_chunk(self, chunk: bytes, start: int) -> list[Line]:
        """Parse a line of the file; a damaged one may contain several intact ones whose newlines were changed."""
        end = start + len(chunk)
        complete = chunk.endswith(b"\n")
        raw = chunk[:-1] if complete else chunk
        if complete and not raw:
            return []
        if complete and _is_whole(raw):
            return [self._parse_line(raw, end)]
        pieces = list(_pieces(chunk))
        if not pieces:
            return [Line(end, None, "its checksum is wrong")] if complete else []
        lines = [self._parse_line(piece, end) for piece in pieces]
        at = start + chunk.rfind(pieces[-1]) + len(pieces[-1]) + 1  # after the last one and its newline
        whole = sum(len(piece) + 1 for piece in pieces) == len(chunk)
        faults = [*("its newline was changed" for _ in lines[:-1]), "its newline was changed" if not complete else ""]
        lines_read = [Line(at if not complete else end, line.event, line.fault or fault, line.number, line.raw, line.converted)
                for line, fault in zip(lines, faults, strict=True)]  # fmt: skip
        return lines_read if whole or not complete else [*lines_read, Line(end, None, "its checksum is wrong")]

    def _parse_line(self, raw: bytes, end: int) -> Line:
        """Parse a line whose checksum is right."""
        number, older = _number(raw), False
        try:
            content = json.loads(raw[9:])
            if not isinstance(content, dict) or not isinstance(content.get("event"), str):
                return Line(end, None, "it contains no event", number, raw)
            older = format_of(content) < FORMAT
            if not (older and self._convert):
                check_format(content, self._study.name)
            event, fault = event_from_json(with_absolute_paths(converted(content), self._study)), ""
            if older and event is not None:  # as it would be written today
                content = {"n": number, KEY: FORMAT, **relative(event_to_json(event), self._study)}
                raw = _line({name: value for name, value in content.items() if value is not None or name != "n"})[:-1]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            event, fault = None, f"it contains no event ({type(error).__name__})"
        return Line(end, event, fault, number, raw, older)


def encoded(event: Event, number: int, folder: Path) -> bytes:
    """An event as a line.

    Args:
        event: What happened.
        number: The line's number, from 1.
        folder: The study's folder, which paths are relative to.
    """
    return _line({"n": number, KEY: FORMAT, **relative(event_to_json(event), folder)})


def _line(content: dict[str, Any]) -> bytes:
    return with_checksum(json.dumps(content, separators=(",", ":"), allow_nan=True).encode())


def renumbered(core: bytes, number: int) -> bytes:
    """A line with a new number, from its content without one."""
    return with_checksum(b'{"n":%d,%s' % (number, core[1:]))


def with_checksum(body: bytes) -> bytes:
    """A line from its content: the checksum is added."""
    return b"%08x %s\n" % (zlib.crc32(body), body)


def relative(line: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An event as JSON, with its paths in a study's folder relative to that."""
    return _with_path(line, lambda path: _below(path, folder))


def with_absolute_paths(line: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An event as JSON, with its paths in a study's folder updated to the folder's current place."""
    return _with_path(line, lambda path: current_path(path, folder))


def current_path(path: str, folder: Path) -> str:
    """The current path of something in a study, which may have been moved or copied since the path was written.

    Args:
        path: Relative to the study's folder; absolute in older versions: `HOME/studies/NAME/...`.
        folder: The study's folder.
    """
    if not path:
        return path
    if not os.path.isabs(path):  # noqa: PTH117  # also called with texts that are not paths
        inside = os.path.normpath(folder / path)
        return inside if Path(inside).is_relative_to(folder) else path
    parts = Path(path).parts
    if "studies" in parts[:-2] and not Path(path).is_relative_to(folder):
        at = len(parts) - 1 - parts[::-1].index("studies")
        moved = folder.joinpath(*parts[at + 2 :])
        return str(moved) if len(parts) > at + 2 and moved.exists() else path
    return path


def _below(path: str, folder: Path) -> str:
    if path and os.path.isabs(path):  # noqa: PTH117  # likewise
        for known in (folder, folder.resolve()):
            if Path(path).is_relative_to(known):
                return str(Path(path).relative_to(known))
    return path


def _with_path(line: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """An event as JSON with the one path that its kind has changed."""
    keys = PATHS.get(str(line.get("event")), ())
    inner: Any = line
    for key in keys:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if not keys or not isinstance(inner, str):
        return line
    return _replaced(line, keys, change(inner))


def _replaced(line: dict[str, Any], keys: tuple[str, ...], path: str) -> dict[str, Any]:
    head, *rest = keys
    return {**line, head: _replaced(line[head], tuple(rest), path) if rest else path}


def _is_whole(raw: bytes) -> bool:
    checksum, _, body = raw.partition(b" ")
    return b"%08x" % zlib.crc32(body) == checksum


def _number(raw: bytes) -> int | None:
    match = _NUMBER.match(raw, 9)
    return int(match[1]) if match else None


def _gap(last: int | None, number: int, damaged: int) -> str:
    """What is wrong with a line's number, given the last number and how many damaged lines came since."""
    before = last or 0
    missing = number - before - 1 - damaged
    if number <= before:
        return "it is repeated" if number == before else "it is out of order"
    return f"{missing} line{'s are' if missing > 1 else ' is'} missing before it" if missing > 0 else ""


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """Intact lines in a damaged stretch; the byte after each may be anything."""
    starts = [match.start() for match in _START.finditer(chunk)][:MOST_STARTS]
    done = 0
    for start in starts:
        ends = [len(chunk) - 1, *(later - 1 for later in reversed(starts) if later > start)]
        for end in ends if start >= done else []:
            if _is_whole(chunk[start:end]):
                yield chunk[start:end]
                done = end
                break


def _last_newline(file: IO[bytes], size: int) -> int:
    """The offset after the last newline in the first `size` bytes."""
    at = size
    while at > 0:
        start = max(0, at - 65536)
        file.seek(start)
        newline = file.read(at - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        at = start
    return 0


def _repair(path: Path) -> str:
    return f"lepton repair {path.parent.name} restores what it can, and keeps the old file."

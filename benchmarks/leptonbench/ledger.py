"""The ledger: one JSON line per finished row, written by any number of processes at once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Ledger:
    """An append-only file of recorded rows, and a claim file for each number that a process works on.

    A claim is a lock and ends with its process: the number that a killed process had claimed is free again.

    Args:
            path: The file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claims = path.with_suffix(".claims")
        self.claims.mkdir(exist_ok=True)

    def lines(self) -> list[Line]:
        """Every recorded row, except a line that a killed process left unfinished."""
        lines_read = []
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                lines_read.append(json.loads(line))
            except ValueError:
                continue
        return lines_read

    def add(self, lines: Iterable[Line]) -> None:
        """Append related rows at once."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            os.write(file, (("\n" if torn else "") + text).encode())
        finally:
            os.close(file)

    @contextmanager
    def claimed(self, numbers: Iterable[int]) -> Iterator[int]:
        """Claim the first number that is neither recorded nor claimed, within this context."""
        for number in numbers:
            file = os.open(self.claims / str(number), os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if number not in {line["number"] for line in self.lines()}:  # checked while locked
                    yield number
                    return
            except BlockingIOError:
                continue
            finally:
                os.close(file)
        raise RuntimeError("every number is recorded or claimed")

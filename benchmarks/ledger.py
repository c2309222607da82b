"""Finished runs in a file of JSON lines, so that an interrupted benchmark continues where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]
Key = tuple[Any, ...]


class Ledger:
    """The recorded results of runs.

    Args:
            path: The file of JSON lines.
            same: Names of the fields that identify a run, in the order of a key.
    """

    def __init__(self, path: Path, same: tuple[str, ...]) -> None:
        self.path, self.same = path, same
        self.known: dict[Key, Found] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue  # empty, or cut off by an interruption
            self.known[tuple(record[name] for name in same)] = record  # the later one if keys are equal

    def once(self, key: Key, find: Callable[[], Found], *, again: bool = False) -> Found:
        """Return the recorded result of a run, or run it now."""
        if again or key not in self.known:
            record = {**dict(zip(self.same, key, strict=True)), **find()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(f"\n{json.dumps(record)}\n")  # start a new line after one that was cut off
            self.known[key] = record
        return self.known[key]

"""Finished runs in a file of JSON lines, so that an interrupted benchmark goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]
Key = tuple[Any, ...]


class Ledger:
    """What is known of runs.

    Args:
        path: The file.
        same: Names of what tells one run from another, in the order of a key.
    """

    def __init__(self, path: Path, same: tuple[str, ...]) -> None:
        self.path, self.same = path, same
        self.known: dict[Key, Found] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                kept = json.loads(line)
            except json.JSONDecodeError:
                continue  # empty, or torn by an interruption
            self.known[tuple(kept[name] for name in same)] = kept  # of two alike, the later one

    def once(self, key: Key, find: Callable[[], Found], *, again: bool = False) -> Found:
        """What is known of a run, or what it finds now."""
        if again or key not in self.known:
            kept = {**dict(zip(self.same, key, strict=True)), **find()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(f"\n{json.dumps(kept)}\n")  # a line torn before must not swallow this one
            self.known[key] = kept
        return self.known[key]

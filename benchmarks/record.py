"""Committed records: one JSON line for each finished run, with its commit, versions and host."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lepton_automl.measuring.host import describe_host

Line = dict[str, Any]
Key = tuple[Any, ...]

CHECKOUT = Path(__file__).parents[1]
RECORDS = Path(__file__).parent / "records"
PACKAGE = CHECKOUT / "lepton_automl"
# Parts of the package that cannot change what a search finds or what its models predict.
OTHER_PARTS = {
    "cli",
    "estimators",
    "monitoring",
    "reporting",
    "serving",
    "testing",
    "tracking",
    "widgets",
    "__init__.py",
    "deployment/explain.py",
    "deployment/shapley.py",
    "explanation.py",
    "notebook.py",
    "no_model_advice.py",
    "study/code.py",
    "study/code_custom.py",
    "study/code_ensemble.py",
    "study/code_script.py",
    "study/code_values.py",
    "study/explain.py",
    "study/publish.py",
    "study/report.py",
}


class Record:
    """Finished runs, so that an interrupted benchmark continues where it stopped, and a finished one can be read.

    A line counts only if it comes from the present code of its system. Others are refused: they stay in the file, and their
    runs are made again when the record is continued.

    Args:
        path: The file of JSON lines.
        same: Names of the fields that identify a run, in the order of a key; one of them is `system`.
        codes: The digest of each system's present code, by name; lines of other systems are left alone.
    """

    def __init__(self, path: Path, same: tuple[str, ...], codes: Mapping[str, str]) -> None:
        self.path, self.same, self.codes = path, same, codes
        self.lines: dict[Key, Line] = {}
        refused: dict[Key, Line] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                known = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut off by an interruption
            key, system = tuple(known[name] for name in same), known["system"]
            if system in codes:
                (self.lines if known["code"] == codes[system] else refused)[key] = known  # the later one if keys are equal
        self.refused = [line for key, line in refused.items() if key not in self.lines]

    def once(self, key: Key, run: Callable[[], Line]) -> Line:
        """Return the recorded result of a run, or run it now and append its line."""
        if key not in self.lines:
            self.add(key, run())
        return self.lines[key]

    def add(self, key: Key, result: Line) -> None:
        """Append a result, with where it comes from; it replaces a recorded one of the same key."""
        names = dict(zip(self.same, key, strict=True))
        origin = {"commit": commit(), "code": self.codes[names["system"]], "host": describe_host()}
        line = {**names, **result, **origin, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self.path.read_bytes() if self.path.exists() else b""
        torn = bool(before) and not before.endswith(b"\n")  # the last line was cut off
        with self.path.open("a") as file:
            file.write(("\n" if torn else "") + json.dumps(line) + "\n")
        self.lines[key] = line

    def refusals(self) -> list[str]:
        """What was refused, one sentence for each system."""
        runs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for line in self.refused:
            names = [str(line[name]) for name in self.same if name != "system"]
            runs[line["system"], line["commit"]].append("/".join(names))
        return [
            f"Refused, as they come from an older {system} (commit {origin}): {', '.join(sorted(keys))}."
            for (system, origin), keys in sorted(runs.items())
        ]


def code_digest(files: Iterable[Path]) -> str:
    """A digest of Python files that changes with their code, but not with comments, docstrings and layout."""
    digest = hashlib.sha256()
    for file in sorted(files):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
                first = body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                    node.body = body[1:]
        digest.update(f"{file.relative_to(CHECKOUT)}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


@functools.cache
def search_files() -> tuple[Path, ...]:
    """The files of the package that may change what a search finds."""
    files = (file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))
    return tuple(PACKAGE / file for file in files if not {file.parts[0], file.as_posix()} & OTHER_PARTS)


@functools.cache
def commit() -> str:
    """The checked-out commit, with a + if the code has been changed since; "unknown" outside of a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "lepton_automl", "benchmarks", f":!{RECORDS.relative_to(CHECKOUT)}")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.strip()

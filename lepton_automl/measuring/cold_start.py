"""What an artifact costs a process that starts with nothing: its memory, and the way to the first answer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lepton_automl.errors import LeptonError
from lepton_automl.profile import Measurement

from .latency import BUSY
from .statistics import summarize

RUNS = 5
TIMEOUT_SECONDS = 300.0  # seconds for one process


@dataclass(frozen=True, kw_only=True)
class ColdStartScript:
    """How a fresh process comes to its first answer, in three pieces of Python that share their names.

    Args:
        imports: Imports what any artifact of the kind needs.
        load: Opens the artifact.
        answer: Asks it once; the rows are best made or read in `imports`.
        folder: Where the process stands, and imports from first.
        python: The interpreter; another environment's may lack this package.
    """

    imports: str
    load: str
    answer: str
    folder: Path | None = None
    python: str = sys.executable


class ColdStart(NamedTuple):
    """What fresh processes told.

    Args:
        imports: Time of the imports alone, in ms.
        cold_start: Time of loading and the first answer after them, in ms.
        memory: Bytes that loading and answering took at most, above what was there after the imports; None where the
            system does not tell.
    """

    imports: Measurement
    cold_start: Measurement
    memory: Measurement | None


def measure_cold_start(opening: ColdStartScript, runs: int = RUNS) -> ColdStart:
    """Open an artifact in so many fresh processes, one after another.

    Times are those of the wall clock without what was spent waiting for a core, which says nothing of the artifact. Files
    are read from the system's cache from the second run on.

    Raises:
        LeptonError: A process failed; its last words are given.
    """
    told = [_run_probe(opening) for _ in range(runs)]
    memory = [one["memory"] for one in told]
    known = summarize("memory", "bytes", memory, clock="") if None not in memory else None
    return ColdStart(_time("imports", told), _time("cold_start", told), known)


def _time(name: str, told: list[dict[str, Any]]) -> Measurement:
    spent = [one[name] for one in told]
    busy = sum(one["queued"] for one in spent) > BUSY * sum(one["wall"] for one in spent)
    times = [(one["wall"] - one["queued"]) / 1e6 for one in spent]
    return summarize(name, "ms", times, clock="wall_with_core", busy=busy)


def _run_probe(opening: ColdStartScript) -> dict[str, Any]:
    """What one fresh process says of itself; it may print what it likes before its last line."""
    probe = Path(__file__).with_name("cold_start_probe.py").read_text(encoding="utf-8")
    pieces = {name: getattr(opening, name) for name in ("imports", "load", "answer")}
    command = [opening.python, "-c", probe]
    ran = subprocess.run(
        command,
        input=json.dumps(pieces),
        cwd=opening.folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if ran.returncode:
        said = ran.stderr.strip().splitlines()[-1:] or [f"it ended with {ran.returncode} and no word"]
        raise LeptonError(
            f"a fresh process could not open the artifact: {said[0]}",
            where=opening.load,
            fix="Run its three pieces by hand in that interpreter.",
        )
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told

"""The cold start of an artifact in a fresh process: memory, and time to the first output."""

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
    """How a fresh process gets its first output: three pieces of Python code with shared variables.

    Args:
        imports: Imports what every artifact of this kind needs.
        load: Opens the artifact.
        answer: Calls it once; make or read the rows in `imports`.
        folder: The working directory of the process.
        python: The interpreter; its environment may lack this package.
    """

    imports: str
    load: str
    answer: str
    folder: Path | None = None
    python: str = sys.executable


class ColdStart(NamedTuple):
    """Measurements of fresh processes.

    Args:
        imports: Time of the imports alone, in ms.
        cold_start: Time of loading and the first output after them, in ms.
        memory: Peak memory of loading and the first call, in bytes above that after the imports; None where the system does
            not report it.
    """

    imports: Measurement
    cold_start: Measurement
    memory: Measurement | None


def measure_cold_start(script: ColdStartScript, runs: int = RUNS) -> ColdStart:
    """Open an artifact in `runs` fresh processes, one after another, and measure its cold start.

    Times are wall time minus the time spent waiting for a core, which the artifact does not cause. Files are read from the
    system's cache from the second run on.

    Raises:
        LeptonError: A process failed; the error includes the last line that it printed.
    """
    reports = [_run_probe(script) for _ in range(runs)]
    memory = [report["memory"] for report in reports]
    peak = summarize("memory", "bytes", memory, clock="") if None not in memory else None
    return ColdStart(_time("imports", reports), _time("cold_start", reports), peak)


def _time(name: str, reports: list[dict[str, Any]]) -> Measurement:
    spans = [report[name] for report in reports]
    busy = sum(span["queued"] for span in spans) > BUSY * sum(span["wall"] for span in spans)
    times = [(span["wall"] - span["queued"]) / 1e6 for span in spans]
    return summarize(name, "ms", times, clock="wall_with_core", busy=busy)


def _run_probe(script: ColdStartScript) -> dict[str, Any]:
    """The report of one fresh process: the last line of its output, which may have other lines before."""
    probe = Path(__file__).with_name("cold_start_probe.py").read_text(encoding="utf-8")
    pieces = {name: getattr(script, name) for name in ("imports", "load", "answer")}
    command = [script.python, "-c", probe]
    result = subprocess.run(
        command,
        input=json.dumps(pieces),
        cwd=script.folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or [f"it exited with code {result.returncode} and printed nothing"]
        raise LeptonError(
            f"a fresh process could not open the artifact: {reason[0]}",
            where=script.load,
            fix="Run the three pieces of code by hand in that interpreter to see the full error.",
        )
    report: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return report

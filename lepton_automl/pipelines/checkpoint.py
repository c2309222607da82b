"""A trial's checkpoint in one file: arrays and JSON, no pickle, written atomically."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lepton_automl.jobs import TrialJob
from lepton_automl.study_store import CHECKPOINT

METADATA_KEY = "walk"  # the key of the JSON in the file's header


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The progress of a trial.

    Args:
        arrays: Weights and the like, by name.
        info: Everything else, as JSON.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


class CheckpointWriter:
    """Reads and writes the checkpoint in a trial's folder. The search removes it once the trial's end is recorded.

    Args:
        job: The trial.
    """

    def __init__(self, job: TrialJob) -> None:
        self.path, self._uid = Path(job.folder) / CHECKPOINT, job.uid

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the last checkpoint atomically: if the machine stops, one of the two is complete.

        Raises:
            OSError: It cannot be written, for example on a full disk; the last one stays.
        """
        info = json.dumps({"uid": self._uid, **checkpoint.info})
        content = save(checkpoint.arrays, metadata={METADATA_KEY: info})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def read(self) -> Checkpoint | None:
        """The checkpoint; None if there is none, or it is damaged or belongs to another trial."""
        try:
            content = self.path.read_bytes()
            info = json.loads(_header(content)["__metadata__"][METADATA_KEY])
            arrays: dict[str, NDArray[Any]] = load(content)
        except (FileNotFoundError, SafetensorError, ValueError, KeyError):
            return None
        return Checkpoint(arrays=arrays, info=info) if info.pop("uid") == self._uid else None


def _header(content: bytes) -> dict[str, Any]:
    """The JSON header of a safetensors file, which follows its length in eight bytes, little-endian."""
    header: dict[str, Any] = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header


class Stopwatch:
    """Wall and CPU seconds of a trial, continued from its checkpoint.

    Args:
        seconds: Wall seconds spent so far.
        cpu_seconds: CPU seconds spent so far.
    """

    def __init__(self, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._began = time.monotonic() - seconds, time.process_time() - cpu_seconds

    def read(self) -> dict[str, float]:
        """Wall and CPU seconds since the trial began."""
        return {"seconds": time.monotonic() - self._began[0], "cpu_seconds": time.process_time() - self._began[1]}

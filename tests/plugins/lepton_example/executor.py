"""Worker processes, never more than one at once."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.execution.local import LocalExecutor


class SingleWorker(LocalExecutor):
    """A local executor that runs one trial after another, however many it may."""

    def __init__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> None:
        super().__init__(min(slots, 1), folder, threads, name=name)

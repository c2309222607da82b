"""The common settings of all contestants: the data and their split, the minutes, the training plan."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lepton_automl import families
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.store import load_spec
from lepton_automl.modalities.image.sources import read_idx
from lepton_automl.plans import TrainPlan
from lepton_automl.profile import Profile
from lepton_automl.specs import DataSpec

CHECKOUT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data") / "fashion_mnist"


def fashion(rows: int) -> tuple[Any, Any]:
    """The first training images of Fashion-MNIST, and their labels."""
    return read_idx(DATA / "train-images-idx3-ubyte.gz", 3)[:rows], read_idx(DATA / "train-labels-idx1-ubyte.gz", 1)[:rows]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run of one contestant.

    Args:
        folder: The folder for all its files.
        minutes: Wall-clock minutes from `began`.
        workers: Worker processes, one thread each.
        seed: Seed of the split and the trainings.
        rows: Number of training images.
        epochs: Epochs of a full training; 0 for the package's number without a time limit.
        began: Time in seconds since the epoch, before the first process was started.
    """

    folder: str
    minutes: float
    workers: int
    seed: int
    rows: int
    epochs: int
    began: float

    @classmethod
    def read(cls, folder: Path) -> Setting:
        return cls(**json.loads((folder / "setting.json").read_text()))

    def write(self) -> None:
        (self.path / "setting.json").write_text(json.dumps(asdict(self)))

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def deadline(self) -> float:
        return self.began + 60 * self.minutes

    def source(self) -> tuple[Any, Any]:
        """Images and labels."""
        return fashion(self.rows)

    def prepared(self) -> DataSpec:
        """The common data; the first process prepares them, the others wait."""
        folder = self.path / "data"
        with self.alone("data"):
            if not (folder / "spec.json").exists():
                prepare(self.source(), folder, DataOptions(name="fashion", seed=self.seed))
        return load_spec(folder)

    def plan(self, spec: DataSpec) -> TrainPlan:
        """The plan before hyperparameters are applied."""
        usual = families.usual_plan(spec)
        return usual.replace(epochs=self.epochs) if self.epochs else usual

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Let only one process at a time enter this context."""
        with open(self.path / f"{what}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def note(self, **entry: Any) -> None:
        """Append one line to the records: `ready`, `trained`, `failed`, each with the seconds since the start."""
        line = json.dumps({"seconds": round(time.time() - self.began, 2), **entry})
        with open(self.path / "notes.jsonl", "ab", buffering=0) as file:
            file.write(f"{line}\n".encode())  # atomic, as the file is opened for appending: workers share it

    def trained(self, accuracy: float, profile: Profile) -> None:
        """Record a full training: exported, scored, measured."""
        self.note(what="trained", accuracy=accuracy, ratio=profile.latency.ratio, latency_ms=profile.latency_ms)

    def notes(self) -> list[dict[str, Any]]:
        """All lines so far, except a line that a kill cut off."""
        path, entries = self.path / "notes.jsonl", []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return entries

"""The folder of one run: what a system gets, and what it returns."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.environments import versions
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.models.plain import INPUT, Bare

from .data import MODEL, Photos

COMPARED = 4  # photos on which the exported file is compared with the network
CHUNK = 64  # photos in one call when the file is scored


@dataclass(frozen=True)
class Run:
    """One run of a system.

    Args:
        folder: Its folder.
        source: The folder or archive of photos.
        seed: Seed of the split and of the training.
        minutes: How long it may train; 0 exports an untrained network, to time it.
        threads: Threads for training.
        max_latency_ms: What is wished of our model; 0 for nothing.
    """

    folder: str
    source: str
    seed: int
    minutes: float
    threads: int
    max_latency_ms: float = 0.0

    @classmethod
    def read(cls, folder: str) -> Run:
        """Read it in the system's process."""
        run = cls(**json.loads((Path(folder) / "run.json").read_text()))
        torch.set_num_threads(run.threads)
        torch.manual_seed(run.seed)
        return run

    @property
    def path(self) -> Path:
        return Path(self.folder)

    def photos(self) -> Photos:
        return Photos.read(Path(self.source))

    def shares(self, began: float) -> Iterator[float]:
        """Yield the share of the minutes that has passed since `began`, before each step, until they are up."""
        while self.minutes and (share := (time.perf_counter() - began) / (60 * self.minutes)) < 1:
            yield share

    def finish(self, network: nn.Module, test: Tensor, labels: Tensor, **found: Any) -> None:
        """Export a network, score the exported file, and write `result.json`.

        Args:
            network: Takes normalised photos [N, 3, side, side], and returns logits.
            test: The test photos in this form.
            labels: Their classes.
            **found: Further results.
        """
        network.eval()
        export(Bare(network), {INPUT: test[:COMPARED].contiguous()}, self.path / MODEL)
        model = OnnxModel(self.path / MODEL, self.threads)
        parts = torch.split(test, CHUNK) if self.minutes else ()
        answers = [model({INPUT: part.contiguous().numpy()}).argmax(1) for part in parts]
        self.write_result(np.concatenate([*answers, []]) == labels.numpy()[: len(test) if answers else 0], **found)

    def write_result(self, right: Any, **found: Any) -> None:
        """Write `result.json`: the accuracy in percent, its test photos, and further results."""
        result = {
            "accuracy": 100 * float(np.mean(right)) if len(right) else None,
            "test": len(right),
            **found,
            "versions": versions("numpy", "torch", "onnxruntime", "scikit-learn", "efficientnet-lite-pytorch"),
        }
        (self.path / "result.json").write_text(json.dumps(result))

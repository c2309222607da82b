"""`python -m benchmarks.photo_rivals.clock OUT NAME=FOLDER...`: time the files of several systems in one interleaved run.

One thread and one photo for each call of the network alone: neither decoding nor scaling of the photo counts, for any system.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.reference import reference_model
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.measuring.latency import baseline_latency, interleaved_benchmark

from .data import BUNDLE, MODEL

SECONDS = 3.0  # for each file


def call(folder: Path) -> Callable[[], object]:
    """A call of the network in a run's folder for one photo."""
    generator = np.random.default_rng(0)
    if (folder / BUNDLE).exists():
        predictor = Predictor(folder / BUNDLE)
        parts = predictor.preprocess.arrays([]).items()
        rows = {name: generator.integers(0, 256, (1, *part.shape[1:])).astype(part.dtype) for name, part in parts}
        return lambda: predictor.model(rows)
    model = OnnxModel(folder / MODEL)
    shape = [1, *model.session.get_inputs()[0].shape[1:]]
    photo = {model.input_names[0]: generator.standard_normal(shape, np.float32)}
    return lambda: model(photo)


def main(out: Path, folders: dict[str, Path]) -> None:
    """Write the latencies in ms, as CPU time of the thread on the quiet host, and by the wall clock."""
    reference = reference_model(1)
    calls = {name: call(folder) for name, folder in folders.items()}
    quiet = baseline_latency(reference).median
    timed = interleaved_benchmark(calls, reference, reference_ms=quiet, seconds=SECONDS)
    clocks = {"cpu_ms": {name: result.latency.median for name, result in timed.items()}}
    clocks["wall_ms"] = {name: result.wall.median for name, result in timed.items()}
    out.write_text(json.dumps(clocks))


if __name__ == "__main__":
    main(Path(sys.argv[1]), {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in sys.argv[2:])})

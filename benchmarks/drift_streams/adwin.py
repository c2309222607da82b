"""`python -m benchmarks.drift_streams.adwin FOLDER` runs ADWIN of river over sequences; in an environment that has river.

FOLDER has .npz files with `delta`, `late` [channels] and `values` [channels, N], where NaN is skipped. Each gets a .json file with the
rows of the alarms.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def detect(sequence: list[float], delta: float, late: int) -> list[int]:
    """The number of rows after which each alarm is raised."""
    from river.drift import ADWIN

    detector, rows = ADWIN(delta=delta), []
    for row, value in enumerate(sequence):
        if value == value:  # noqa: PLR0124  # NaN
            detector.update(value)
            if detector.drift_detected:
                rows.append(row + 1 + late)
    return rows


def main(folder: str) -> None:
    """Run over all sequences of all files; the level is divided among the sequences of a file."""
    for file in sorted(Path(folder).glob("*.npz")):
        with np.load(file) as content:
            values, late, delta = content["values"], content["late"], float(content["delta"])
        rows = [
            row
            for sequence, delay in zip(values.tolist(), late.tolist(), strict=True)
            for row in detect(sequence, delta / len(values), delay)
            if row <= values.shape[1]
        ]
        file.with_suffix(".json").write_text(json.dumps(sorted(rows)))


if __name__ == "__main__":
    main(sys.argv[1])

"""Sequences in a file, one a line: `{"values": [1, 2, 3], "target": 4}`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.splits import OPEN, TEST
from lepton_automl.data.store import EXAMPLES
from lepton_automl.errors import DataError
from lepton_automl.modality import Prepared, SplitRows

from .preprocess import VALUES, SequencePreprocess
from .spec import SequenceInput

TARGET = "target"


@contextmanager
def sequence_examples(source: Path, test: Path | None, options: Any) -> Iterator[SequenceExamples]:
    """The sequences of a file, and of another one that is kept apart."""
    yield SequenceExamples(_read(source), [] if test is None else _read(test), options)


class SequenceExamples:
    """Sequences with their targets."""

    target = TARGET
    most_classes = 20
    decimal = "."

    def __init__(self, rows: list[dict[str, Any]], sealed: list[dict[str, Any]], options: Any) -> None:
        both = rows + sealed
        self._values = [row[VALUES] for row in both]
        self._longest = options.of("modalities", "sequence").longest
        self.targets = np.array([row[TARGET] for row in both], object)
        self.roles = np.array([OPEN] * len(rows) + [TEST] * len(sealed), np.int8)
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def split_by(self, rows: Array) -> dict[str, Array]:
        """Nothing."""
        self._values = [self._values[row] for row in rows.tolist()]
        return {}

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Length and scale of the training sequences."""
        del folder
        learned = [self._values[row] for row in split.train.tolist()]
        numbers = np.concatenate([np.asarray(row, np.float64) for row in learned])
        length = self._longest or max(map(len, learned))
        preprocess = SequencePreprocess(length, float(numbers.mean()), float(numbers.std()) or 1.0, split.output)
        return Prepared(
            input=SequenceInput(length=length),
            preprocess=preprocess,
            arrays=preprocess.arrays(self._values),
            hashes=np.array([zlib.crc32(json.dumps(row).encode()) for row in self._values], np.uint64),
            examples=learned[:EXAMPLES],
        )


def _read(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not row.get(VALUES) or TARGET not in row:
            raise DataError(
                f"line {number} holds no values and target", where=str(path), fix='Write {"values": [1, 2], "target": 3}.'
            )
    return rows

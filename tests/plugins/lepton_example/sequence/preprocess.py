"""From sequences of unequal length to arrays. This file travels with every model: it needs NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import InputError

VALUES = "values"


class SequencePreprocess:
    """Sequences to `{"values": float32 [N, length], "mask": float32 [N, length]}`, padded in front.

    Args:
        length: Numbers that are read at most, the last ones.
        mean: Of all training numbers.
        scale: Their standard deviation.
        output: What the model answers.
    """

    request_columns = (VALUES,)

    def __init__(self, length: int, mean: float, scale: float, output: Json) -> None:
        self.length, self.mean, self.scale, self.output = length, mean, scale, output

    def to_json(self) -> Json:
        """The preprocessing as JSON."""
        own = {"modality": "sequence", "length": self.length, "mean": self.mean, "scale": self.scale}
        return {"input": own, "output": self.output}

    @classmethod
    def from_json(cls, data: Json) -> SequencePreprocess:
        """The preprocessing back."""
        own = data["input"]
        return cls(int(own["length"]), float(own["mean"]), float(own["scale"]), data["output"])

    def arrays(self, raw: Any) -> dict[str, Array]:
        """The scaled numbers, and ones where there is one."""
        rows = self._rows(raw)
        values, mask = (np.zeros((len(rows), self.length), np.float32) for _ in range(2))
        for number, row in enumerate(rows):
            last = row[-self.length :]
            values[number, self.length - len(last) :] = (last - self.mean) / self.scale
            mask[number, self.length - len(last) :] = 1
        return {"values": values, "mask": mask}

    def context(self, raw: Any) -> dict[str, Any]:
        """The last number of each sequence."""
        return {"last": np.array([row[-1] for row in self._rows(raw)], np.float64)}

    def is_single(self, raw: Any) -> bool:
        """Numbers, not a list of sequences."""
        return _is_sequence(raw)

    def read(self, source: str) -> Any:
        """A sequence as JSON, or a file with one a line."""
        if source.lstrip().startswith("["):
            return json.loads(source)
        path = Path(source)
        if not path.is_file():
            raise InputError(f"there is no file {source!r}; give numbers as [1, 2, 3], or a file with such a list in each line")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [line[VALUES] if isinstance(line, dict) else line for line in lines]

    def from_request(self, rows: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> Any:
        """The sequences of the column `values`."""
        del limits
        return [row[VALUES] for row in rows]

    def sample_request(self) -> dict[str, Any]:
        """Three numbers in the middle of all."""
        return {VALUES: [self.mean] * 3}

    def _rows(self, raw: Any) -> list[Array]:
        return [_numbers(row) for row in ([raw] if _is_sequence(raw) else raw)]


def _is_sequence(raw: Any) -> bool:
    return len(raw) > 0 and np.ndim(raw[0]) == 0


def _numbers(row: Any) -> Array:
    try:
        numbers = np.asarray(row, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"a sequence holds something that is no number: {error}") from error
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError("a sequence must hold one or more finite numbers")
    return numbers

"""ONNX's reference evaluator: slow, and right by definition."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.deployment.runtime import Source
from lepton_automl.errors import BundleError
from lepton_automl.variant import Variant


class ReferenceSession:
    """A model in NumPy."""

    any_rows = True

    def __init__(self, path: Path) -> None:
        from onnx.reference import ReferenceEvaluator

        try:
            self._model = ReferenceEvaluator(str(path))
        except Exception as error:
            raise BundleError(f"the reference evaluator cannot open this file: {error}", where=str(path)) from error

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The answer for some rows."""
        answer: NDArray[np.float32] = np.asarray(self._model.run(None, arrays)[0])
        return answer


class ReferenceRuntime:
    """Runs the float file in NumPy."""

    name = "reference"
    suffix = ".onnx"
    by_default = False
    preferred = False

    def missing(self) -> str:
        """Nothing."""
        return ""

    def variants(self, source: Source) -> list[Variant]:
        """The file as it is."""
        return [Variant(runtime=self.name)]

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """None."""
        return []

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """A copy."""
        shutil.copyfile(source.model, path)

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """It is Python."""
        return True

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> ReferenceSession:
        """The model."""
        return ReferenceSession(path)

"""Opens the ONNX file of a bundle in OpenVINO, or in ONNX Runtime where OpenVINO is not installed."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .external import unusual_operations
from .openvino_session import OpenVinoModel
from .session import OnnxModel


class OpenVinoLoader:
    """The loader of OpenVINO; see `open_artifact.ArtifactLoader`."""

    def __init__(self, variant: Mapping[str, Any]) -> None:
        self.precision = str(variant.get("precision", "fp32"))

    def operations(self, content: bytes) -> list[str]:
        """Control flow and custom operations."""
        return unusual_operations(content)

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> OpenVinoModel | OnnxModel:
        """Open the model; unless `strict`, ONNX Runtime opens the same file where OpenVINO is missing, after a warning."""
        if not strict and importlib.util.find_spec("openvino") is None:
            what = "This model is fastest in OpenVINO, which is not installed; ONNX Runtime is used instead. To install it: pip install openvino"
            warnings.warn(what, stacklevel=4)
            return OnnxModel(source, threads)
        return OpenVinoModel(source, threads, rows=rows, precision=self.precision)

"""Opens the ONNX file of a bundle in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .external import unusual_operations
from .session import OnnxModel


class OnnxLoader:
    """The loader of ONNX Runtime; see `open_artifact.ArtifactLoader`."""

    def __init__(self, variant: Mapping[str, Any]) -> None:
        self.level = str(dict(variant.get("options", {})).get("level", "all"))

    def operations(self, content: bytes) -> list[str]:
        """Control flow and custom operations."""
        return unusual_operations(content)

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> OnnxModel:
        """Open the model, for any number of rows."""
        del rows, strict
        return OnnxModel(source, threads, level=self.level)

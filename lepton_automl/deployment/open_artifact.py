"""Open a model's file in the runtime that was chosen for it."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .openvino_session import OpenVinoModel
from .session import OnnxModel

RUNTIME = "runtime.json"  # in a bundle: the runtime that its file was measured in, and that runtime's settings


class InferenceSession(Protocol):
    """An opened model."""

    @property
    def any_rows(self) -> bool:
        """Whether it takes any number of rows."""

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows, from one array for each input, all with the same first axis."""


def open_model(
    source: str | os.PathLike[str] | bytes, how: Mapping[str, Any], threads: int = 1, *, rows: int = 0, strict: bool = True
) -> InferenceSession:
    """Open an ONNX file, quantized or not.

    Args:
        source: The file, or its bytes.
        how: A `Variant` as JSON: the runtime, the precision, the options.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.
        strict: Whether only the named runtime may be used; else ONNX Runtime opens the same file where it is missing, after a
            warning.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    options = dict(how.get("options", {}))
    threads = min(threads, options.get("threads", threads))
    runtime = how.get("runtime", "onnxruntime")
    if runtime == "openvino" and not strict and importlib.util.find_spec("openvino") is None:
        what = "This model is fastest in OpenVINO, which is not installed; ONNX Runtime is used instead. To install it: pip install openvino"
        warnings.warn(what, stacklevel=2)
        runtime = "onnxruntime"
    if runtime not in ("onnxruntime", "openvino") and not strict:
        what = f"This model was measured in the runtime {runtime!r}, which no bundle contains; ONNX Runtime answers, at another speed."
        warnings.warn(what, stacklevel=2)
    if runtime == "openvino":
        return OpenVinoModel(source, threads, rows=rows, precision=str(how.get("precision", "fp32")))
    return OnnxModel(source, threads, level=str(options.get("level", "all")))


def open_bundle(folder: Path, threads: int = 1, *, rows: int = 0) -> InferenceSession:
    """Open a bundle's model file as it was measured, for calls of so many rows; the caller checks its digests.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    noted = folder / RUNTIME
    how = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    return open_model(folder / "model.onnx", how, threads, rows=rows)

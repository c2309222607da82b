"""An exported model, opened in OpenVINO."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import BundleError, ExtraError, in_one_line

from .external import refuse_external

PRECISION_HINTS = {"bf16": "bf16"}  # else float32; OpenVINO's default is bfloat16 wherever the processor supports it


class OpenVinoModel:
    """An ONNX file in OpenVINO, called like a function.

    A graph compiled for a fixed number of rows is 20 to 35 % faster than one for any number, so the usual number gets its own
    graph; one for any number is compiled when it is first needed.

    Args:
        source: The file, or its bytes.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.
        precision: `"fp32"`, `"bf16"`, or `"int8"` for a quantized file.

    Raises:
        BundleError: The file is missing or not a model.
        ExtraError: OpenVINO is not installed.
    """

    def __init__(
        self, source: str | os.PathLike[str] | bytes, threads: int = 1, *, rows: int = 0, precision: str = "fp32"
    ) -> None:
        core = _core()
        try:
            content = source if isinstance(source, bytes) else Path(source).read_bytes()
            refuse_external(content)
            self._model = core.read_model(content)
        except BundleError:
            raise
        except Exception as error:  # its exceptions have no common base
            origin = "a model in memory" if isinstance(source, bytes) else str(source)
            raise BundleError(f"OpenVINO cannot open this model: {in_one_line(error)}", where=origin) from error
        self.input_names = tuple(port.any_name for port in self._model.inputs)
        self._output_names = [port.any_name for port in self._model.outputs]  # a compiled graph may have other names for them
        self.any_rows = not any(port.partial_shape[0].is_static for port in self._model.inputs)
        self._core, self._rows = core, rows
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": "1",
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS.get(precision, "f32"),
            "ENABLE_CPU_PINNING": False,  # two workers would be pinned to the same core
        }
        if threads == 1:  # its kernels that fuse several small layers crash on one thread (2026.4), and save 5 % at most
            self._settings["SNIPPETS_MODE"] = "DISABLE"
        self._requests = {rows: self._compile(rows)}

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows.

        Args:
            arrays: One array for each input of the model, all with the same first axis; their types must be the model's.
        """
        answer: NDArray[np.float32] = self._infer(arrays)[0]
        return answer

    def outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs for some rows, by their names."""
        results = self._infer(arrays)
        return {name: results[at] for at, name in enumerate(self._output_names)}

    def _infer(self, arrays: dict[str, NDArray[Any]]) -> Any:
        count = len(arrays[self.input_names[0]])
        rows = count if count == self._rows else 0
        if rows not in self._requests:
            self._requests[rows] = self._compile(rows)
        return self._requests[rows].infer(arrays, share_inputs=True)

    def _compile(self, rows: int) -> Any:
        model = self._model.clone()
        if rows and self.any_rows:
            model.reshape({port.any_name: [rows, *port.partial_shape[1:]] for port in model.inputs})
        return self._core.compile_model(model, "CPU", self._settings).create_infer_request()


def _core() -> Any:
    disable_telemetry()
    try:
        import openvino
    except ImportError as error:
        fix = 'Install it: pip install "lepton-automl[openvino]", or pip install openvino.'
        raise ExtraError("OpenVINO is not installed", where="openvino", fix=fix) from error
    return openvino.Core()


def disable_telemetry() -> None:
    """Decline OpenVINO's and NNCF's telemetry, which would otherwise report to Intel over the network without consent."""
    try:
        from openvino_telemetry.utils.opt_in_checker import ConsentCheckResult, OptInChecker
    except ImportError:
        return
    OptInChecker.check = lambda *_, **__: ConsentCheckResult.DECLINED


def capabilities() -> list[str]:
    """The precisions that the processor supports, as OpenVINO reports them: `"FP32"`, `"INT8"`, `"BF16"` and more."""
    return list(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))

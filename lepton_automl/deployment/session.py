"""An exported model, opened in ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lepton_automl.errors import BundleError, in_one_line

from .external import refuse_external

onnxruntime.set_default_logger_severity(3)  # errors only: its warnings are notes on graph optimisation
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
}


class OnnxModel:
    """An ONNX file in ONNX Runtime, called like a function.

    Args:
        source: The file, or its bytes. Bytes have no folder beside them, so they must hold all of the model's data.
        threads: Threads that one call may use.
        level: How far the runtime may rewrite the graph, one of `LEVELS`: what speeds up large networks may slow down small ones.
        options: ONNX Runtime's session options; by default `session_options(threads, level)`.

    Raises:
        BundleError: The file is missing or not a model, or bytes refer to data in another file.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        threads: int = 1,
        level: str = "all",
        options: onnxruntime.SessionOptions | None = None,
    ) -> None:
        model = source if isinstance(source, bytes) else str(Path(source))
        if isinstance(source, bytes):
            refuse_external(source)
        try:
            session_settings = options or session_options(threads, level)
            self.session = onnxruntime.InferenceSession(model, session_settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common public base
            origin = "a model in memory" if isinstance(source, bytes) else str(source)
            raise BundleError(f"ONNX Runtime cannot open this model: {in_one_line(error)}", where=origin) from error
        self.input_names = tuple(port.name for port in self.session.get_inputs())
        self._output_names = [output.name for output in self.session.get_outputs()]  # passed, as looking them up costs 5 %

    @property
    def any_rows(self) -> bool:
        """Whether it takes any number of rows."""
        return not any(isinstance(port.shape[0], int) for port in self.session.get_inputs())

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows.

        Args:
            arrays: One array for each input of the model, all with the same first axis; their types must be the model's.
        """
        answer: NDArray[np.float32] = self.session.run(self._output_names, arrays)[0]
        return answer

    def outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs for some rows, by their names."""
        return dict(zip(self._output_names, self.session.run(self._output_names, arrays), strict=True))


def session_options(threads: int, level: str = "all") -> onnxruntime.SessionOptions:
    """Session options: graph optimisation up to a level, sequential execution, no spinning threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = LEVELS[level]
    # The format is fixed, not guessed: another one would bypass the check for external data.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Idle threads sleep: a spinning pool takes cores from concurrent training, and from the reference.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

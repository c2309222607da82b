"""The results of each tool used by hand, as documented: torch-pruning, ONNX Runtime and OpenVINO."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from lepton_automl.deployment.export import export
from lepton_automl.models.plain import INPUT, Bare

from .handmade import Rows

CALIBRATION = 300  # rows, NNCF's default
Array = NDArray[Any]
Call = Callable[[Array], Array]


@dataclass(frozen=True)
class Made:
    """A network prepared by hand.

    Args:
        name: The tools that were used.
        call: Maps rows [N, ...] to the network's output.
    """

    name: str
    call: Call


def portfolio(model: nn.Module, train: Rows, folder: Path, name: str) -> Iterator[Made]:
    """Yield a network in every runtime and precision; unsupported combinations are skipped."""
    path = folder / f"{name}.onnx"
    export(Bare(model.eval()), {INPUT: train[0][:64]}, path)
    rows = train[0][:CALIBRATION].numpy()
    ways: dict[str, Callable[[], Call]] = {
        "ONNX Runtime": lambda: _session(path),
        "ONNX Runtime int8": lambda: _session(_quantized(path, rows)),
        "OpenVINO": lambda: _compiled(path),
        "OpenVINO int8": lambda: _compiled(path, rows),
    }
    for way, make in ways.items():
        with contextlib.suppress(Exception):
            with contextlib.redirect_stdout(io.StringIO()):
                call = make()
            call(rows[:2])  # ONNX Runtime opens quantized ensembles but fails when they run
            yield Made(f"{name}, {way}", call)


def _session(path: Path) -> Call:
    """One thread, all optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def call(rows: Array) -> Array:
        answers: Array = session.run(None, {INPUT: rows})[0]
        return answers

    return call


class _Reader:
    """Calibration rows as an ONNX Runtime data reader."""

    def __init__(self, rows: Array) -> None:
        self.left = iter([{INPUT: rows[n : n + 50]} for n in range(0, len(rows), 50)])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.left, None)


def _quantized(path: Path, rows: Array) -> Path:
    """Quantize as in ONNX Runtime's guide: pre-processing, QDQ, unsigned activations, signed weights per channel."""
    prepared, quantized = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        quantized,
        _Reader(rows),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return quantized


def _compiled(path: Path, rows: Array | None = None) -> Call:
    """Compile with the latency hint and one thread; quantized by NNCF's `quantize` with its defaults if rows are given."""
    import nncf
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    if rows is not None:
        nncf.set_log_level(40)
        model = nncf.quantize(model, nncf.Dataset([rows[n : n + 1] for n in range(len(rows))]))
    request = core.compile_model(
        model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    ).create_infer_request()

    def call(rows: Array) -> Array:
        answers: Array = request.infer({INPUT: rows}, share_inputs=True)[0]
        return answers

    return call


def eager(model: nn.Module, *, last: bool = False) -> Call:
    """PyTorch in inference mode, optionally with channels last."""
    if last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload

    def call(rows: Array) -> Array:
        with torch.inference_mode():
            inputs = torch.from_numpy(rows)
            answers: Array = model(inputs.contiguous(memory_format=torch.channels_last) if last else inputs).numpy()
        return answers

    return call


def accuracy_of(call: Call, rows: Rows) -> float:
    """The share of correct predictions."""
    x, y = rows[0].numpy(), rows[1].numpy()
    answers = np.concatenate([call(x[n : n + 500]).argmax(1) for n in range(0, len(x), 500)])
    return float((answers == y).mean())

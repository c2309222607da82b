"""Post-training quantization to 8-bit integers, calibrated on real rows.

Every method writes an ordinary ONNX file with pairs of QuantizeLinear and DequantizeLinear (QDQ), which ONNX Runtime and
OpenVINO fuse alike (Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference, CVPR 2018). Settings are those that each tool's documentation recommends for x86 processors: unsigned
8-bit activations and signed 8-bit weights, weights per channel, on a graph with inferred shapes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lepton_automl.errors import BundleError, in_one_line
from lepton_automl.variant import Variant

from .openvino_session import disable_telemetry
from .session import OnnxModel

Rows = Mapping[str, NDArray[Any]]

CALIBRATION_ROWS = 256  # rows that calibrate the ranges
SENSITIVITY_ROWS = 64  # of these for the sensitivity of each layer: with fifty layers, all of them took half a minute
SINGLE_ROWS = 128  # of these for NNCF, which averages over calls and therefore gets them one by one
BATCH = 64  # rows per call of the other tools
# Never quantized: an encoder's error was ten times as large with a layer norm's scale and shift in 8 bits, and OpenVINO 2026.4
# returned uninitialised memory for that file.
FLOATS = ("LayerNormalization", "InstanceNormalization", "Softmax")
QUANTIZED = ("Conv", "Gemm", "MatMul")  # operations that are worth quantizing


class Quantizer:
    """Writes quantized files of one float file; costly steps are done once, when first needed.

    Args:
        model: The float file.
        rows: Training rows as the file's inputs; `CALIBRATION_ROWS` of them are used.

    Raises:
        BundleError: A file cannot be written.
    """

    def __init__(self, model: Path, rows: Rows) -> None:
        self.model = model
        self.rows = {name: array[:CALIBRATION_ROWS] for name, array in rows.items()}
        self._prepared: onnx.ModelProto | None = None
        self._ranges: Any = None

    def write(self, variant: Variant, path: Path) -> None:
        """Write the file of a quantized variant."""
        try:
            with _silent():
                onnx.save(self._quantized(variant), path)
        except Exception as error:  # these tools' exceptions have no common base
            what = f"quantization to {variant.name} failed: {in_one_line(error)}"
            raise BundleError(what, where="quantize", fix="The float file is unchanged; use it instead.") from error

    def sensitive(self, seven_bit: bool = False) -> list[str]:  # noqa: FBT001, FBT002  # as in `Variant.options`
        """The quantizable nodes, the most sensitive first.

        Each is quantized alone; its sensitivity is the mean change of the outputs for some calibration rows.
        """
        rows = {name: array[:SENSITIVITY_ROWS] for name, array in self.rows.items()}
        expected = OnnxModel(self.model)(rows)
        sensitivity = {}
        with _silent():
            for node in self.quantizable:
                alone = Variant(precision="int8", quantizer="onnxruntime", options={"seven_bit": seven_bit})
                kept = tuple(name for name in self.quantizable if name != node)
                model = OnnxModel(self._by_onnxruntime(alone.replace(floats=kept)).SerializeToString())
                sensitivity[node] = float(np.abs(model(rows) - expected).mean())
        return sorted(sensitivity, key=lambda node: -sensitivity[node])

    @property
    def quantizable(self) -> list[str]:
        """Names of the nodes that can be quantized."""
        graph, unfit = self._graph().graph, self._unfit()
        return [node.name for node in graph.node if node.op_type in QUANTIZED and node.name not in unfit]

    def _unfit(self) -> list[str]:
        """Products that stay in float32: those with a stack of matrices, as in an ensemble, which no kernel quantizes per
        channel; and those of two computed factors, as in attention, for which OpenVINO 2026.4 returns different outputs for a
        row alone and among others.
        """
        graph = self._graph().graph
        ranks = {weight.name: len(weight.dims) for weight in graph.initializer}
        products = [node for node in graph.node if node.op_type == "MatMul"]
        return [node.name for node in products if max(ranks.get(name, 0) for name in node.input) != 2]

    @property
    def linear(self) -> bool:
        """Whether it has matrix products and no convolutions, so that ranges can be computed in each call at little cost."""
        kinds = {node.op_type for node in self._graph().graph.node if node.op_type in QUANTIZED}
        return bool(kinds) and "Conv" not in kinds

    def _quantized(self, variant: Variant) -> onnx.ModelProto:
        if variant.precision == "int8-dynamic":
            return self._dynamic(variant)
        return self._by_nncf(variant) if variant.quantizer == "nncf" else self._by_onnxruntime(variant)

    def _graph(self) -> onnx.ModelProto:
        """The float graph with all shapes inferred, as quantizers need it."""
        if self._prepared is None:
            from onnxruntime.quantization.shape_inference import quant_pre_process

            with _silent(), tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "prepared.onnx"
                quant_pre_process(self.model, path, skip_symbolic_shape=True)
                self._prepared = onnx.load(path)
            _name_nodes(self._prepared)
        return self._prepared

    def _by_onnxruntime(self, variant: Variant) -> onnx.ModelProto:
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.registry import QDQRegistry

        graph = onnx.ModelProto()
        graph.CopyFrom(self._graph())  # the quantizer changes it in place
        kinds = [kind for kind in QDQRegistry if kind not in FLOATS]
        quantizer = QDQQuantizer(
            graph,
            per_channel=True,
            reduce_range=bool(variant.options.get("seven_bit")),
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self._calibrated(kinds),
            nodes_to_quantize=[],
            nodes_to_exclude=self._excluded(variant.floats),
            op_types_to_quantize=kinds,
            extra_options={},
        )
        quantizer.quantize_model()
        quantized: onnx.ModelProto = quantizer.model.model
        return quantized

    def _excluded(self, floats: Sequence[str]) -> list[str]:
        """Nodes that stay in float32: the named layers, the products of `_unfit`, and all nodes after the last quantized layer.

        These nodes, a softmax and a mean over members, cost next to nothing in float32. Quantized, they make the outputs less
        precise, and OpenVINO 2026.4 returned uninitialised memory.
        """
        graph, layers = self._graph().graph, set(self.quantizable) - set(floats)
        needed, tail = set[str](), []
        for node in reversed(graph.node):
            if node.name in layers or needed.intersection(node.output):
                needed.update(node.input)
            else:
                tail.append(node.name)
        return [*floats, *self._unfit(), *tail]

    def _calibrated(self, kinds: list[str]) -> Any:
        """The range of every tensor over the calibration rows."""
        if self._ranges is None:
            from onnxruntime.quantization.calibrate import TensorsData, create_calibrator

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "prepared.onnx"
                onnx.save(self._graph(), path)
                calibrator = create_calibrator(path, kinds, str(Path(folder) / "augmented.onnx"))
                calibrator.collect_data(_Reader(self.rows))
                self._ranges = calibrator.compute_data()
                assert isinstance(self._ranges, TensorsData)
                del calibrator  # it keeps the files open
        return self._ranges

    def _by_nncf(self, variant: Variant) -> onnx.ModelProto:
        disable_telemetry()
        import nncf

        kept_names = self._excluded(variant.floats)
        singles = [{name: array[n : n + 1] for name, array in self.rows.items()} for n in range(min(SINGLE_ROWS, self._count))]
        graph = onnx.ModelProto()
        graph.CopyFrom(self._graph())
        quantized: onnx.ModelProto = nncf.quantize(
            graph,
            nncf.Dataset(singles),
            subset_size=len(singles),
            ignored_scope=nncf.IgnoredScope(names=kept_names, validate=False) if kept_names else None,
        )
        return quantized

    def _dynamic(self, variant: Variant) -> onnx.ModelProto:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as folder:
            prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "made.onnx"
            onnx.save(self._graph(), prepared)
            quantize_dynamic(
                prepared,
                quantized,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=bool(variant.options.get("seven_bit")),
                nodes_to_exclude=self._excluded(variant.floats),
            )
            return onnx.load(quantized)

    @property
    def _count(self) -> int:
        return len(next(iter(self.rows.values())))


class _Reader:
    """The calibration rows in batches, in ONNX Runtime's interface."""

    def __init__(self, rows: Rows) -> None:
        count = len(next(iter(rows.values())))
        self._batches = iter([{name: array[n : n + BATCH] for name, array in rows.items()} for n in range(0, count, BATCH)])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def _name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name, as quantizers exclude nodes by name."""
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type.lower()}_{number}"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Suppress the tools' progress bars and warnings."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)

"""One way to run a network: in which runtime, in which precision, and how that is set."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from ._json import Value

RUNTIMES = ("onnxruntime", "openvino", "torch")
NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
# What computes: 32-bit floats; bfloat16; 8-bit whole numbers whose ranges were found on training rows, or with each call.
PRECISIONS = ("fp32", "bf16", "int8", "int8-dynamic")


def lacks(runtime: str) -> str:
    """What has to be installed before a runtime can be used, as pip knows it; empty where nothing has."""
    return "" if find_spec(runtime) else f"lepton-automl[{runtime}]"


@dataclass(frozen=True, kw_only=True)
class Variant(Value):
    """One way to run a network.

    Args:
        runtime: One of `RUNTIMES`.
        precision: One of `PRECISIONS`.
        quantizer: Whose tool made the whole numbers, `"onnxruntime"` or `"nncf"`; empty where nothing is quantized.
        floats: Nodes that stay in floats, as whole numbers would cost too much accuracy there.
        options: What else is set: `level` (ONNX Runtime's graph optimisation: `"all"`, `"extended"`, `"basic"`), `threads`
            where fewer are faster, `seven_bit` (weights of 7 bits, for processors whose 8-bit sums overflow), `compiled`
            (`torch.compile`).
    """

    runtime: str = "onnxruntime"
    precision: str = "fp32"
    quantizer: str = ""
    floats: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people: `"OpenVINO int8 by NNCF, 2 layers in floats"`."""
        maker = {"nncf": " by NNCF", "onnxruntime": " by ONNX Runtime"}.get(self.quantizer, "")
        told = [f"{NAMES[self.runtime]} {self.precision}{maker if NAMES[self.runtime] not in maker else ''}"]
        if self.floats:
            told.append(f"{len(self.floats)} layer{'s' * (len(self.floats) > 1)} in floats")
        words = {"level": "{} optimisations", "threads": "{} threads", "seven_bit": "7-bit weights", "compiled": "compiled"}
        told += [words[key].format(value) for key, value in self.options.items() if value]
        return ", ".join(told)

    def set(self, **options: Any) -> Variant:
        """The same with other options."""
        return self.replace(options={**self.options, **options})

"""A variant: the runtime, precision and settings in which a network is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import plugins
from ._json import Value

QUANTIZERS = {"nncf": "NNCF", "onnxruntime": "ONNX Runtime"}  # names to show
# The number formats: 32-bit floats; bfloat16; 8-bit integers with ranges calibrated on training rows, or computed in each call.
PRECISIONS = ("fp32", "bf16", "int8", "int8-dynamic")


@dataclass(frozen=True, kw_only=True)
class Variant(Value):
    """One way to run a network.

    Args:
        runtime: The name of a runtime (`plugins.names("runtimes")`).
        precision: One of `PRECISIONS`.
        quantizer: The tool that quantized, `"onnxruntime"` or `"nncf"`; empty if nothing is quantized.
        floats: Nodes that stay in floats, as quantization would cost too much accuracy there.
        options: Further settings: `level` (ONNX Runtime's graph optimisation: `"all"`, `"extended"`, `"basic"`), `threads`
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
        """The name to show: `"OpenVINO int8 by NNCF, 2 layers in floats"`."""
        maker = QUANTIZERS.get(self.quantizer, self.quantizer)
        known = plugins.is_known("runtimes", self.runtime)
        runtime = plugins.instance("runtimes", self.runtime).label if known else self.runtime
        parts = [f"{runtime} {self.precision}{f' by {maker}' if maker not in ('', runtime) else ''}"]
        if self.floats:
            parts.append(f"{len(self.floats)} layer{'s' * (len(self.floats) > 1)} in floats")
        words = {"level": "{} optimisations", "threads": "{} threads", "seven_bit": "7-bit weights", "compiled": "compiled"}
        parts += [words.get(key, f"{key} {{}}").format(value) for key, value in self.options.items() if value]
        return ", ".join(parts)

    def set(self, **options: Any) -> Variant:
        """The same with other options."""
        return self.replace(options={**self.options, **options})

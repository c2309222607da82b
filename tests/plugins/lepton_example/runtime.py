"""A runtime with a file format of its own: the network's operations as JSON beside its weights, run by NumPy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_automl.errors import BundleError
from lepton_automl.variant import Variant

if TYPE_CHECKING:
    from lepton_automl.deployment.runtime import Source

    from .numpy_loader import NumpySession


class ReferenceRuntime:
    """Runs the network in NumPy."""

    name = "reference"
    label = "NumPy"
    suffix = ".npz"
    by_default = False
    preferred = False
    packages = ()
    loader_modules = ("lepton_example.numpy_loader",)
    loader_class = "NumpyLoader"

    def missing(self) -> str:
        """Nothing."""
        return ""

    def variants(self, source: Source) -> list[Variant]:
        """Floats."""
        return [Variant(runtime=self.name)]

    def fallback_variants(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """None, as it has no int8."""
        return iter(())

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """None."""
        return []

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """The operations and the weights of the float file."""
        import numpy as np
        import onnx

        from .numpy_loader import OPERATIONS_OF, PROGRAM

        graph = onnx.load(source.model).graph
        weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in graph.initializer}
        steps = []
        for node in graph.node:
            attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            if node.op_type == "Constant":
                weights[node.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
                continue
            if node.op_type not in OPERATIONS_OF:
                raise BundleError(f"NumPy has no operation {node.op_type}", where=self.name)
            steps.append({"op": node.op_type, "attributes": attributes, "inputs": [*node.input], "output": node.output[0]})
        program = json.dumps({"steps": steps, "outputs": [output.name for output in graph.output]})
        with path.open("wb") as file:
            np.savez(file, **{PROGRAM: np.frombuffer(program.encode(), np.uint8)}, **weights)

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """It is Python."""
        return True

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> NumpySession:
        """The program."""
        from .numpy_loader import NumpyLoader

        return NumpyLoader(variant.to_json()).open(path, threads, rows=rows)

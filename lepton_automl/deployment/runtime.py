"""Runtimes run networks on the deployment's device: the protocol and our own ones. Measurements choose among them.

Runtimes are plug-ins of the kind `"runtimes"`.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from lepton_automl import plugins
from lepton_automl.errors import ExtraError, one_of
from lepton_automl.variant import Variant

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .open_artifact import InferenceSession
    from .quantize import Quantizer

SLOW_QUANTIZER = "nncf"  # its files are as fast as those of ONNX Runtime's own tool, and take four times as long to make
_HERE = "lepton_automl.deployment"
FLOATS = (1, 2, 4, 8)  # numbers of layers left in float32, tried in turn


@dataclass(frozen=True)
class Source:
    """A network to run.

    Args:
        module: Called as `module(**inputs)` in evaluation mode; returns the output.
        model: The same as a float ONNX file; for several programs, the folder of their files.
        inputs: A few hundred training rows by argument name; quantization is calibrated on them.
    """

    module: nn.Module
    model: Path
    inputs: dict[str, Tensor]

    @cached_property
    def quantizer(self) -> Quantizer:
        """Writes quantized files of it."""
        from .quantize import Quantizer

        return Quantizer(self.model, {name: rows.cpu().numpy() for name, rows in self.inputs.items()})

    @cached_property
    def programs(self) -> dict[str, Source]:
        """The programs of a network that has several, with the inputs of the loop's calls; else empty."""
        from .program_network import as_programs
        from .programs import ONNX, recorded_inputs

        network = as_programs(self.module)
        if network is None:
            return {}
        recorded = recorded_inputs(network, self.inputs)
        return {name: Source(part, self.model / f"{name}{ONNX}", recorded[name]) for name, part in network.programs.items()}


class Runtime(Protocol):
    """Runs networks. Its contract is tested by `lepton_automl.testing.runtime`.

    Attributes:
        name: Its name in `Deployment(runtimes=...)`.
        label: Its display name.
        suffix: The suffix of its files; runtimes with the same suffix share files. A bundle's model is `model` with the suffix.
        by_default: Whether it is used where a deployment names no runtimes.
        preferred: Whether it is chosen over others that are equally fast: its package is installed with every bundle.
        packages: What a bundle needs besides NumPy to open its files, as requirements for pip.
        loader_modules: The modules that a bundle ships, in the order of their imports; they need only NumPy and `packages`.
        loader_class: The class among them that opens its files, an `open_artifact.ArtifactLoader`.
    """

    name: str
    label: str
    suffix: str
    by_default: bool
    preferred: bool
    packages: tuple[str, ...]
    loader_modules: tuple[str, ...]
    loader_class: str

    def missing(self) -> str:
        """What must be installed first, as an argument of `pip install`; empty if nothing must be."""

    def variants(self, source: Source) -> list[Variant]:
        """The variants that are worth trying on this machine."""

    def fallback_variants(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """Variants to try in turn where an int8 variant is faster but loses too much of the score.

        Args:
            variant: The int8 variant, of this runtime.
            source: The network.
        """

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """The variant with other settings that are worth trying; they run the same file.

        Args:
            variant: The fastest variant, of this runtime.
            threads: Threads that one call may use.
        """

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """Write the file of a variant.

        Raises:
            BundleError: It cannot be written.
        """

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """Whether a process that opens such a file survives; a runtime that is not known to crash need not try."""

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> InferenceSession:
        """Open such a file.

        Args:
            path: The file.
            variant: The variant that it was written in.
            threads: Threads that one call may use.
            rows: The usual number of rows in a call; 0 where there is none.

        Raises:
            BundleError: It cannot be opened.
        """


class _Onnx:
    """The base class of the runtimes that read ONNX files."""

    name, suffix = "", ".onnx"
    by_default, preferred = True, False
    packages: tuple[str, ...] = ("onnxruntime>=1.20",)  # the same bound as this package's

    def missing(self) -> str:
        return ""

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        return _fewer_threads(variant, threads)

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        del path, variant, threads, rows
        return True

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        if variant.quantizer:
            source.quantizer.write(variant, path)
        else:
            shutil.copyfile(source.model, path)

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> InferenceSession:
        from .open_artifact import open_model

        return open_model(path, variant.to_json(), threads, rows=rows)

    def fallback_variants(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """With another quantizer, whose ranges differ; with 7-bit weights; with the most sensitive layers in float32."""
        if importlib.util.find_spec(SLOW_QUANTIZER):
            yield variant.replace(quantizer=SLOW_QUANTIZER)
        yield variant.set(seven_bit=True)
        sensitive_layers = source.quantizer.sensitive()
        for count in FLOATS:
            if count < len(sensitive_layers):
                yield variant.replace(floats=tuple(sensitive_layers[:count]))

    def _static(self) -> Variant:
        """The int8 variant with calibrated ranges."""
        return Variant(runtime=self.name, precision="int8", quantizer="onnxruntime")


class OnnxRuntime(_Onnx):
    """ONNX Runtime, which is always installed."""

    name, label = "onnxruntime", "ONNX Runtime"
    preferred = True
    loader_modules = (f"{_HERE}.external", f"{_HERE}.session", f"{_HERE}.onnx_loader")
    loader_class = "OnnxLoader"

    def variants(self, source: Source) -> list[Variant]:
        """Float32, int8, and, for networks of matrix products, int8 with ranges that are computed in each call."""
        dynamic = Variant(runtime=self.name, precision="int8-dynamic", quantizer=self.name)
        return [Variant(runtime=self.name), self._static(), *([dynamic] if source.quantizer.linear else [])]

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """With less graph optimisation, which helps some small networks; with fewer threads."""
        from .session import LEVELS

        return [*(variant.set(level=level) for level in LEVELS if level != "all"), *_fewer_threads(variant, threads)]


class OpenVino(_Onnx):
    """OpenVINO, which is an extra."""

    name, label = "openvino", "OpenVINO"
    packages = (*_Onnx.packages, "openvino>=2025.0")
    loader_modules = (f"{_HERE}.external", f"{_HERE}.session", f"{_HERE}.openvino_session", f"{_HERE}.openvino_loader")
    loader_class = "OpenVinoLoader"

    def missing(self) -> str:
        """OpenVINO itself; NNCF is optional, as OpenVINO runs the files of ONNX Runtime's quantizer, too."""
        return "" if importlib.util.find_spec("openvino") else "lepton-automl[openvino]"

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """Tried in a separate process, as a crash of OpenVINO would end a notebook's kernel."""
        return opens_safely(path, variant, threads=threads, rows=rows)

    def variants(self, source: Source) -> list[Variant]:
        """Float32, bfloat16 where the processor supports it, and int8."""
        from .openvino_session import capabilities

        del source
        bf16 = [Variant(runtime=self.name, precision="bf16")] if "BF16" in capabilities() else []
        return [Variant(runtime=self.name), *bf16, self._static()]


class Torch:
    """PyTorch on the deployment's device."""

    name, label, suffix = "torch", "PyTorch", ".pt2"
    by_default, preferred = False, False  # it was never the fastest on a CPU, and takes a minute to compile
    packages = ("torch>=2.6",)
    loader_modules = (f"{_HERE}.eager",)
    loader_class = "TorchLoader"

    def missing(self) -> str:
        """Nothing: this package requires it."""
        return ""

    def variants(self, source: Source) -> list[Variant]:
        """Uncompiled and compiled."""
        del source
        return [Variant(runtime=self.name), Variant(runtime=self.name, options={"compiled": True})]

    def fallback_variants(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """None, as it has no int8 variants."""
        del variant, source
        return iter(())

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """None."""
        del variant, threads
        return []

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """Write the module as a `torch.export` program."""
        from .eager import write_program

        del variant
        write_program(source.module, source.inputs, path)

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> InferenceSession:
        """Open the program."""
        from .eager import open_program

        del rows
        return open_program(path, threads, compiled=bool(variant.options.get("compiled")))

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """True: it is not known to crash."""
        del path, variant, threads, rows
        return True


def _fewer_threads(variant: Variant, threads: int) -> list[Variant]:
    """With fewer threads, by powers of two: 8 threads may be slower than 4, 2 or 1."""
    return [variant.set(threads=count) for count in (1, 2, 4, 8, 16, 32) if count < threads]


def opens_safely(path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
    """Whether a process that opens an ONNX file survives, tried in a separate process; takes half a second."""
    command = [sys.executable, "-c", _OPENS, json.dumps(variant.to_json()), str(path), str(threads), str(rows)]
    return subprocess.run(command, capture_output=True, check=False).returncode >= 0  # negative: a signal ended it


_OPENS = """
import json, sys
from lepton_automl.deployment.open_artifact import open_model
_, variant, path, threads, rows = sys.argv
open_model(path, json.loads(variant), int(threads), rows=int(rows))
"""


def runtimes_for(names: Iterable[str]) -> list[Runtime]:
    """The runtimes of a deployment.

    Args:
        names: As in `Deployment.runtimes`; empty stands for all installed runtimes that are used by default.

    Raises:
        ExtraError: A named runtime is not installed.
    """
    if not (required := list(names)):
        runtimes = [get_runtime(name) for name in plugins.names("runtimes")]
        return [runtime for runtime in runtimes if runtime.by_default and not runtime.missing()]
    for name in required:
        if missing := get_runtime(name).missing():
            raise ExtraError(f"the runtime {name!r} is not installed", where="runtimes", fix=f'pip install "{missing}"')
    return [get_runtime(name) for name in required]


def get_runtime(name: str) -> Runtime:
    """A runtime by its name.

    Raises:
        ExtraError: There is no runtime with that name, or its package cannot be imported.
    """
    if not plugins.is_known("runtimes", name):
        raise ExtraError(f"there is no runtime {name!r}", where="runtimes", fix=one_of(name, plugins.names("runtimes")))
    return cast("Runtime", plugins.instance("runtimes", name))

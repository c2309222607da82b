"""What can run a network on the deployment's device: a protocol and our runtimes. Measuring chooses among them.

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
        model: The same as a float ONNX file; of several programs, the folder of their files.
        inputs: Training rows by argument name, some hundreds; quantization is calibrated on them.
    """

    module: nn.Module
    model: Path
    inputs: dict[str, Tensor]

    @cached_property
    def quantizer(self) -> Quantizer:
        """Makes quantized files of it."""
        from .quantize import Quantizer

        return Quantizer(self.model, {name: rows.cpu().numpy() for name, rows in self.inputs.items()})

    @cached_property
    def programs(self) -> dict[str, Source]:
        """The programs of a network that has several, with what the loop calls them with; none of a network that is one file."""
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
        name: What it is chosen by, in `Deployment(runtimes=...)`.
        label: Its name for people.
        suffix: The ending of its files; runtimes with the same ending share files. A bundle's model is `model` with it.
        by_default: Whether it is used where a deployment names no runtimes.
        preferred: Whether it wins over others that are equally fast: what runs its files is installed with every bundle.
        packages: What a bundle needs besides NumPy to open its files, as pip names it with bounds.
        loader_modules: The modules that a bundle ships, in the order of their imports; they need NumPy and `packages` alone.
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
        """What has to be installed first, as an argument of `pip install`; empty where nothing has."""

    def variants(self, source: Source) -> list[Variant]:
        """The variants that are worth trying on this machine."""

    def milder(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """What is worth trying, in turn, where an int8 variant is faster and loses too much of the score.

        Args:
            variant: The int8 one, of this runtime.
            source: The network.
        """

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """The fastest variant with other settings that are worth trying; they run the same file.

        Args:
            variant: One of this runtime.
            threads: Threads that one call may use.
        """

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """Write the file of a variant.

        Raises:
            BundleError: It cannot be made.
        """

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """Whether a process that opens such a file survives; a runtime that was never seen to crash need not try."""

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> InferenceSession:
        """Open such a file.

        Args:
            path: The file.
            variant: As it was written.
            threads: Threads that one call may use.
            rows: The usual number of rows in a call; 0 where there is none.

        Raises:
            BundleError: It cannot be opened.
        """


class _Onnx:
    """What both runtimes share that read ONNX files."""

    name, suffix = "", ".onnx"
    by_default, preferred = True, False
    packages: tuple[str, ...] = ("onnxruntime>=1.20",)  # by the same bounds as this package

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

    def milder(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """By another quantizer, whose ranges differ; with 7-bit weights; with the layers that suffer most in floats."""
        if importlib.util.find_spec(SLOW_QUANTIZER):
            yield variant.replace(quantizer=SLOW_QUANTIZER)
        yield variant.set(seven_bit=True)
        harmed = source.quantizer.sensitive()
        for count in FLOATS:
            if count < len(harmed):
                yield variant.replace(floats=tuple(harmed[:count]))

    def _static(self) -> Variant:
        """Integers with calibrated ranges."""
        return Variant(runtime=self.name, precision="int8", quantizer="onnxruntime")


class OnnxRuntime(_Onnx):
    """ONNX Runtime, which is always installed."""

    name, label = "onnxruntime", "ONNX Runtime"
    preferred = True
    loader_modules = (f"{_HERE}.external", f"{_HERE}.session", f"{_HERE}.onnx_loader")
    loader_class = "OnnxLoader"

    def variants(self, source: Source) -> list[Variant]:
        """Floats, integers, and for networks of matrices integers with ranges computed in each call."""
        dynamic = Variant(runtime=self.name, precision="int8-dynamic", quantizer=self.name)
        return [Variant(runtime=self.name), self._static(), *([dynamic] if source.quantizer.linear else [])]

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """Less graph optimisation, which helps some small networks, and fewer threads."""
        from .session import LEVELS

        return [*(variant.set(level=level) for level in LEVELS if level != "all"), *_fewer_threads(variant, threads)]


class OpenVino(_Onnx):
    """OpenVINO, an extra."""

    name, label = "openvino", "OpenVINO"
    packages = (*_Onnx.packages, "openvino>=2025.0")
    loader_modules = (f"{_HERE}.external", f"{_HERE}.session", f"{_HERE}.openvino_session", f"{_HERE}.openvino_loader")
    loader_class = "OpenVinoLoader"

    def missing(self) -> str:
        """OpenVINO itself; without NNCF it runs what ONNX Runtime's tool has quantized."""
        return "" if importlib.util.find_spec("openvino") else "lepton-automl[openvino]"

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """Tried in a process of its own: a crash of OpenVINO would end a notebook's kernel."""
        return opens_safely(path, variant, threads=threads, rows=rows)

    def variants(self, source: Source) -> list[Variant]:
        """Floats, bfloat16 where the processor supports it, and integers."""
        from .openvino_session import capabilities

        del source
        short = [Variant(runtime=self.name, precision="bf16")] if "BF16" in capabilities() else []
        return [Variant(runtime=self.name), *short, self._static()]


class Torch:
    """PyTorch on the target itself."""

    name, label, suffix = "torch", "PyTorch", ".pt2"
    by_default, preferred = False, False  # it was never the fastest on a CPU, and takes a minute to compile
    packages = ("torch>=2.6",)
    loader_modules = (f"{_HERE}.eager",)
    loader_class = "TorchLoader"

    def missing(self) -> str:
        """Nothing: the package is built on it."""
        return ""

    def variants(self, source: Source) -> list[Variant]:
        """As it is, and compiled."""
        del source
        return [Variant(runtime=self.name), Variant(runtime=self.name, options={"compiled": True})]

    def milder(self, variant: Variant, source: Source) -> Iterator[Variant]:
        """None, as it has no int8."""
        del variant, source
        return iter(())

    def settings(self, variant: Variant, threads: int) -> list[Variant]:
        """None."""
        del variant, threads
        return []

    def write(self, variant: Variant, source: Source, path: Path) -> None:
        """The module as a program."""
        from .eager import write_program

        del variant
        write_program(source.module, source.inputs, path)

    def open(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> InferenceSession:
        """The program."""
        from .eager import open_program

        del rows
        return open_program(path, threads, compiled=bool(variant.options.get("compiled")))

    def opens_safely(self, path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
        """It was never seen to crash."""
        del path, variant, threads, rows
        return True


def _fewer_threads(variant: Variant, threads: int) -> list[Variant]:
    """Halves: 8 threads may be slower than 4, 2 or 1."""
    return [variant.set(threads=count) for count in (1, 2, 4, 8, 16, 32) if count < threads]


def opens_safely(path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
    """Whether a process that opens an ONNX file survives, tried in a process of its own; takes half a second."""
    command = [sys.executable, "-c", _OPENS, json.dumps(variant.to_json()), str(path), str(threads), str(rows)]
    return subprocess.run(command, capture_output=True, check=False).returncode >= 0  # below 0, a signal ended it


_OPENS = """
import json, sys
from lepton_automl.deployment.open_artifact import open_model
_, how, path, threads, rows = sys.argv
open_model(path, json.loads(how), int(threads), rows=int(rows))
"""


def runtimes_for(names: Iterable[str]) -> list[Runtime]:
    """The runtimes of a deployment.

    Args:
        names: As `Deployment.runtimes` has them; none stands for all that are used by default and installed.

    Raises:
        ExtraError: One that was named is not installed.
    """
    if not (named := list(names)):
        every = [get_runtime(name) for name in plugins.names("runtimes")]
        return [runtime for runtime in every if runtime.by_default and not runtime.missing()]
    for name in named:
        if missing := get_runtime(name).missing():
            raise ExtraError(f"the runtime {name!r} is not installed", where="runtimes", fix=f'pip install "{missing}"')
    return [get_runtime(name) for name in named]


def get_runtime(name: str) -> Runtime:
    """A runtime by its name.

    Raises:
        ExtraError: There is none of that name, or its package cannot be imported.
    """
    if not plugins.is_known("runtimes", name):
        raise ExtraError(f"there is no runtime {name!r}", where="runtimes", fix=one_of(name, plugins.names("runtimes")))
    return cast("Runtime", plugins.instance("runtimes", name))

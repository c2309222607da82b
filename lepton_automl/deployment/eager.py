"""A network in PyTorch itself, as a file without pickle: the baseline for every other runtime."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lepton_automl.errors import BundleError, in_one_line

ANSWER = "answer"  # the name of a network's one output


def write_program(module: nn.Module, inputs: Mapping[str, Tensor], path: Path) -> None:
    """Write a module as a `torch.export` program, with its weights and without the rows that it was traced with.

    Args:
        module: Called as `module(**inputs)`.
        inputs: Two rows or more by argument name.
        path: Where to write.

    Raises:
        BundleError: `torch.export` cannot follow the module.
    """
    rows = {name: tensor[torch.arange(2) % len(tensor)].clone() for name, tensor in inputs.items()}
    batch = torch.export.Dim("batch")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warnings about weights that share memory
            program = torch.export.export(module, (), rows, dynamic_shapes={name: {0: batch} for name in rows})
            program.example_inputs = None  # nothing else in the file would be pickled
            torch.export.save(program, path)
    except Exception as error:
        what = f"torch.export cannot write {type(module).__name__}: {in_one_line(error)}"
        raise BundleError(what, where="torch", fix="Remove 'torch' from runtimes.") from error


class TorchModel:
    """A module in evaluation mode, called like a function.

    Args:
        module: Called as `module(**inputs)`; returns the output.
        threads: Threads that one call may use; torch's setting for the process is restored after each call.
        compiled: Whether to use `torch.compile`, which takes most of a minute at the first call.
    """

    any_rows = True

    def __init__(self, module: Any, threads: int, *, compiled: bool = False) -> None:
        self._module = torch.compile(module) if compiled else module
        self._threads = threads

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows."""
        return next(iter(self.outputs(arrays).values()))

    def outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs for some rows, by their names."""
        before = torch.get_num_threads()
        if before != self._threads:
            torch.set_num_threads(self._threads)
        try:
            return self._outputs(arrays)
        finally:
            if before != self._threads:
                torch.set_num_threads(before)

    def _outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            # Copies: a forward pass may work in place, and the rows belong to the caller.
            answer = self._module(**{name: torch.tensor(array) for name, array in arrays.items()})
        named = answer if isinstance(answer, dict) else {ANSWER: answer}
        return {name: _wide(output).numpy() for name, output in named.items()}


def _wide(output: Tensor) -> Tensor:
    return output.float() if output.dtype in (torch.bfloat16, torch.float16) else output


def open_program(path: str | os.PathLike[str] | bytes, threads: int = 1, *, compiled: bool = False) -> TorchModel:
    """Open what `write_program` wrote; nothing in it is unpickled.

    Args:
        path: The file, or its bytes.
        threads: Threads that one call may use.
        compiled: Whether to use `torch.compile`.

    Raises:
        BundleError: It is not a `torch.export` program, or part of it is pickled.
    """
    origin = "a model in memory" if isinstance(path, bytes) else str(path)
    try:
        with zipfile.ZipFile(io.BytesIO(path) if isinstance(path, bytes) else path) as archive:
            pickled = [
                file.filename for file in archive.infolist() if file.filename.endswith((".pt", ".pkl")) and file.file_size
            ]
        if pickled:
            raise BundleError(f"{pickled[0]} in it is pickled and could run any code", where=origin, fix="Export it again.")
        program = torch.export.load(io.BytesIO(path) if isinstance(path, bytes) else path)
        return TorchModel(program.module(), threads, compiled=compiled)
    except BundleError:
        raise
    except Exception as error:
        raise BundleError(f"torch cannot open this program: {in_one_line(error)}", where=origin) from error


class TorchLoader:
    """The loader of PyTorch; see `open_artifact.ArtifactLoader`."""

    def __init__(self, variant: Mapping[str, Any]) -> None:
        self.compiled = bool(dict(variant.get("options", {})).get("compiled"))

    def operations(self, content: bytes) -> list[str]:
        """None: a `torch.export` program is plain arithmetic, and a file with pickled parts is refused."""
        del content
        return []

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> TorchModel:
        """Open the program."""
        del rows, strict
        return open_program(source, threads, compiled=self.compiled)

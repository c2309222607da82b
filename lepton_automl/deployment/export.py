"""Export to ONNX: with our own fast exporter for common layers, with torch's slow one for everything else."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lepton_automl.errors import BundleError, in_one_line

from .eager import ANSWER
from .numpy_use import numpy_use
from .preserve_state import eval_mode, preserve_state
from .session import OnnxModel
from .terms import UnsupportedOperation
from .trace import trace
from .traceable_len import traceable_len
from .translate import translate
from .untraceable_parts import untraceable_parts
from .verify import ROWS, ExpectedAnswers, compare, expected_answers, is_nondeterministic, nondeterministic_error

DATA_DEPENDENT = "its forward pass branches on values that are computed from the rows"
USES_NUMPY = "its forward pass computes with NumPy ({}), which cannot be traced"
TENSORS_ONLY_FIX = "Use only tensor operations in its forward pass, or move the part that fails out of it."


def export(
    module: nn.Module,
    inputs: dict[str, Tensor],
    path: str | os.PathLike[str],
    *,
    rows: int = ROWS,
    alone: int | None = None,
) -> OnnxModel:
    """Write a module as one ONNX file with a batch axis of any size, and check that its outputs match the module's.

    A module of common layers is traced by `torch.fx` and translated here, in a few hundredths of a second. Any other module
    (control flow that depends on values, rare operations), or one whose file has different outputs, is exported by
    `torch.onnx.export`, which takes seconds, after a warning; that file is compared in the same way.

    Args:
        module: Called as `module(**inputs)`; returns one tensor with the rows in its first axis. It is exported in evaluation
            mode, and left unchanged.
        inputs: One or more example rows by argument name; the file's inputs have these names, its output is `"answer"`.
        path: Where to write; the folder must exist. The file contains its weights.
        rows: How many of the rows to compare the file on, in one call and one by one.
        alone: How many of these to run through the module one by one; all by default.

    Returns:
        The opened file, for one thread: opening it again takes some milliseconds.

    Raises:
        BundleError: Neither exporter supports the module, or it has no well-defined output (see `verify.expected_answers`).
    """
    return _export(module, inputs, Path(path), {ANSWER: module}, rows=rows, alone=alone)


def export_outputs(
    module: nn.Module, inputs: dict[str, Tensor], path: Path, *, rows: int = ROWS, alone: int | None = None
) -> OnnxModel:
    """As `export`, for a module that returns a dict of tensors: the file's outputs have the names in the dict.

    Raises:
        BundleError: As for `export`; or an output has the name of an input, which would be ambiguous in the file.
    """
    with preserve_state(module), eval_mode(module), torch.inference_mode():
        names = list(module(**{name: example[:1].clone() for name, example in inputs.items()}))
    if clashes := sorted({*names} & {*inputs}):
        what = f"{type(module).__name__} has an input and an output of the name {clashes[0]!r}"
        raise BundleError(what, where="export", fix=f"Rename the output, such as 'next_{clashes[0]}'.")
    return _export(module, inputs, path, {name: _Output(module, name) for name in names}, rows=rows, alone=alone)


class _Output(nn.Module):
    """One output of a module that returns several."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module, self.name = module, name

    def forward(self, **rows: Tensor) -> Tensor:
        output: Tensor = self.module(**rows)[self.name]
        return output


def _export(
    module: nn.Module, inputs: dict[str, Tensor], file: Path, outputs: dict[str, nn.Module], *, rows: int, alone: int | None
) -> OnnxModel:
    """Write a module with named outputs; `outputs` has a module for each that returns this output alone."""
    expected = {name: expected_answers(part, inputs, rows=rows, alone=alone) for name, part in outputs.items()}
    name = next(iter(expected.values())).name
    try:
        with preserve_state(module), eval_mode(module), traceable_len(module):
            translate(trace(module, inputs), inputs, file)
        model = _open_and_compare(file, expected)
    except Exception as reason:  # whatever the failure, the other exporter may support the module
        _warn(name, reason)
        with preserve_state(module), eval_mode(module), traceable_len(module):
            _export_by_torch(module, inputs, file, name, list(outputs))
        return _open_or_explain(outputs, expected, file)
    return model


def _open_and_compare(file: Path, expected: dict[str, ExpectedAnswers]) -> OnnxModel:
    """Open the file and compare its outputs."""
    model = OnnxModel(file)
    for name, answers in expected.items():
        compare(answers, lambda arrays, name=name: model.outputs(arrays)[name])  # type: ignore[misc]  # mypy cannot infer a lambda's default
    return model


def _open_or_explain(outputs: dict[str, nn.Module], expected: dict[str, ExpectedAnswers], file: Path) -> OnnxModel:
    try:
        model = _open_and_compare(file, expected)
    except Exception as error:  # a runtime may refuse torch's file; its exceptions have no common base
        file.unlink(missing_ok=True)
        name, module, answers = next((answers.name, outputs[key], answers) for key, answers in expected.items())
        if any(is_nondeterministic(outputs[key], answers) for key, answers in expected.items()):
            raise nondeterministic_error(name) from error
        rows = {name: torch.from_numpy(array) for name, array in answers.rows.items()}
        with preserve_state(module), eval_mode(module):
            numpy = numpy_use(module, rows)
        reason = USES_NUMPY.format(numpy) if numpy else in_one_line(error)
        raise BundleError(
            f"{name} cannot be exported to ONNX: {reason}{untraceable_parts(module)}",
            where="export",
            fix=TENSORS_ONLY_FIX,
        ) from error
    return model


def _warn(name: str, reason: Exception) -> None:
    if isinstance(reason, BundleError):
        what = f"The quick exporter's file of {name} is wrong ({in_one_line(reason)})"
    else:
        detail = str(reason) if isinstance(reason, UnsupportedOperation) else in_one_line(reason)
        what = f"The quick exporter does not support {detail} in {name}"
    warnings.warn(f"{what}; using torch.onnx.export, which takes seconds.", stacklevel=3)


class _Positional(nn.Module):
    """Takes positional arguments, which torch's exporter names most reliably."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *rows: Tensor) -> Any:
        return self.module(**dict(zip(self.names, rows, strict=True)))


@contextmanager
def _silent() -> Iterator[None]:
    """Suppress the exporter's output: remarks on missing packages, and long reports before it fails."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)


def _export_by_torch(module: nn.Module, inputs: dict[str, Tensor], path: Path, name: str, outputs: list[str]) -> None:
    # A single example row would fix the batch axis to one.
    rows = tuple(tensor[torch.arange(2, device=tensor.device) % len(tensor)] for tensor in inputs.values())
    batch = torch.export.Dim("batch")
    try:
        with _silent():
            torch.onnx.export(
                _Positional(module, tuple(inputs)).eval(),
                rows,
                path,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes=(tuple({0: batch} for _ in rows),),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        numpy = numpy_use(module, inputs)
        reason = USES_NUMPY.format(numpy) if numpy else DATA_DEPENDENT if "data-dependent" in str(error) else in_one_line(error)
        raise BundleError(
            f"{name} cannot be exported to ONNX: {reason}{untraceable_parts(module)}", where="export", fix=TENSORS_ONLY_FIX
        ) from error
    if not OnnxModel(path).any_rows:  # as a last resort, torch's exporter makes the example's sizes constants
        raise BundleError(
            f"{name} can be exported for a fixed number of rows only{untraceable_parts(module)}",
            where="export",
            fix="Take the number of rows from rows.shape[0] and use it as is; int() and loops over the rows cannot be traced.",
        )

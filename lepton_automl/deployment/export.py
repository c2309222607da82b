"""Export to ONNX: our own quick way for what LeptonNets are made of, torch's slow one for everything else."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lepton_automl.errors import BundleError

from .session import OnnxModel
from .terms import UnknownOperation
from .trace import trace
from .translate import translate


def export(module: nn.Module, inputs: dict[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write a module as one ONNX file with a batch axis of any size.

    A module of common layers is traced by `torch.fx` and translated here, in a few hundredths of a second. Another one
    (control flow that depends on values, rare operations) goes through `torch.onnx.export`, which takes seconds, after
    a warning that says so.

    Args:
        module: Called as `module(**inputs)`; gives one tensor with the rows in its first axis. It is exported as it
            answers in evaluation mode, and left in the mode that it was in.
        inputs: One or more example rows by argument name; the file's inputs have these names, its output is `"answer"`.
        path: Where to write; the folder must exist. Weights are inside, there is no side file.

    Raises:
        BundleError: Neither way can say what the module does.
    """
    was_training = module.training
    module.eval()
    try:
        translate(trace(module, inputs), inputs, Path(path))
    except Exception as reason:
        _warn(module, reason)
        _export_by_torch(module, inputs, Path(path))
    finally:
        module.train(was_training)


def _warn(module: nn.Module, reason: Exception) -> None:
    what = str(reason) if isinstance(reason, UnknownOperation) else f"{type(reason).__name__}: {reason}"
    warnings.warn(
        f"The quick exporter does not know {what} in {type(module).__name__}; using torch.onnx.export, which takes seconds.",
        stacklevel=3,
    )


class _Positional(nn.Module):
    """Positional arguments, which torch's exporter names most reliably."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *rows: Tensor) -> Any:
        return self.module(**dict(zip(self.names, rows, strict=True)))


def _export_by_torch(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> None:
    # A single example row would fix the batch axis to one.
    rows = tuple(tensor[torch.arange(2, device=tensor.device) % len(tensor)] for tensor in inputs.values())
    batch = torch.export.Dim("batch")
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # its remarks on packages that are not here
    try:
        torch.onnx.export(
            _Positional(module, tuple(inputs)).eval(),
            rows,
            path,
            input_names=list(inputs),
            output_names=["answer"],
            dynamic_shapes=(tuple({0: batch} for _ in rows),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except Exception as error:
        raise BundleError(
            f"{type(module).__name__} cannot be exported to ONNX: {error}",
            where="export",
            fix="Write its forward pass with tensor operations only, or keep the part that fails outside of it.",
        ) from error
    finally:
        logging.disable(level)
    if not OnnxModel(path).any_rows:  # the exporter's last resort takes the example's sizes for constants
        raise BundleError(
            f"{type(module).__name__} can be exported for one number of rows only",
            where="export",
            fix="Take the number of rows from rows.shape[0]; neither len(rows) nor int() can be followed.",
        )

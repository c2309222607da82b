"""A network of several programs, with the task's loop between them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lepton_automl.arrays import Array
from lepton_automl.generation import GeneratingDecoder, Program


class GeneratingNetwork(nn.Module):
    """A network of several programs, called like any other; it is for inference only.

    Args:
        programs: Modules by name; each returns a dict of tensors.
        decoder: The task's decoder, which runs the loop.
    """

    def __init__(self, programs: Mapping[str, nn.Module], decoder: GeneratingDecoder) -> None:
        super().__init__()
        self.programs = nn.ModuleDict(dict(programs))
        self.decoder = decoder

    def forward(self, **inputs: Tensor) -> Tensor:
        """The task's answers for some rows."""
        calls = {name: _program(module) for name, module in self.programs.items()}
        answers, _ = self.decoder.generate(calls, {name: rows.cpu().numpy() for name, rows in inputs.items()}, {})
        return torch.from_numpy(answers)


def _program(module: nn.Module) -> Program:
    def call(arrays: dict[str, Array]) -> dict[str, Array]:
        with torch.inference_mode():
            outputs = module(**{name: torch.from_numpy(array) for name, array in arrays.items()})
        return {name: output.numpy() for name, output in outputs.items()}

    return call

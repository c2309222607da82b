"""A user's own trained network, wrapped for this package's training."""

from __future__ import annotations

from torch import Tensor, nn

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

INPUT = "rows"  # the name of the one input


class Plain(nn.Module):
    """An unchanged module whose values are standardised.

    Args:
        module: Called with rows; returns logits [N, K], or values [N] or [N, 1] in the target's own unit.
        spec: Describes the targets.
    """

    ensemble = False  # outputs have no member axis

    def __init__(self, module: nn.Module, spec: DataSpec) -> None:
        super().__init__()
        self.module = module
        self.task, self.output = task_of(spec), spec.output

    def forward(self, rows: Tensor) -> Tensor:
        """Logits [N, K], or standardised values [N, 1].

        Args:
            rows: The module's input.
        """
        outputs: Tensor = self.module(rows.clone())  # it may change its input, which every epoch uses again
        return self.task.from_unit(outputs, self.output)


class Bare(nn.Module):
    """A module whose one input is passed by name, as the export does.

    Args:
        module: Called with rows.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, rows: Tensor) -> Tensor:
        """The module's outputs."""
        answers: Tensor = self.module(rows)
        return answers

    __call__ = forward  # torch's global module hooks would run a second time for this wrapper

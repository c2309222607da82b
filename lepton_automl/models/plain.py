"""A person's own trained network, dressed for the house's training."""

from __future__ import annotations

from torch import Tensor, nn

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

INPUT = "rows"  # the name of the one input


class Plain(nn.Module):
    """A module as it is, with values standardised.

    Args:
        module: Called with rows; gives logits [N, K], or values [N] or [N, 1] in the target's own unit.
        spec: What the targets are.
    """

    ensemble = False  # outputs have no axis of members

    def __init__(self, module: nn.Module, spec: DataSpec) -> None:
        super().__init__()
        self.module = module
        self.task, self.output = task_of(spec), spec.output

    def forward(self, rows: Tensor, teacher_outputs: Tensor | None = None) -> Tensor:
        """Logits [N, K], or standardised values [N, 1].

        Args:
            rows: As the module takes them.
            teacher_outputs: What another network says of them, which travels along for the loss.
        """
        del teacher_outputs
        outputs: Tensor = self.module(rows.clone())  # it may work in place, and the rows are those of all epochs
        return self.task.from_unit(outputs, self.output)


class Bare(nn.Module):
    """A module that is called by the name of its one input, as the export does.

    Args:
        module: Called with rows.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, rows: Tensor) -> Tensor:
        """What the module gives."""
        answers: Tensor = self.module(rows)
        return answers

    __call__ = forward  # hooks for all modules would run once more here

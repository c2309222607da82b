"""What comes next, as the change from the last value: targets are changes, answers are values."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.arrays import Array
from lepton_automl.data.options import DataOptions
from lepton_automl.modality import Claim
from lepton_automl.specs import DataSpec
from lepton_automl.task import TargetColumn, Targets
from lepton_automl.tasks.regression import NumberOutput, Regression


@dataclass(frozen=True, kw_only=True)
class ChangeOutput(NumberOutput):
    """The scale of the changes."""

    kind = "change"


class Change(Regression):
    """Learned and scored as a number; decoded with the last value of the input."""

    name = "change"
    Output = ChangeOutput
    decoder_modules = ("lepton_example.change.decoder",)
    decoder_class = "ChangeDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Never: it has to be asked for."""
        return None

    def output(self, targets: Targets, train: Array, options: DataOptions) -> ChangeOutput:
        """Mean and deviation of the changes."""
        return ChangeOutput.from_json(super().output(targets, train, options).to_json())

    def what(self, spec: DataSpec, target: str) -> str:
        """A number, by its change."""
        return f"the next value, by the change {target}"

    def fits_tensor(self, targets: Array) -> bool:
        """No: changes have to be asked for."""
        return False

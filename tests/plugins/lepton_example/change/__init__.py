"""What comes next, as the change from the last value: targets are changes, answers are values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lepton_automl.arrays import Array, Json
from lepton_automl.data.options import DataOptions
from lepton_automl.metric import Metric, Scorer
from lepton_automl.modality import Claim
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import TargetColumn, Targets
from lepton_automl.tasks.regression import NumberOutput, Regression
from lepton_example.scorers import relative_error


@dataclass(frozen=True, kw_only=True)
class ChangeOutput(NumberOutput):
    """The scale of the changes."""

    kind = "change"


class Change(Regression):
    """Learned and scored as a number; decoded with the last value of the input."""

    name = "change"
    Output = ChangeOutput
    metrics: ClassVar[Mapping[str, Metric]] = {**Regression.metrics, "relative_error": Metric(direction="minimize")}
    decoder_modules = ("lepton_automl.calibration", "lepton_example.change.decoder")
    decoder_class = "ChangeDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Never: it has to be asked for."""
        return None

    def output(self, targets: Targets, train: Array, options: DataOptions) -> ChangeOutput:
        """Mean and deviation of the changes."""
        return ChangeOutput.from_json(super().output(targets, train, options).to_json())

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Those of a number, and the errors of all rows as a share of all changes."""
        return {**super().scorers(output, decoder), "relative_error": relative_error}

    def what(self, spec: DataSpec, target: str) -> str:
        """A number, by its change."""
        return f"the next value, by the change {target}"

    def fits_tensor(self, targets: Array) -> bool:
        """No: changes have to be asked for."""
        return False

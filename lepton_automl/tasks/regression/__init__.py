"""One number a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, Metric, TargetColumn, TargetPreview, Targets

if TYPE_CHECKING:
    from torch import Tensor, nn

FEW = 2  # different numbers that are classes


@dataclass(frozen=True, kw_only=True)
class NumberOutput(OutputSpec):
    """The scale of the numbers: stored targets are standardised by it.

    Args:
        mean: Mean over the training rows.
        scale: Standard deviation.
    """

    kind = "regression"

    mean: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """One value."""
        return 1


class Regression:
    """One number a row."""

    name = "regression"
    Output = NumberOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "rmse": Metric(direction="minimize", unit="target"),
        "mae": Metric(direction="minimize", unit="target"),
        "r2": Metric(direction="maximize"),
    }
    holds: Literal["labels", "numbers"] = "numbers"
    probabilities = False
    share_metric = "r2"
    decoder_modules = ("lepton_automl.tasks.regression.decoder",)
    decoder_class = "NumberDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Fractions, or many different whole numbers."""
        numbers = column.numbers
        if numbers is None or (different := len(np.unique(numbers))) <= FEW:
            return None
        if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
            return Claim(confidence=0.9, reason="its values are fractions")
        if different > column.most_classes or different > len(column.learnt) / 2:
            return Claim(confidence=0.8, reason=f"it has {different:,} different whole numbers")
        return None

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """The numbers."""
        from lepton_automl.data.number_targets import encode_numbers

        del options
        return encode_numbers(column, reason, self.name, self.name)

    def check_train(self, targets: Targets, train: Array) -> None:
        """Any row will do."""
        del targets, train

    def strata(self, targets: Targets) -> Array | None:
        """Nothing."""
        del targets
        return None

    def output(self, targets: Targets, train: Array, options: Any) -> NumberOutput:
        """Mean and deviation of the training rows."""
        del options
        learnt = targets.encoded[train]
        return NumberOutput(mean=float(learnt.mean()), scale=float(learnt.std()) or 1.0)

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """Standardised, float32."""
        from lepton_automl.data.number_targets import standardised

        return standardised(encoded, _of(output).mean, _of(output).scale)

    def truths(self, targets: Array, output: OutputSpec) -> Array:
        """The numbers."""
        del output
        return targets

    def fits_tensor(self, targets: Array) -> bool:
        """Fractions [N]."""
        return targets.ndim == 1 and targets.dtype.kind == "f"

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> NumberOutput:
        """Mean and deviation, if these are wanted."""
        del outputs
        if not standardise:
            return NumberOutput()
        return NumberOutput(mean=float(targets.mean()), scale=float(targets.std(ddof=1)) or 1.0)

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The squared error."""
        from .training import SquaredError

        del spec, plan
        return SquaredError()

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The squared error."""
        from torch.nn.functional import mse_loss

        del temperature
        return mse_loss(outputs, teacher)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The values."""
        from .training import Values

        own = _of(output)
        return Values(members=members, mean=own.mean, scale=own.scale) if unit else Values(members=members)

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """Scaled back, float64."""
        return values.double() * _of(output).scale + _of(output).mean

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Standardised values [N, 1]."""
        return (outputs.reshape(-1, 1) - _of(output).mean) / _of(output).scale

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """By scikit-learn's definitions."""
        from .training import number_metrics

        del output, decoder
        return number_metrics(answers, targets)

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The squared error of standardised values."""
        return (scores["rmse"] / _of(output).scale) ** 2

    def ignorant_loss(self, output: OutputSpec) -> float:
        """The variance of standardised values."""
        del output
        return 1.0

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Nothing."""
        del answers, targets, output
        return {}

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """How far the answers are off."""
        from lepton_automl.data.number_targets import analyze_numbers

        del output, decoder
        return analyze_numbers(answers, targets, worst)

    def title(self, spec: DataSpec) -> str:
        """The task."""
        del spec
        return self.name

    def what(self, spec: DataSpec, target: str) -> str:
        """A number."""
        del spec
        return f"the number {target}"

    def extent(self, spec: DataSpec) -> str:
        """Where the numbers lie."""
        return f"a number around {_of(spec.output).mean:.4g}"

    def limits(self, spec: DataSpec) -> str:
        """Where the targets lie."""
        output = _of(spec.output)
        return f"It was trained on targets around {output.mean:.4g} (standard deviation {output.scale:.4g})."

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A standardised value."""
        del spec
        return "[N]: a standardised value for each row", "float32 standardised targets [N]"

    def schema(self, spec: DataSpec) -> str:
        """A number."""
        del spec
        return "double"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Mean and deviation."""
        output = _of(spec.output)
        return {"target mean": output.mean, "target deviation": output.scale}

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """A histogram."""
        del most
        from lepton_automl.data.number_targets import number_preview

        return number_preview(stored, _of(output).mean, _of(output).scale)

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The deviation for what is in the target's unit."""
        return _of(output).scale if self.metrics[metric].unit == "target" else 1.0


def _of(output: OutputSpec) -> NumberOutput:
    assert isinstance(output, NumberOutput)
    return output

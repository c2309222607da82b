"""The part common to tasks that predict standardised numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lepton_automl.arrays import Array, Json
from lepton_automl.metric import Metric, Scorer, values_of
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import TargetPreview, Targets

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class StandardisedOutput(OutputSpec):
    """The scale of the numbers: stored targets are standardised by it.

    Args:
        mean: Mean over the training rows.
        scale: Standard deviation over the training rows.
    """

    mean: float = 0.0
    scale: float = 1.0


class NumberTask:
    """A task whose targets are numbers, one per row, stored standardised.

    Attributes:
        name: As in every task.
        heading: The task's name in texts; empty to use `name`.
        metrics: As in every task.
    """

    name: ClassVar[str]
    heading: ClassVar[str] = ""
    metrics: ClassVar[Mapping[str, Metric]]
    holds: Literal["labels", "numbers"] = "numbers"
    probabilities = False

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """The targets as numbers."""
        from .number_targets import encode_numbers

        del options
        return encode_numbers(column, reason, self.name, self.heading or self.name)

    def check_train(self, targets: Targets, train: Array) -> None:
        """Accept any training rows."""
        del targets, train

    def strata(self, targets: Targets) -> Array | None:
        """None: splits are not stratified."""
        del targets
        return None

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """The standardised targets, float32."""
        from .number_targets import standardised

        mean, scale = scale_of(output)
        return standardised(encoded, mean, scale)

    def decode_targets(self, targets: Array, output: OutputSpec) -> Array:
        """The targets, unchanged."""
        del output
        return targets

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The mean squared error."""
        from torch.nn.functional import mse_loss

        del temperature
        return mse_loss(outputs, teacher)

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """The values of the scorers."""
        return values_of(self.scorers(output, decoder), answers.numpy(), targets.numpy())

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """How each metric is computed; defined by subclasses."""
        raise NotImplementedError

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """The values scaled back to the target's own unit, float64."""
        mean, scale = scale_of(output)
        return values.double() * scale + mean

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """The standardised outputs."""
        mean, scale = scale_of(output)
        return (outputs - mean) / scale

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Empty: decoding learns nothing."""
        del answers, targets, output
        return {}

    def title(self, spec: DataSpec) -> str:
        """The task's heading."""
        del spec
        return self.heading or self.name

    def limits(self, spec: DataSpec) -> str:
        """The mean and standard deviation of the training targets, in a sentence."""
        mean, scale = scale_of(spec.output)
        return f"It was trained on targets around {mean:.4g} (standard deviation {scale:.4g})."

    def schema(self, spec: DataSpec) -> str:
        """The type of a number."""
        del spec
        return "double"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Mean and standard deviation."""
        mean, scale = scale_of(spec.output)
        return {"target mean": mean, "target deviation": scale}

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """A histogram of the targets."""
        from .number_targets import number_preview

        del most
        return number_preview(stored, *scale_of(output))

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The targets' standard deviation for a metric in the target's unit, else 1."""
        return scale_of(output)[1] if self.metrics[metric].unit == "target" else 1.0


def scale_of(output: OutputSpec) -> tuple[float, float]:
    """The mean and the standard deviation that stored targets are standardised by."""
    assert isinstance(output, StandardisedOutput)
    return output.mean, output.scale


def fit_scale(targets: Array) -> dict[str, float]:
    """The fields of a `StandardisedOutput` for training targets [N]; the scale is 1 if all are equal."""
    return {"mean": float(targets.mean()), "scale": float(targets.std()) or 1.0}

"""The part common to tasks that predict standardised numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.metric import Metric, Scorer, values_of
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.target_transform import TargetTransform, fit_transform
from lepton_automl.task import TargetPreview, Targets

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class StandardisedOutput(OutputSpec):
    """The scale of the numbers: stored targets are standardised by it, or by their transform if there is one.

    Args:
        mean: Mean over the training rows.
        scale: Standard deviation over the training rows.
        transform: The transform of skewed targets; None if numbers are only shifted and scaled.
    """

    mean: float = 0.0
    scale: float = 1.0
    transform: TargetTransform | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """That networks learn transformed targets, and how to change that."""
        if self.transform is None:
            return ()
        return (
            f"the target is skewed: networks learn {self.transform.text} (target_transform='none' to learn the number itself)",
        )

    def stored(self, numbers: Array) -> Array:
        """Numbers in the form in which they are stored, float32."""
        from .number_targets import standardised

        if self.transform is not None:
            return standardised(self.transform.stored(numbers), 0.0, 1.0)
        return standardised(numbers, self.mean, self.scale)

    def restored(self, stored: Array) -> Array:
        """Stored numbers in the target's own unit, float64."""
        if self.transform is not None:
            return self.transform.restored(stored)
        return np.asarray(stored, np.float64) * self.scale + self.mean


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
        return standardised_output(output).stored(encoded)

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
        if (transform := standardised_output(output).transform) is not None:
            return transform.to_unit(values.double())
        mean, scale = scale_of(output)
        return values.double() * scale + mean

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """The standardised outputs."""
        if (transform := standardised_output(output).transform) is not None:
            return transform.from_unit(outputs)
        mean, scale = scale_of(output)
        return (outputs - mean) / scale

    def outputs_of(self, answers: Tensor, output: OutputSpec) -> Tensor:
        """The standardised answers, [N, K]."""
        return self.from_unit(answers.reshape(len(answers), -1), output).float()

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Empty: decoding learns nothing."""
        del answers, targets, output
        return {}

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """The quantiles of the answers' errors; defined by subclasses."""
        raise NotImplementedError

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
        """Mean and standard deviation, and the transform of skewed targets."""
        mean, scale = scale_of(spec.output)
        transform = standardised_output(spec.output).transform
        learned = {} if transform is None else {"networks learn": transform.text}
        return {"target mean": mean, "target deviation": scale, **learned}

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """A histogram of the targets."""
        from .number_targets import number_preview

        del most
        return number_preview(standardised_output(output).restored(stored), scale_of(output)[0])

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The targets' standard deviation for a metric in the target's unit, else 1."""
        return scale_of(output)[1] if self.metrics[metric].unit == "target" else 1.0


def scale_of(output: OutputSpec) -> tuple[float, float]:
    """The mean and the standard deviation that stored targets are standardised by."""
    return standardised_output(output).mean, standardised_output(output).scale


def standardised_output(output: OutputSpec) -> StandardisedOutput:
    """The scale of the numbers, and the transform of skewed ones."""
    assert isinstance(output, StandardisedOutput)
    return output


def fit_scale(targets: Array, transform: str = "none") -> dict[str, Any]:
    """The fields of a `StandardisedOutput`.

    Args:
        targets: Training targets [N]; the scale is 1 if all are equal.
        transform: Which transform of the targets; see `fit_transform`.
    """
    scale = {"mean": float(targets.mean()), "scale": float(targets.std()) or 1.0}
    return {**scale, "transform": fit_transform(targets, transform)}

"""Regression: one number per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import fit_regions
from lepton_automl.data.number_task import NumberTask, StandardisedOutput, fit_scale, scale_of, standardised_output
from lepton_automl.metric import Metric, Scorer
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, TargetColumn, Targets, Trees

if TYPE_CHECKING:
    from torch import Tensor, nn

FEW = 2  # up to this many different numbers are classes


@dataclass(frozen=True, kw_only=True)
class NumberOutput(StandardisedOutput):
    """The scale of the numbers.

    Args:
        negative: Whether some targets are below zero, so that errors of logarithms are not defined.
    """

    kind = "regression"

    negative: bool = False

    @property
    def size(self) -> int:
        """One value."""
        return 1

    def undefined(self, metric: str) -> str:
        """`rmsle` needs targets of at least 0."""
        return "some targets are below zero" if metric == "rmsle" and self.negative else ""


class Regression(NumberTask):
    """One number per row."""

    name = "regression"
    Output = NumberOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "rmse": Metric(direction="minimize", unit="target"),
        "mae": Metric(direction="minimize", unit="target"),
        "r2": Metric(direction="maximize"),
        "mape": Metric(direction="minimize", unit=""),
        "rmsle": Metric(direction="minimize", unit=""),
    }
    share_metric = "r2"
    decoder_modules = ("lepton_automl.calibration", "lepton_automl.tasks.regression.decoder")
    decoder_class = "NumberDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Claim fractions, or many different integers."""
        numbers = column.numbers
        if numbers is None or (different := len(np.unique(numbers))) <= FEW:
            return None
        if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
            return Claim(confidence=0.9, reason="its values are fractions")
        if different > column.most_classes or different > len(column.learnt) / 2:
            return Claim(confidence=0.8, reason=f"it has {different:,} different integers")
        return None

    def output(self, targets: Targets, train: Array, options: Any) -> NumberOutput:
        """Mean and standard deviation of the training rows, and a transform if they are skewed."""
        return NumberOutput(
            **fit_scale(targets.encoded[train], options.target_transform), negative=bool((targets.encoded < 0).any())
        )

    def fits_tensor(self, targets: Array) -> bool:
        """Whether the targets are floats [N]."""
        return targets.ndim == 1 and targets.dtype.kind == "f"

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> NumberOutput:
        """Mean and standard deviation, if targets are standardised."""
        del outputs
        return NumberOutput(**fit_scale(targets)) if standardise else NumberOutput()

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The squared error."""
        from .training import SquaredError

        del spec, plan
        return SquaredError()

    def boosted_trees(self, output: OutputSpec, settings: Mapping[str, Any]) -> Trees:
        """One ensemble."""
        from lepton_automl.data.boosted_trees import boosted_numbers

        del output
        return boosted_numbers(settings)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The values."""
        from lepton_automl.training.answers import Numbers

        mean, scale = scale_of(output) if unit else (0.0, 1.0)
        transform = standardised_output(output).transform if unit else None
        return Numbers(members=members, mean=mean, scale=scale, flat=True, transform=transform)

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Standardised values [N, 1]."""
        return super().from_unit(outputs.reshape(-1, 1), output)

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Scorers by scikit-learn's definitions."""
        from .scorers import number_scorers

        del decoder
        return number_scorers(scale_of(output)[0])

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The squared error of standardised values."""
        return (scores["rmse"] / scale_of(output)[1]) ** 2

    def untrained_loss(self, output: OutputSpec) -> float:
        """The variance of standardised values."""
        del output
        return 1.0

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """The quantiles of the distance between answer and target."""
        del output, decoder
        distances = np.abs(targets - answers.astype(np.float64))
        return fit_regions(lambda _: distances)

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """The errors of the answers, and how wide intervals are."""
        from lepton_automl.data.number_targets import analyze_numbers, intervals_coverage

        from .decoder import NumberDecoder

        analysis = analyze_numbers(answers, targets, worst)
        decoded = NumberDecoder({"target": self.name, **output.shipped(), "decoder": decoder})
        regions = intervals_coverage(lambda level: decoded.regions(answers, {}, level), targets, decoder.get("regions"))
        return Analysis(worst=analysis.worst, parts={**analysis.parts, "regions": regions})

    def what(self, spec: DataSpec, target: str) -> str:
        """The target."""
        del spec
        return f"the number {target}"

    def extent(self, spec: DataSpec) -> str:
        """The mean of the numbers."""
        return f"a number around {scale_of(spec.output)[0]:.4g}"

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A standardised value."""
        del spec
        return "[N]: a standardised value for each row", "float32 standardised targets [N]"

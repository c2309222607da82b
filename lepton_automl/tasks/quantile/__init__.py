"""Quantile regression: several quantiles of one number per row, such as the ends of an 80 % interval and the median."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import fit_regions
from lepton_automl.data.number_task import NumberTask, StandardisedOutput, fit_scale, scale_of, standardised_output
from lepton_automl.errors import Complaints
from lepton_automl.metric import Metric, Scorer
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, TargetColumn, Targets, Trees

if TYPE_CHECKING:
    from torch import nn

USUAL = (0.1, 0.5, 0.9)  # the ends of an 80 % interval and the median


@dataclass(frozen=True, kw_only=True)
class QuantileOptions(Value):
    """Options for quantile regression; setting one selects this task.

    Args:
        quantiles: Numbers between 0 and 1, in ascending order.
    """

    quantiles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        quantiles: Any = self.quantiles
        object.__setattr__(self, "quantiles", (quantiles,) if isinstance(quantiles, int | float) else tuple(quantiles))

    def check(self, complaints: Complaints) -> None:
        """Report invalid values."""
        sound = all(isinstance(q, int | float) and not isinstance(q, bool) and 0 < q < 1 for q in self.quantiles)
        rising = sound and list(self.quantiles) == sorted(set(self.quantiles))
        complaints.check(rising, f"quantiles is {self.quantiles!r}; they must be between 0 and 1, in ascending order")


@dataclass(frozen=True, kw_only=True)
class QuantileOutput(StandardisedOutput):
    """The quantiles, and the scale of the numbers.

    Args:
        quantiles: Numbers between 0 and 1, in ascending order.
    """

    kind = "quantile"

    quantiles: tuple[float, ...]

    @property
    def size(self) -> int:
        """One value per quantile."""
        return len(self.quantiles)

    def shipped(self) -> dict[str, Any]:
        """The quantiles."""
        return {**super().shipped(), "quantiles": list(self.quantiles)}


class QuantileRegression(NumberTask):
    """Several quantiles of one number per row."""

    name = "quantile"
    heading = "quantile regression"
    Options = QuantileOptions
    Output = QuantileOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "pinball": Metric(direction="minimize", unit="target"),
        "calibration_error": Metric(direction="minimize"),
        "mae": Metric(direction="minimize", unit="target"),
    }
    share_metric = "pinball"
    decoder_modules = ("lepton_automl.calibration", "lepton_automl.tasks.quantile.decoder")
    decoder_class = "QuantileDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """None: this task is only used if the options request it."""
        del column
        return None

    def output(self, targets: Targets, train: Array, options: Any) -> QuantileOutput:
        """The requested quantiles, and mean and standard deviation of the training rows."""
        chosen: QuantileOptions = options.of("tasks", self.name)
        return QuantileOutput(
            quantiles=chosen.quantiles or USUAL, **fit_scale(targets.encoded[train], options.target_transform)
        )

    def fits_tensor(self, targets: Array) -> bool:
        """False: this task is only used if the options request it."""
        del targets
        return False

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> QuantileOutput:
        """Evenly spread quantiles."""
        quantiles = tuple((at + 1) / (outputs + 1) for at in range(outputs))
        return QuantileOutput(quantiles=quantiles, **(fit_scale(targets) if standardise else {}))

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The pinball loss."""
        from .training import Pinball

        del plan
        return Pinball(_of(spec.output).quantiles)

    def boosted_trees(self, output: OutputSpec, settings: Mapping[str, Any]) -> Trees:
        """An ensemble for each quantile."""
        from lepton_automl.data.boosted_trees import boosted_numbers

        return boosted_numbers(settings, [{"loss": "quantile", "quantile": level} for level in _of(output).quantiles])

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The quantiles."""
        from lepton_automl.training.answers import Numbers

        mean, scale = scale_of(output) if unit else (0.0, 1.0)
        transform = standardised_output(output).transform if unit else None
        return Numbers(members=members, mean=mean, scale=scale, transform=transform)

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Pinball loss, the error of the shares below the quantiles, and the median's error."""
        from .scorers import quantile_scorers

        del decoder
        return quantile_scorers(_of(output).quantiles)

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The pinball loss of standardised values."""
        return scores["pinball"] / scale_of(output)[1]

    def untrained_loss(self, output: OutputSpec) -> float:
        """About the loss of the target's own quantiles."""
        del output
        return 0.4

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """The quantiles of how far the target is outside of two quantiles; negative inside."""
        from .decoder import ends_for

        del decoder
        quantiles, rising = _of(output).quantiles, np.sort(answers.astype(np.float64), axis=1)
        distances: dict[tuple[int, int], Array] = {}

        def scores(level: float) -> Array:
            ends = low, high = ends_for(quantiles, level)
            if ends not in distances:
                distances[ends] = np.maximum(rising[:, low] - targets, targets - rising[:, high])
            return distances[ends]

        return fit_regions(scores)

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """The errors of the median, the share of targets up to each quantile, and how wide intervals are."""
        from lepton_automl.data.number_targets import analyze_numbers, intervals_coverage

        from .decoder import QuantileDecoder

        quantiles, rising = _of(output).quantiles, np.sort(answers, axis=1)
        middle = int(np.argmin(np.abs(np.array(quantiles) - 0.5)))
        analysis = analyze_numbers(rising[:, middle], targets, worst)
        below = (targets[:, None] <= rising).mean(0)
        coverage = tuple((quantile, float(share)) for quantile, share in zip(quantiles, below, strict=True))
        decoded = QuantileDecoder({"target": self.name, **output.shipped(), "decoder": decoder})
        regions = intervals_coverage(lambda level: decoded.regions(answers, {}, level), targets, decoder.get("regions"))
        return Analysis(worst=analysis.worst, parts={**analysis.parts, "coverage": coverage, "regions": regions})

    def what(self, spec: DataSpec, target: str) -> str:
        """The quantiles."""
        shares = ", ".join(f"{100 * quantile:g} %" for quantile in _of(spec.output).quantiles)
        return f"the {shares} quantiles of {target}"

    def extent(self, spec: DataSpec) -> str:
        """The mean of the numbers."""
        return f"quantiles of a number around {scale_of(spec.output)[0]:.4g}"

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A standardised value for each quantile."""
        return f"[N, {spec.outputs}]: a standardised value for each quantile", "float32 standardised targets [N]"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Mean, standard deviation and quantiles."""
        named = ", ".join(f"{quantile:g}" for quantile in _of(spec.output).quantiles)
        return {**super().facts(spec), "quantiles": named}


def _of(output: OutputSpec) -> QuantileOutput:
    assert isinstance(output, QuantileOutput)
    return output

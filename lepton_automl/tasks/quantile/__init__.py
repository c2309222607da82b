"""Several quantiles of one number a row, such as the ends of an 80 % interval and the median."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array, Json
from lepton_automl.errors import Complaints
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, Metric, TargetColumn, TargetPreview, Targets

if TYPE_CHECKING:
    from torch import Tensor, nn

USUAL = (0.1, 0.5, 0.9)  # the ends of an 80 % interval and the median


@dataclass(frozen=True, kw_only=True)
class QuantileOptions(Value):
    """What a user may say about quantiles; whoever names them asks for this task.

    Args:
        quantiles: Between 0 and 1, rising.
    """

    quantiles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        given: Any = self.quantiles
        object.__setattr__(self, "quantiles", (given,) if isinstance(given, int | float) else tuple(given))

    def check(self, complaints: Complaints) -> None:
        """Complain of what is out of range."""
        sound = all(isinstance(q, int | float) and not isinstance(q, bool) and 0 < q < 1 for q in self.quantiles)
        rising = sound and list(self.quantiles) == sorted(set(self.quantiles))
        complaints.check(rising, f"quantiles is {self.quantiles!r}; they must lie between 0 and 1, and rise")


@dataclass(frozen=True, kw_only=True)
class QuantileOutput(OutputSpec):
    """The quantiles, and the scale of the numbers: stored targets are standardised by it.

    Args:
        quantiles: Between 0 and 1, rising.
        mean: Mean over the training rows.
        scale: Standard deviation.
    """

    kind = "quantile"

    quantiles: tuple[float, ...]
    mean: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """One value a quantile."""
        return len(self.quantiles)

    def shipped(self) -> dict[str, Any]:
        """The quantiles."""
        return {**super().shipped(), "quantiles": list(self.quantiles)}


class QuantileRegression:
    """Several quantiles of one number a row."""

    name = "quantile"
    Options = QuantileOptions
    Output = QuantileOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "pinball": Metric(direction="minimize", unit="target"),
        "calibration_error": Metric(direction="minimize"),
        "mae": Metric(direction="minimize", unit="target"),
    }
    holds: Literal["labels", "numbers"] = "numbers"
    probabilities = False
    share_metric = "pinball"
    decoder_modules = ("lepton_automl.tasks.quantile.decoder",)
    decoder_class = "QuantileDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Never: quantiles have to be asked for."""
        del column
        return None

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """The numbers."""
        from lepton_automl.data.number_targets import encode_numbers

        del options
        return encode_numbers(column, reason, self.name, "quantile regression")

    def check_train(self, targets: Targets, train: Array) -> None:
        """Any row will do."""
        del targets, train

    def strata(self, targets: Targets) -> Array | None:
        """Nothing."""
        del targets
        return None

    def output(self, targets: Targets, train: Array, options: Any) -> QuantileOutput:
        """The quantiles that were asked for; mean and deviation of the training rows."""
        chosen: QuantileOptions = options.of("tasks", self.name)
        learnt = targets.encoded[train]
        quantiles = chosen.quantiles or USUAL
        return QuantileOutput(quantiles=quantiles, mean=float(learnt.mean()), scale=float(learnt.std()) or 1.0)

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """Standardised, float32."""
        from lepton_automl.data.number_targets import standardised

        return standardised(encoded, _of(output).mean, _of(output).scale)

    def truths(self, targets: Array, output: OutputSpec) -> Array:
        """The numbers."""
        del output
        return targets

    def fits_tensor(self, targets: Array) -> bool:
        """No: quantiles have to be asked for."""
        del targets
        return False

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> QuantileOutput:
        """Evenly spread quantiles."""
        mean, scale = (float(targets.mean()), float(targets.std()) or 1.0) if standardise else (0.0, 1.0)
        return QuantileOutput(quantiles=tuple((at + 1) / (outputs + 1) for at in range(outputs)), mean=mean, scale=scale)

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The pinball loss."""
        from .training import Pinball

        del plan
        return Pinball(_of(spec.output).quantiles)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The squared error."""
        from torch.nn.functional import mse_loss

        del temperature
        return mse_loss(outputs, teacher)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The quantiles."""
        from .training import Quantiles

        own = _of(output)
        return Quantiles(members=members, mean=own.mean, scale=own.scale) if unit else Quantiles(members=members)

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """Scaled back, float64."""
        return values.double() * _of(output).scale + _of(output).mean

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Standardised."""
        return (outputs - _of(output).mean) / _of(output).scale

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """Pinball loss, how far the shares below the quantiles are off, and the median's error."""
        from .training import quantile_metrics

        del decoder
        return quantile_metrics(answers, targets, _of(output).quantiles)

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The pinball loss of standardised values."""
        return scores["pinball"] / _of(output).scale

    def ignorant_loss(self, output: OutputSpec) -> float:
        """About that of the target's own quantiles."""
        del output
        return 0.4

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Nothing."""
        del answers, targets, output
        return {}

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """How far the median is off, and how many targets lie below each quantile."""
        from lepton_automl.data.number_targets import analyze_numbers

        del decoder
        quantiles, rising = _of(output).quantiles, np.sort(answers, axis=1)
        middle = int(np.argmin(np.abs(np.array(quantiles) - 0.5)))
        found = analyze_numbers(rising[:, middle], targets, worst)
        below = (targets[:, None] <= rising).mean(0)
        coverage = tuple((quantile, float(share)) for quantile, share in zip(quantiles, below, strict=True))
        return Analysis(worst=found.worst, parts={**found.parts, "coverage": coverage})

    def title(self, spec: DataSpec) -> str:
        """The task."""
        del spec
        return "quantile regression"

    def what(self, spec: DataSpec, target: str) -> str:
        """The quantiles."""
        shares = ", ".join(f"{100 * quantile:g} %" for quantile in _of(spec.output).quantiles)
        return f"the {shares} quantiles of {target}"

    def extent(self, spec: DataSpec) -> str:
        """Where the numbers lie."""
        return f"quantiles of a number around {_of(spec.output).mean:.4g}"

    def limits(self, spec: DataSpec) -> str:
        """Where the targets lie."""
        output = _of(spec.output)
        return f"It was trained on targets around {output.mean:.4g} (standard deviation {output.scale:.4g})."

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A standardised value for each quantile."""
        return f"[N, {spec.outputs}]: a standardised value for each quantile", "float32 standardised targets [N]"

    def schema(self, spec: DataSpec) -> str:
        """A number."""
        del spec
        return "double"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Mean, deviation and quantiles."""
        output = _of(spec.output)
        named = ", ".join(f"{quantile:g}" for quantile in output.quantiles)
        return {"target mean": output.mean, "target deviation": output.scale, "quantiles": named}

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """A histogram."""
        from lepton_automl.data.number_targets import number_preview

        del most
        return number_preview(stored, _of(output).mean, _of(output).scale)

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The deviation for what is in the target's unit."""
        return _of(output).scale if self.metrics[metric].unit == "target" else 1.0


def _of(output: OutputSpec) -> QuantileOutput:
    assert isinstance(output, QuantileOutput)
    return output

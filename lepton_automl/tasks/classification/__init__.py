"""One label a row: of two classes, or of more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import DataError
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, ClassPreview, Metric, TargetColumn, TargetPreview, Targets
from lepton_automl.texts import clean, code_span

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_LISTED = 100  # classes whose rows MLflow shows
TWO = 2


@dataclass(frozen=True, kw_only=True)
class ClassOutput(OutputSpec):
    """The classes.

    Args:
        labels: In the order of the network's outputs.
        counts: Training rows of each.
        class_weight: One weight a class in the loss; empty for none.
    """

    labels: tuple[Any, ...]
    counts: tuple[int, ...] = ()
    class_weight: tuple[float, ...] = ()

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels."""
        return self.labels

    @property
    def size(self) -> int:
        """One logit a class."""
        return len(self.labels)


class BinaryOutput(ClassOutput):
    """Two classes."""

    kind = "binary"


class MulticlassOutput(ClassOutput):
    """More than two classes."""

    kind = "multiclass"


class _Classification:
    """What both tasks have in common."""

    name: ClassVar[str]
    Output: type[ClassOutput]
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric(direction="maximize"),
        "balanced_accuracy": Metric(direction="maximize"),
        "f1": Metric(direction="maximize"),
        "auroc": Metric(direction="maximize"),
        "log_loss": Metric(direction="minimize", unit=""),
    }
    holds: Literal["labels", "numbers"] = "labels"
    probabilities = True
    share_metric = "accuracy"
    decoder_modules = ("lepton_automl.tasks.classification.decoder",)
    decoder_class = "ClassDecoder"

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """Class indices; with two classes the task is binary, whatever was asked."""
        from .targets import encode_labels

        return encode_labels(column, options, reason, (Binary.name, Multiclass.name))

    def check_train(self, targets: Targets, train: Array) -> None:
        """Every class has a training row."""
        lacking = sorted(set(range(len(targets.classes))) - set(targets.encoded[train].tolist()))
        if lacking:
            names = ", ".join(repr(targets.classes[index]) for index in lacking[:5])
            fix = "Split otherwise, or leave these classes out."
            raise DataError(f"no training example is of class {names}", where="splits", fix=fix)

    def strata(self, targets: Targets) -> Array | None:
        """The classes."""
        return targets.encoded

    def output(self, targets: Targets, train: Array, options: Any) -> ClassOutput:
        """The classes, their rows and their weights."""
        from lepton_automl.data.label_targets import weights

        learnt = targets.encoded[train]
        counts = tuple(np.bincount(learnt, minlength=len(targets.classes)).tolist())
        class_weight = weights(options.class_weight, targets.classes, learnt)
        return self.Output(labels=targets.classes, counts=counts, class_weight=class_weight)

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """The indices."""
        del output
        return encoded

    def truths(self, targets: Array, output: OutputSpec) -> Array:
        """The labels."""
        from .decoder import as_labels

        labels: Array = as_labels(list(output.classes))[targets]
        return labels

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> ClassOutput:
        """Classes that are called by their indices."""
        del targets, standardise
        return self.Output(labels=tuple(range(outputs)))

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """Cross-entropy."""
        from .training import CrossEntropy

        return CrossEntropy(_of(spec.output).class_weight, plan.label_smoothing)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The divergence of softened probabilities."""
        from .training import divergence

        return divergence(outputs, teacher, temperature)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """Probabilities."""
        from .training import Probabilities

        del output, unit
        return Probabilities(members=members)

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """As they are."""
        del output
        return values

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Logits, as they are."""
        del output
        return outputs

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """By scikit-learn's definitions."""
        from .training import class_metrics

        del output, decoder
        return class_metrics(answers, targets)

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The log loss."""
        del output
        return scores["log_loss"]

    def ignorant_loss(self, output: OutputSpec) -> float:
        """The logarithm of the number of classes."""
        return math.log(output.size) if output.size > 1 else 1.0

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Nothing: the most probable class is the answer."""
        del answers, targets, output
        return {}

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """Which classes are mixed up, and whether probabilities can be relied on."""
        from .analysis import analyze_labels

        del decoder
        return analyze_labels(answers, targets, output.classes, worst)

    def title(self, spec: DataSpec) -> str:
        """The task."""
        del spec
        return f"{self.name} classification"

    def what(self, spec: DataSpec, target: str) -> str:
        """One of so many classes."""
        return f"{target}, one of {len(spec.classes)} classes"

    def extent(self, spec: DataSpec) -> str:
        """The classes by name."""
        names = ", ".join(clean(label, 24) for label in spec.classes[:12])
        return f"{len(spec.classes)} classes: {names}{', …' * (len(spec.classes) > 12)}"

    def limits(self, spec: DataSpec) -> str:
        """The labels that a model knows."""
        return f"It knows only these labels: {', '.join(map(code_span, spec.classes[:30]))}{', …' * (len(spec.classes) > 30)}."

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A logit for each class."""
        return f"[N, {spec.outputs}]: a logit for each class", "int64 targets [N]"

    def schema(self, spec: DataSpec) -> str:
        """How many classes there are."""
        return f"one of {len(spec.classes)} classes"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The rows of each class among those that are learnt from."""
        output = _of(spec.output)
        named = [f"train, class {label}" for label in output.labels[:MOST_LISTED]]
        return {"classes": len(output.labels)} | dict(zip(named, output.counts, strict=False))

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """The most frequent classes."""
        counts = np.bincount(stored.astype(np.int64), minlength=output.size)
        codes, places = np.unique(stored, return_index=True)
        first: dict[int, int] = dict(zip(codes.tolist(), places.tolist(), strict=True))
        chosen = sorted(np.argsort(-counts, kind="stable")[:most].tolist())
        classes = (ClassPreview(label=output.classes[at], rows=int(counts[at]), first=first.get(at, -1)) for at in chosen)
        return TargetPreview(classes=tuple(classes))

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """A share's, or the log loss of guessing."""
        return 1.0 if self.metrics[metric].unit == "share" else math.log(max(TWO, output.size))


class Binary(_Classification):
    """One of two classes."""

    name = "binary"
    Output = BinaryOutput

    def infer(self, column: TargetColumn) -> Claim | None:
        """Two different numbers; labels are counted when they are encoded."""
        numbers = column.numbers
        if numbers is None or (different := len(np.unique(numbers))) > TWO:
            return None
        return Claim(confidence=0.9, reason=f"it has {different} different values")

    def fits_tensor(self, targets: Array) -> bool:
        """No: bare indices do not tell how many classes there may be."""
        del targets
        return False


class Multiclass(_Classification):
    """One of several classes."""

    name = "multiclass"
    Output = MulticlassOutput

    def infer(self, column: TargetColumn) -> Claim | None:
        """Labels, or few different whole numbers."""
        numbers = column.numbers
        if numbers is None:
            return Claim(confidence=0.5, reason="its values are labels")
        different = len(np.unique(numbers))
        why = f"it has only {different} different whole numbers (set task='regression' if they are quantities)"
        return Claim(confidence=0.1, reason=why)

    def fits_tensor(self, targets: Array) -> bool:
        """Whole numbers [N]."""
        return targets.ndim == 1 and targets.dtype.kind in "iub"


def _of(output: OutputSpec) -> ClassOutput:
    assert isinstance(output, ClassOutput)
    return output

"""Classification: one label per row, of two or more classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import fit_regions, with_temperature
from lepton_automl.data.label_task import LabelOutput, LabelTask, label_output, label_preview, named_labels
from lepton_automl.errors import DataError
from lepton_automl.metric import Metric, Scorer, of_converted
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, TargetColumn, TargetPreview, Targets, Trees

if TYPE_CHECKING:
    from torch import Tensor, nn

TWO = 2


class BinaryOutput(LabelOutput):
    """Two classes."""

    kind = "binary"


class MulticlassOutput(LabelOutput):
    """More than two classes."""

    kind = "multiclass"


class _Classification(LabelTask):
    """What binary and multiclass classification have in common."""

    name: ClassVar[str]
    noun = "class"
    nouns = "classes"
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric(direction="maximize"),
        "balanced_accuracy": Metric(direction="maximize"),
        "f1": Metric(direction="maximize"),
        "auroc": Metric(direction="maximize"),
        "average_precision": Metric(direction="maximize"),
        "mcc": Metric(direction="maximize"),
        "log_loss": Metric(direction="minimize", unit=""),
    }
    share_metric = "accuracy"
    decoder_modules = ("lepton_automl.calibration", "lepton_automl.tasks.classification.decoder")
    decoder_class = "ClassDecoder"

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """Class indices; with two classes the task is always binary, even if multiclass is requested."""
        from .targets import encode_labels

        return encode_labels(column, options, reason, (Binary.name, Multiclass.name))

    def check_train(self, targets: Targets, train: Array) -> None:
        """Check that every class has a training row."""
        missing = sorted(set(range(len(targets.classes))) - set(targets.encoded[train].tolist()))
        if missing:
            names = ", ".join(repr(targets.classes[index]) for index in missing[:5])
            fix = "Split differently, or leave these classes out."
            raise DataError(f"no training example is of class {names}", where="splits", fix=fix)

    def strata(self, targets: Targets) -> Array | None:
        """The class of each row."""
        return targets.encoded

    def output(self, targets: Targets, train: Array, options: Any) -> LabelOutput:
        """The classes, with their training rows and weights."""
        counts = np.bincount(targets.encoded[train], minlength=len(targets.classes))
        balanced = counts.sum() / (len(counts) * np.maximum(counts, 1))
        weights = self.weights(options.class_weight, targets.classes, balanced.tolist())
        return self.Output(labels=targets.classes, counts=tuple(counts.tolist()), class_weight=weights)

    def decode_targets(self, targets: Array, output: OutputSpec) -> Array:
        """The labels of class indices."""
        from .decoder import as_labels

        labels: Array = as_labels(list(output.classes))[targets]
        return labels

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """Cross-entropy."""
        from .training import CrossEntropy

        return CrossEntropy(label_output(spec).class_weight, plan.label_smoothing)

    def boosted_trees(self, output: OutputSpec, settings: Mapping[str, Any]) -> Trees:
        """One ensemble for all classes."""
        from lepton_automl.data.boosted_trees import boosted_classes

        assert isinstance(output, LabelOutput)
        return boosted_classes(output.size, output.class_weight, settings)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The divergence of softened probabilities."""
        from .training import divergence

        return divergence(outputs, teacher, temperature)

    def outputs_of(self, answers: Tensor, output: OutputSpec) -> Tensor:
        """The logarithms of the probabilities."""
        from .training import LEAST_PROBABILITY

        del output
        return answers.float().clamp_min(LEAST_PROBABILITY).log()

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """Probabilities."""
        from lepton_automl.training.answers import Probabilities

        del output, unit
        return Probabilities(members=members)

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Scorers by scikit-learn's definitions; of calibrated probabilities once a temperature is fitted."""
        from .scorers import class_scorers

        scorers, temperature = class_scorers(output.size), _temperature(decoder)
        if temperature == 1.0:
            return scorers
        return of_converted(scorers, lambda answers: with_temperature(answers, temperature))

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """All scores from one confusion matrix, which is faster than the scorers if there are many classes."""
        import torch

        from .training import class_metrics

        del output
        temperature = _temperature(decoder)
        if temperature != 1.0:
            answers = torch.from_numpy(with_temperature(answers.numpy(), temperature))
        return class_metrics(answers, targets)

    def untrained_loss(self, output: OutputSpec) -> float:
        """The logarithm of the number of classes."""
        return math.log(output.size) if output.size > 1 else 1.0

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """The temperature of the probabilities, unless it is 1."""
        from lepton_automl.data.temperature import fit_temperature

        del output
        temperature = fit_temperature(answers, targets)
        return {} if temperature == 1.0 else {"temperature": temperature}

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """The quantiles of minus the probability of the true class."""
        del output
        likely = with_temperature(answers, _temperature(decoder))
        scores = -likely[np.arange(len(targets)), targets]
        return fit_regions(lambda _: scores)

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """Which classes are confused, how well probabilities are calibrated, and how large sets of labels are."""
        from .analysis import analyze_labels

        return analyze_labels(answers, targets, output.classes, decoder, worst)

    def title(self, spec: DataSpec) -> str:
        """The name of the task."""
        del spec
        return f"{self.name} classification"

    def what(self, spec: DataSpec, target: str) -> str:
        """The target, and the number of classes."""
        return f"{target}, one of {len(spec.classes)} classes"

    def extent(self, spec: DataSpec) -> str:
        """The classes by name."""
        return f"{len(spec.classes)} classes: {named_labels(spec.classes)}"

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A logit for each class."""
        return f"[N, {spec.outputs}]: a logit for each class", "int64 targets [N]"

    def schema(self, spec: DataSpec) -> str:
        """The number of classes."""
        return f"one of {len(spec.classes)} classes"

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """The most frequent classes."""
        counts = np.bincount(stored.astype(np.int64), minlength=output.size)
        codes, places = np.unique(stored, return_index=True)
        first = dict(zip(codes.tolist(), places.tolist(), strict=True))
        return label_preview(output.classes, counts, lambda at: first.get(at, -1), most)

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The log loss of guessing; 1 for the others."""
        return math.log(max(TWO, output.size)) if metric == "log_loss" else 1.0


class Binary(_Classification):
    """One of two classes."""

    name = "binary"
    Output = BinaryOutput

    def infer(self, column: TargetColumn) -> Claim | None:
        """Claim at most two different numbers; labels are counted when they are encoded."""
        numbers = column.numbers
        if numbers is None or (different := len(np.unique(numbers))) > TWO:
            return None
        return Claim(confidence=0.9, reason=f"it has {different} different values")

    def fits_tensor(self, targets: Array) -> bool:
        """False: bare indices do not show how many classes there may be."""
        del targets
        return False


class Multiclass(_Classification):
    """One of several classes."""

    name = "multiclass"
    Output = MulticlassOutput

    def infer(self, column: TargetColumn) -> Claim | None:
        """Claim labels, or integers with low confidence."""
        numbers = column.numbers
        if numbers is None:
            return Claim(confidence=0.5, reason="its values are labels")
        different = len(np.unique(numbers))
        why = f"it has only {different} different integers (set task='regression' if they are quantities)"
        return Claim(confidence=0.1, reason=why)

    def fits_tensor(self, targets: Array) -> bool:
        """Whether the targets are integers [N]."""
        return targets.ndim == 1 and targets.dtype.kind in "iub"


def _temperature(decoder: Json | None) -> float:
    return float((decoder or {}).get("temperature", 1.0))

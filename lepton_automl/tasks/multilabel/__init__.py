"""Several labels a row, or none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array, Json
from lepton_automl.errors import Complaints, DataError
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, ClassPreview, Metric, TargetColumn, TargetPreview, Targets
from lepton_automl.texts import clean, code_span

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_LISTED = 100  # labels whose rows MLflow shows


@dataclass(frozen=True, kw_only=True)
class MultilabelOptions(Value):
    """What a user may say about several labels a row; whoever does asks for this task.

    Args:
        label_separator: What stands between the labels of one text, such as `";"`.
    """

    label_separator: str | None = None

    def check(self, complaints: Complaints) -> None:
        """Complain of what is no text."""
        sound = self.label_separator is None or (isinstance(self.label_separator, str) and self.label_separator)
        complaints.check(sound, f"label_separator is {self.label_separator!r}; it must be text")


@dataclass(frozen=True, kw_only=True)
class LabelSetOutput(OutputSpec):
    """The labels.

    Args:
        labels: In the order of the network's outputs.
        counts: Training rows with each.
        class_weight: One weight a label in the loss; empty for none.
    """

    kind = "multilabel"

    labels: tuple[Any, ...]
    counts: tuple[int, ...] = ()
    class_weight: tuple[float, ...] = ()

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels."""
        return self.labels

    @property
    def size(self) -> int:
        """One logit a label."""
        return len(self.labels)


class Multilabel:
    """Several labels a row, or none."""

    name = "multilabel"
    Options = MultilabelOptions
    Output = LabelSetOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "mean_average_precision": Metric(direction="maximize"),
        "micro_f1": Metric(direction="maximize"),
        "macro_f1": Metric(direction="maximize"),
        "subset_accuracy": Metric(direction="maximize"),
        "log_loss": Metric(direction="minimize", unit=""),
    }
    holds: Literal["labels", "numbers"] = "labels"
    probabilities = True
    share_metric = "mean_average_precision"
    decoder_modules = ("lepton_automl.tasks.multilabel.decoder",)
    decoder_class = "LabelSetDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Collections of labels."""
        from .targets import is_label_set

        if not all(map(is_label_set, column.cells[column.learnt].tolist())):
            return None
        return Claim(confidence=1.0, reason="its cells hold lists")

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """Zeros and ones."""
        from .targets import encode_label_sets

        own: MultilabelOptions = options.of("tasks", self.name)
        return encode_label_sets(column, self.name, reason, own.label_separator)

    def check_train(self, targets: Targets, train: Array) -> None:
        """Every label has a training row."""
        lacking = np.flatnonzero(targets.encoded[train].sum(0) == 0)
        if len(lacking):
            names = ", ".join(repr(targets.classes[at]) for at in lacking[:5])
            fix = "Split otherwise, or leave these labels out."
            raise DataError(f"no training example has the label {names}", where="splits", fix=fix)

    def strata(self, targets: Targets) -> Array | None:
        """The rarest label of each row."""
        from .targets import rarest_labels

        return rarest_labels(targets.encoded)

    def output(self, targets: Targets, train: Array, options: Any) -> LabelSetOutput:
        """The labels, their rows and their weights."""
        learnt = targets.encoded[train]
        counts = tuple(int(count) for count in learnt.sum(0))
        return LabelSetOutput(
            labels=targets.classes, counts=counts, class_weight=_weights(options.class_weight, targets.classes, counts)
        )

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """The zeros and ones."""
        del output
        return encoded

    def truths(self, targets: Array, output: OutputSpec) -> Array:
        """Lists of labels."""
        from .decoder import LabelSetDecoder

        return LabelSetDecoder(output.shipped()).decode(targets, {})

    def fits_tensor(self, targets: Array) -> bool:
        """Zeros and ones [N, K]."""
        return targets.ndim == 2 and bool(np.isin(targets, (0, 1)).all())

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> LabelSetOutput:
        """Labels that are called by their indices."""
        del targets, standardise
        return LabelSetOutput(labels=tuple(range(outputs)))

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The cross-entropy of each label."""
        from .training import BinaryCrossEntropy

        return BinaryCrossEntropy(_of(spec.output).class_weight, plan.label_smoothing)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The cross-entropy of softened probabilities."""
        from .training import teacher_distance

        return teacher_distance(outputs, teacher, temperature)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The probability of each label."""
        from .training import LabelProbabilities

        del output, unit
        return LabelProbabilities(members=members)

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """As they are."""
        del output
        return values

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Logits, as they are."""
        del output
        return outputs

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """By scikit-learn's definitions; before thresholds are known they are one half."""
        import torch

        from .training import label_metrics

        thresholds = (decoder or {}).get("thresholds") or [0.5] * output.size
        return label_metrics(answers, targets, torch.tensor(thresholds, dtype=torch.float64))

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The log loss."""
        del output
        return scores["log_loss"]

    def ignorant_loss(self, output: OutputSpec) -> float:
        """That of one half."""
        del output
        return math.log(2)

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """For each label the threshold with the highest F1."""
        from .training import best_thresholds

        del output
        return {"thresholds": best_thresholds(answers, targets)}

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """How each label does, and the rows with the highest loss."""
        from .analysis import analyze_label_sets

        thresholds = np.array(decoder.get("thresholds") or [0.5] * output.size)
        return analyze_label_sets(answers, targets, output.classes, thresholds, worst)

    def title(self, spec: DataSpec) -> str:
        """The task."""
        del spec
        return "multi-label classification"

    def what(self, spec: DataSpec, target: str) -> str:
        """Some of so many labels."""
        return f"{target}, any of {len(spec.classes)} labels"

    def extent(self, spec: DataSpec) -> str:
        """The labels by name."""
        names = ", ".join(clean(label, 24) for label in spec.classes[:12])
        return f"any of {len(spec.classes)} labels: {names}{', …' * (len(spec.classes) > 12)}"

    def limits(self, spec: DataSpec) -> str:
        """The labels that a model knows."""
        return f"It knows only these labels: {', '.join(map(code_span, spec.classes[:30]))}{', …' * (len(spec.classes) > 30)}."

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A logit for each label."""
        return f"[N, {spec.outputs}]: a logit for each label", "float32 targets [N, labels] of zeros and ones"

    def schema(self, spec: DataSpec) -> str:
        """How many labels there are."""
        return f"any of {len(spec.classes)} labels"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The rows with each label among those that are learnt from."""
        output = _of(spec.output)
        named = [f"train, label {label}" for label in output.labels[:MOST_LISTED]]
        return {"labels": len(output.labels)} | dict(zip(named, output.counts, strict=False))

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """The most frequent labels."""
        counts = stored.sum(0)
        chosen = sorted(np.argsort(-counts, kind="stable")[:most].tolist())
        classes = (
            ClassPreview(
                label=output.classes[at], rows=int(counts[at]), first=int(stored[:, at].argmax()) if counts[at] else -1
            )
            for at in chosen
        )
        return TargetPreview(classes=tuple(classes))

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """A share's, or the log loss of one half."""
        del output
        return 1.0 if self.metrics[metric].unit == "share" else math.log(2)


def _weights(class_weight: Any, labels: tuple[Any, ...], counts: tuple[int, ...]) -> tuple[float, ...]:
    """One weight a label, with a mean of 1 where they are to be balanced.

    Raises:
        DataError: A weight is for a label that does not exist.
    """
    if class_weight is None:
        return ()
    if class_weight == "balanced":
        inverse = [1 / max(1, count) for count in counts]
        return tuple(len(inverse) * part / sum(inverse) for part in inverse)
    by_text = {str(label): float(weight) for label, weight in class_weight.items()}
    unknown = sorted(set(by_text) - {str(label) for label in labels})
    if unknown:
        listed = ", ".join(map(str, labels))
        raise DataError(f"there is no label {', '.join(unknown)}", where="class_weight", fix=f"Labels: {listed}.")
    return tuple(by_text.get(str(label), 1.0) for label in labels)


def _of(output: OutputSpec) -> LabelSetOutput:
    assert isinstance(output, LabelSetOutput)
    return output

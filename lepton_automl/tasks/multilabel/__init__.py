"""Multi-label classification: any number of labels per row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import fit_regions
from lepton_automl.data.label_task import LabelOutput, LabelTask, label_output, label_preview, named_labels
from lepton_automl.errors import Complaints, DataError
from lepton_automl.metric import Metric, Scorer, of_converted, values_of
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, TargetColumn, TargetPreview, Targets, Trees

if TYPE_CHECKING:
    from torch import Tensor, nn

ANY_SET = -2.0  # less than minus any probability: a score that every set of labels meets


@dataclass(frozen=True, kw_only=True)
class MultilabelOptions(Value):
    """Options for multi-label classification; setting one selects this task.

    Args:
        label_separator: The separator between the labels of a text, such as `";"`.
    """

    label_separator: str | None = None

    def check(self, complaints: Complaints) -> None:
        """Report an invalid value."""
        sound = self.label_separator is None or (isinstance(self.label_separator, str) and self.label_separator)
        complaints.check(sound, f"label_separator is {self.label_separator!r}; it must be a text that is not empty")


@dataclass(frozen=True, kw_only=True)
class LabelSetOutput(LabelOutput):
    """The labels."""

    kind = "multilabel"


class Multilabel(LabelTask):
    """Any number of labels per row."""

    name = "multilabel"
    noun = "label"
    nouns = "labels"
    Options = MultilabelOptions
    Output = LabelSetOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "mean_average_precision": Metric(direction="maximize"),
        "micro_f1": Metric(direction="maximize"),
        "macro_f1": Metric(direction="maximize"),
        "subset_accuracy": Metric(direction="maximize"),
        "log_loss": Metric(direction="minimize", unit=""),
    }
    share_metric = "mean_average_precision"
    decoder_modules = ("lepton_automl.calibration", "lepton_automl.tasks.multilabel.decoder")
    decoder_class = "LabelSetDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Claim targets whose cells are all collections of labels."""
        from .targets import is_label_set

        if not all(map(is_label_set, column.cells[column.learnt].tolist())):
            return None
        return Claim(confidence=1.0, reason="its cells hold lists")

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """Zeros and ones [N, labels]."""
        from .targets import encode_label_sets

        own: MultilabelOptions = options.of("tasks", self.name)
        return encode_label_sets(column, self.name, reason, own.label_separator)

    def check_train(self, targets: Targets, train: Array) -> None:
        """Check that every label has a training row."""
        missing = np.flatnonzero(targets.encoded[train].sum(0) == 0)
        if len(missing):
            names = ", ".join(repr(targets.classes[at]) for at in missing[:5])
            fix = "Split differently, or leave these labels out."
            raise DataError(f"no training example has the label {names}", where="splits", fix=fix)

    def strata(self, targets: Targets) -> Array | None:
        """The rarest label of each row."""
        from .targets import rarest_labels

        return rarest_labels(targets.encoded)

    def output(self, targets: Targets, train: Array, options: Any) -> LabelSetOutput:
        """The labels, with their training rows and weights."""
        encoded = targets.encoded[train]
        counts = tuple(int(count) for count in encoded.sum(0))
        inverse = [1 / max(1, count) for count in counts]
        balanced = [len(inverse) * part / sum(inverse) for part in inverse]
        weights = self.weights(options.class_weight, targets.classes, balanced)
        return LabelSetOutput(labels=targets.classes, counts=counts, class_weight=weights)

    def decode_targets(self, targets: Array, output: OutputSpec) -> Array:
        """The list of labels of each row."""
        from .decoder import LabelSetDecoder

        return LabelSetDecoder(output.shipped()).decode(targets, {})

    def fits_tensor(self, targets: Array) -> bool:
        """Whether the targets are zeros and ones [N, K]."""
        return targets.ndim == 2 and bool(np.isin(targets, (0, 1)).all())

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The cross-entropy of each label."""
        from .training import BinaryCrossEntropy

        return BinaryCrossEntropy(label_output(spec).class_weight, plan.label_smoothing)

    def boosted_trees(self, output: OutputSpec, settings: Mapping[str, Any]) -> Trees:
        """An ensemble for each label."""
        from lepton_automl.data.boosted_trees import boosted_labels

        return boosted_labels(output.size, settings)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The cross-entropy of softened probabilities."""
        from .training import teacher_distance

        return teacher_distance(outputs, teacher, temperature)

    def outputs_of(self, answers: Tensor, output: OutputSpec) -> Tensor:
        """The logits of the probabilities."""
        from .training import LEAST_PROBABILITY

        del output
        return answers.float().logit(LEAST_PROBABILITY)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """The probability of each label."""
        from lepton_automl.training.answers import Probabilities

        del output, unit
        return Probabilities(members=members, exclusive=False)

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Scorers by scikit-learn's definitions; thresholds are one half, and temperatures 1, until they are fitted."""
        from .decoder import with_temperatures
        from .scorers import label_scorers

        fitted = decoder or {}
        scorers = label_scorers(fitted.get("thresholds") or [0.5] * output.size)
        if "temperature" not in fitted:
            return scorers
        temperature = np.array(fitted["temperature"])
        return of_converted(scorers, lambda answers: with_temperatures(answers, temperature))

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """The values of the scorers."""
        return values_of(self.scorers(output, decoder), answers.numpy(), targets.numpy())

    def untrained_loss(self, output: OutputSpec) -> float:
        """The log loss of probabilities of one half."""
        del output
        return math.log(2)

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """For each label the temperature of its probability, and the threshold with the highest F1; no temperatures if all are 1."""
        from .decoder import with_temperatures
        from .training import best_temperatures, best_thresholds

        del output
        temperature = best_temperatures(answers, targets)
        thresholds = best_thresholds(with_temperatures(answers, np.array(temperature)), targets)
        scaled = {} if set(temperature) == {1.0} else {"temperature": temperature}
        return {"thresholds": thresholds, **scaled}

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """The quantiles of minus the probability of each row's least probable label."""
        from .decoder import with_temperatures

        likely = with_temperatures(answers, np.array(decoder.get("temperature") or [1.0] * output.size))
        scores = np.where(targets > 0.5, -likely, ANY_SET).max(1)  # ANY_SET for a row without labels
        return fit_regions(lambda _: scores)

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """Scores of each label, the wrong rows with the highest loss, and how well probabilities are calibrated."""
        from .analysis import analyze_label_sets

        return analyze_label_sets(answers, targets, output.classes, decoder, worst)

    def title(self, spec: DataSpec) -> str:
        """The name of the task."""
        del spec
        return "multi-label classification"

    def what(self, spec: DataSpec, target: str) -> str:
        """The target, and the number of labels."""
        return f"{target}, any of {len(spec.classes)} labels"

    def extent(self, spec: DataSpec) -> str:
        """The labels by name."""
        return f"any of {len(spec.classes)} labels: {named_labels(spec.classes)}"

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """A logit for each label."""
        return f"[N, {spec.outputs}]: a logit for each label", "float32 targets [N, labels] of zeros and ones"

    def schema(self, spec: DataSpec) -> str:
        """The number of labels."""
        return f"any of {len(spec.classes)} labels"

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """The most frequent labels."""
        counts = stored.sum(0)
        return label_preview(output.classes, counts, lambda at: int(stored[:, at].argmax()) if counts[at] else -1, most)

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """1 for shares; else the log loss of probabilities of one half."""
        del output
        return 1.0 if self.metrics[metric].unit == "share" else math.log(2)

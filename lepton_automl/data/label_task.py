"""The part common to tasks that predict labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import to_text
from lepton_automl.errors import DataError
from lepton_automl.metric import Metric
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import ClassPreview, TargetPreview
from lepton_automl.texts import clean, code_span

if TYPE_CHECKING:
    from torch import Tensor

MOST_LISTED = 100  # labels whose row counts MLflow shows


@dataclass(frozen=True, kw_only=True)
class LabelOutput(OutputSpec):
    """The labels that a task predicts.

    Args:
        labels: In the order of the network's outputs.
        counts: Training rows of each label.
        class_weight: One weight per label in the loss; empty for none.
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
        """One logit per label."""
        return len(self.labels)


class LabelTask:
    """A task whose targets are labels, and whose answers are a probability for each.

    Attributes:
        Output: As in every task.
        metrics: As in every task; one is `log_loss`.
        noun: The word for a label in texts.
        nouns: Its plural.
    """

    Output: type[LabelOutput]
    metrics: ClassVar[Mapping[str, Metric]]
    noun: ClassVar[str]
    nouns: ClassVar[str]
    holds: Literal["labels", "numbers"] = "labels"
    probabilities = True

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """The encoded targets, unchanged."""
        del output
        return encoded

    def weights(self, class_weight: Any, labels: tuple[Any, ...], balanced: Sequence[float]) -> tuple[float, ...]:
        """One weight per label in the loss; empty for none.

        Args:
            class_weight: `"balanced"`, a weight for each label by its text, or None.
            labels: In the order of the network's outputs.
            balanced: The weights that balance the labels by their numbers of rows.

        Raises:
            DataError: A weight is for a label that does not exist.
        """
        if class_weight is None:
            return ()
        if class_weight == "balanced":
            return tuple(balanced)
        by_text = {str(to_text(label)): float(weight) for label, weight in class_weight.items()}
        texts = [str(to_text(label)) for label in labels]
        unknown = sorted(set(by_text) - set(texts))
        if unknown:
            fix = f"{self.nouns.capitalize()}: {', '.join(texts)}."
            raise DataError(f"there is no {self.noun} {', '.join(unknown)}", where="class_weight", fix=fix)
        return tuple(by_text.get(text, 1.0) for text in texts)

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> LabelOutput:
        """Labels named by their indices."""
        del targets, standardise
        return self.Output(labels=tuple(range(outputs)))

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """The values, unchanged."""
        del output
        return values

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """The logits, unchanged."""
        del output
        return outputs

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The log loss."""
        del output
        return scores["log_loss"]

    def limits(self, spec: DataSpec) -> str:
        """The labels that a model knows."""
        return f"It knows only these labels: {', '.join(map(code_span, spec.classes[:30]))}{', …' * (len(spec.classes) > 30)}."

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The number of labels, and the training rows of each."""
        output = label_output(spec)
        named = [f"train, {self.noun} {label}" for label in output.labels[:MOST_LISTED]]
        return {self.nouns: len(output.labels)} | dict(zip(named, output.counts, strict=False))


def label_output(spec: DataSpec) -> LabelOutput:
    """The labels of prepared data."""
    assert isinstance(spec.output, LabelOutput)
    return spec.output


def named_labels(labels: tuple[Any, ...], most: int = 12) -> str:
    """Labels by name for a report; an ellipsis stands for those beyond `most`."""
    return ", ".join(clean(label, 24) for label in labels[:most]) + ", …" * (len(labels) > most)


def label_preview(labels: tuple[Any, ...], counts: Array, first: Callable[[int], int], most: int) -> TargetPreview:
    """The most frequent labels, in their own order.

    Args:
        labels: In the order of the network's outputs.
        counts: Stored rows of each label, [labels].
        first: Returns the position of the first row with a label, by the label's index; -1 if there is none.
        most: Number of labels shown at most.
    """
    chosen = sorted(np.argsort(-counts, kind="stable")[:most].tolist())
    classes = (ClassPreview(label=labels[at], rows=int(counts[at]), first=first(at)) for at in chosen)
    return TargetPreview(classes=tuple(classes))

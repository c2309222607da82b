"""Sequences of numbers, of unequal length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.arrays import Array
from lepton_automl.modality import Augment, Claim, ColumnPreview, Examples, Preprocess, Progress, Usage
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec

from .spec import SequenceInput, SequenceOptions

if TYPE_CHECKING:
    from torch import nn


class SequenceModality:
    """One sequence an example."""

    name = "sequence"
    extra = ""
    Options = SequenceOptions
    Input = SequenceInput
    Augmentation = None
    family = "pooled"
    baseline = ""
    preprocess_modules = ("lepton_example.sequence.preprocess",)
    preprocess_class = "SequencePreprocess"
    usage = Usage(
        article="A sequence",
        example="a sequence of numbers",
        plural="sequences",
        file="sequences.jsonl",
        python="[1.0, 2.0, 3.0]",
        files="a file with a list of numbers in each line, one list as JSON",
        request='{"dataframe_records": [{"values": [1.0, 2.0]}]}',
        takes="the numbers of each sequence, in order",
    )

    def recognize(self, source: Any) -> Claim | None:
        """Files that end in .jsonl."""
        is_own = isinstance(source, str | Path) and Path(source).suffix == ".jsonl"
        return Claim(confidence=0.9, reason="it is a file of sequences") if is_own else None

    def examples(
        self, source: Any, test: Any, folder: Path, options: Any, progress: Progress | None
    ) -> AbstractContextManager[Examples]:
        """The sequences with their targets."""
        from .prepare import sequence_examples

        return sequence_examples(source, test, options)

    def augment(self, plan: TrainPlan, spec: DataSpec) -> Augment | None:
        """Rows stay as they are."""
        return None

    def entry(self, spec: DataSpec) -> nn.Module:
        """The scaled numbers."""
        from .network import Values

        return Values()

    def call(self, examples: Sequence[Any]) -> Any:
        """A list of sequences."""
        return list(examples)

    def describe(self, spec: DataSpec) -> str:
        """How long they are."""
        return f"sequences of up to {_length(spec)} numbers"

    def row(self, spec: DataSpec) -> str:
        """Likewise."""
        return f"a sequence of up to {_length(spec)} numbers"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The length."""
        return {"length": _length(spec)}

    def schema(self, spec: DataSpec) -> list[tuple[str, str]]:
        """One column."""
        return [("values", "array")]

    def columns(self, spec: DataSpec) -> tuple[ColumnPreview, ...]:
        """None."""
        return ()

    def thumbnail(self, inputs: Mapping[str, Array]) -> str:
        """None."""
        return ""

    def original(self, preprocess: Preprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
        """The numbers in their own unit."""
        found = []
        for row in rows:
            values = inputs["values"][row][inputs["mask"][row] > 0]
            found.append({"values": (values * preprocess.scale + preprocess.mean).tolist()})
        return found


def _length(spec: DataSpec) -> int:
    assert isinstance(spec.input, SequenceInput)
    return spec.input.length

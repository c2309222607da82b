"""A short text for each example, letter by letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.metric import Metric, Scorer, SummedScore, mean_score, ratio, values_of
from lepton_automl.modality import Claim
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Analysis, ClassPreview, TargetColumn, TargetPreview, Targets

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class CaptionOutput(OutputSpec):
    """The letters and how many there are in a caption.

    Args:
        letters: In the order of their tokens; the end mark comes behind them.
        longest: The most letters of a training caption.
        typical: Steps of a training caption in the middle, with that of the end mark.
    """

    kind = "caption"

    letters: tuple[str, ...] = ()
    longest: int = 1
    typical: int = 1

    @property
    def classes(self) -> tuple[Any, ...]:
        """The letters."""
        return self.letters

    @property
    def size(self) -> int:
        """A score for each token at each place."""
        return self.longest * (len(self.letters) + 1)

    def shipped(self) -> dict[str, Any]:
        """With the lengths."""
        return {**super().shipped(), "longest": self.longest, "typical": self.typical}


class Caption:
    """Learned and scored by letters; written by the decoder's loop."""

    name = "caption"
    Output = CaptionOutput
    metrics: ClassVar[Mapping[str, Metric]] = {
        "exact_captions": Metric(direction="maximize"),
        "right_letters": Metric(direction="maximize"),
    }
    holds: Literal["labels", "numbers"] = "labels"
    probabilities = False
    share_metric = "right_letters"
    decoder_modules = ("lepton_example.caption.decoder",)
    decoder_class = "CaptionDecoder"

    def infer(self, column: TargetColumn) -> Claim | None:
        """Never: it has to be asked for."""
        return None

    def encode(self, column: Any, options: Any, reason: str) -> Targets:
        """Tokens, with end marks up to the longest."""
        texts = [str(cell) for cell in column.cells[column.known].tolist()]
        letters = tuple(sorted({letter for text in texts for letter in text}))
        encoded = np.full((len(texts), max(map(len, texts))), len(letters), np.int64)
        for row, text in enumerate(texts):
            encoded[row, : len(text)] = [letters.index(letter) for letter in text]
        notes = (f"captions of up to {encoded.shape[1]} letters, {reason}",)
        return Targets(task=self.name, classes=letters, encoded=encoded, rows=column.known, notes=notes)

    def check_train(self, targets: Targets, train: Array) -> None:
        """Any row will do."""

    def strata(self, targets: Targets) -> Array | None:
        """Nothing."""
        return None

    def output(self, targets: Targets, train: Array, options: Any) -> CaptionOutput:
        """Letters and lengths."""
        lengths = (targets.encoded[train] < len(targets.classes)).sum(1)
        longest = targets.encoded.shape[1]
        return CaptionOutput(letters=targets.classes, longest=longest, typical=min(int(np.median(lengths)) + 1, longest))

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """The tokens."""
        return encoded

    def decode_targets(self, targets: Array, output: OutputSpec) -> Array:
        """Texts."""
        from .decoder import CaptionDecoder

        return CaptionDecoder(output.shipped()).decode(targets, {})

    def fits_tensor(self, targets: Array) -> bool:
        """No: captions have to be asked for."""
        return False

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> CaptionOutput:
        """Never: see `fits_tensor`."""
        raise NotImplementedError

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The cross-entropy of letters."""
        from .training import TokenCrossEntropy

        return TokenCrossEntropy(len(_of(spec.output).letters))

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The squared error of scores."""
        from torch.nn.functional import mse_loss

        return mse_loss(outputs, teacher)

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """Tokens."""
        from .training import Tokens

        return Tokens(longest=_of(output).longest, end=len(_of(output).letters), members=members)

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """As they are."""
        return values

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """As they are."""
        return outputs

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """Shares of the captions, and of all their letters, that are right."""
        end = len(_of(output).letters)

        def right_and_all(answers: Array, targets: Array) -> Array:
            counts = (targets != end) | (answers != end)
            return np.stack([((answers == targets) & counts).sum(1), counts.sum(1)], 1).astype(np.float64)

        return {
            "exact_captions": mean_score(lambda answers, targets: (answers == targets).all(1).astype(np.float64)),
            "right_letters": SummedScore(right_and_all, lambda sums: ratio(sums[0], sums[1])),
        }

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """Those of the scorers."""
        return values_of(self.scorers(output, decoder), answers.numpy(), targets.numpy())

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The share of letters that are wrong."""
        return 1 - scores["right_letters"]

    def untrained_loss(self, output: OutputSpec) -> float:
        """All of them."""
        return 1.0

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """Nothing."""
        return {}

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """Nothing."""
        return {}

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """The captions with the most wrong letters."""
        wrong = (answers != targets).mean(1)
        decode_targets, texts = self.decode_targets(targets, output), self.decode_targets(answers, output)
        rows = np.argsort(-wrong, kind="stable")[:worst].tolist()
        listed = [(row, {"truth": decode_targets[row], "answer": texts[row], "loss": float(wrong[row])}) for row in rows]
        return Analysis(worst=listed, parts={})

    def title(self, spec: DataSpec) -> str:
        """The task."""
        return self.name

    def what(self, spec: DataSpec, target: str) -> str:
        """A text."""
        return f"the text {target}"

    def extent(self, spec: DataSpec) -> str:
        """How long it can be."""
        return f"a text of up to {_of(spec.output).longest} letters"

    def limits(self, spec: DataSpec) -> str:
        """The letters that it knows."""
        return f"It writes up to {_of(spec.output).longest} of the letters {''.join(_of(spec.output).letters)}."

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """Scores of tokens."""
        return f"[N, {spec.outputs}]: a score for each token at each place", "int64 tokens [N, places]"

    def schema(self, spec: DataSpec) -> str:
        """A text."""
        return "string"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The longest caption."""
        return {"longest caption": _of(spec.output).longest}

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """The most frequent captions."""
        texts, first, counts = np.unique(self.decode_targets(stored, output).astype(str), return_index=True, return_counts=True)
        chosen = np.argsort(-counts, kind="stable")[:most]
        return TargetPreview(
            classes=tuple(ClassPreview(label=str(texts[at]), rows=int(counts[at]), first=int(first[at])) for at in chosen)
        )

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """A share's."""
        return 1.0


def _of(output: OutputSpec) -> CaptionOutput:
    assert isinstance(output, CaptionOutput)
    return output

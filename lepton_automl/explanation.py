"""Why a model answers as it does for one example: what each part of the example contributes to the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ._json import Value
from .arrays import Array
from .modality import Parts, Preprocess


@dataclass(frozen=True, kw_only=True)
class PartContribution(Value):
    """What one part of an example contributes.

    Args:
        name: The column, or the region's row and column in the grid, from 1.
        value: The cell as text; empty for a region.
        contributions: How much the part moves each number of the answer, by its name.
        errors: Their standard errors from sampling, by name; 0 if all combinations of parts were tried.
    """

    name: str
    value: str = ""
    contributions: dict[str, float]
    errors: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Explanation(Value):
    """Contributions of an example's parts to the model's answer: Shapley values. With `base`, they add up to `answer`.

    They explain the model, not the world: a part contributes where the model uses it, whether or not it is a cause.

    Args:
        prediction: The model's prediction for the example, as text.
        main: The number that the prediction is about: the predicted class, or the target.
        is_probability: Whether the numbers are probabilities.
        base: The mean answer for the background, by the number's name: probabilities by class, or
            numbers in the target's unit by target.
        answer: The answer for the example, likewise.
        parts: The parts, the largest contribution to `main` first; regions are row by row.
        background: The number of examples that unknown parts were taken from; 0 if regions were covered.
        evaluations: How often the model was asked.
        grid: Rows and columns of the regions; empty for columns.
        picture: The example, which the regions are parts of, as a PNG in base64; empty for columns.
    """

    prediction: str
    main: str
    is_probability: bool
    base: dict[str, float]
    answer: dict[str, float]
    parts: tuple[PartContribution, ...]
    background: int
    evaluations: int
    grid: tuple[int, ...] = ()
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class ExplainedRows(Value):
    """Explanations of a model's answers for some stored rows.

    Args:
        rows: Their indices in their split, from 0.
        explanations: One for each.
    """

    rows: tuple[int, ...]
    explanations: tuple[Explanation, ...]


@runtime_checkable
class ExplainableModality(Protocol):
    """A modality whose examples have parts that can be unknown, so that single answers can be explained.

    It works on what a bundle has: the preprocessing and its arrays. Needs NumPy only.
    """

    def explained_parts(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The parts of one example, which cover it without overlap.

        Args:
            preprocess: The preprocessing of the bundle.
            inputs: Its arrays for the example, of one row.
        """

    def cells(self, preprocess: Preprocess, raw: Any) -> tuple[str, ...]:
        """What stands in each part of one raw example, as text; empty if there is nothing to read."""

    def cover(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """What takes the place of unknown parts: arrays of one row; None if other examples do."""

    def mixtures(
        self,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        background: Mapping[str, Array],
        known: Array,
        rows: Array,
    ) -> dict[str, Array]:
        """Arrays in which some parts are those of the example, and the others those of background rows.

        Args:
            preprocess: The preprocessing of the bundle.
            inputs: Its arrays for the example, of one row.
            background: Its arrays for the background, of B rows.
            known: Which parts are those of the example, bool [M, parts].
            rows: The background row of each mixture, int [M].

        Returns:
            Arrays of M rows.
        """

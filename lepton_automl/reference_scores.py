"""Scores to compare networks with: those of a constant answer and of gradient-boosted trees, which are no models of the front."""

from __future__ import annotations

from dataclasses import dataclass

from ._json import Value
from .request import Request, Response
from .specs import DataSpec

CONSTANT, TREES = "constant", "boosted_trees"
TITLES = {CONSTANT: "the same answer for every row", TREES: "gradient-boosted trees (scikit-learn)"}


@dataclass(frozen=True, kw_only=True)
class ReferencesJob(Request):
    """A request while the search runs: score what networks are compared with.

    Args:
        data: The prepared data.
        seconds: How long fitting may take.
        seed: Seed of the trees.
    """

    data: DataSpec
    seconds: float
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Reference(Value):
    """One of them.

    Args:
        name: `"constant"` or `"boosted_trees"`.
        scores: Every score of the task on the rows that networks are scored on.
        seconds: Seconds of fitting.
        rounds: Boosting rounds, over all folds; 0 if it has none.
        complete: Whether it had the time for all rounds.
    """

    name: str
    scores: dict[str, float]
    seconds: float = 0.0
    rounds: int = 0
    complete: bool = True

    @property
    def title(self) -> str:
        """What it is, in words."""
        return TITLES.get(self.name, self.name)


@dataclass(frozen=True, kw_only=True)
class ReferenceScores(Response):
    """The answer to a `ReferencesJob`.

    Args:
        references: The worst first.
        missing: Why there are no trees; empty if there are.
    """

    references: tuple[Reference, ...]
    missing: str = ""

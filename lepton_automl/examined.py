"""What a model gets wrong: a value that is worked out once and shown by every window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value
from .values import Task, TrialJob

Held = Literal["validation", "held-out", "test"]
HELD_OUT = "held-out.npy"  # in a trial's folder: what its networks answered on the folds that each had not seen


@dataclass(frozen=True, kw_only=True)
class ExamineJob(Value):
    """An errand: look at what a finished model gets wrong.

    Args:
        trial: The job that the model came from.
        bundle: Its bundle's folder.
        split: The rows that it is asked; of cross-validated scores `"held-out"`, all rows, each asked of the network of the same
            recipe that was taught without it; the test rows only where the sealed split was opened before.
        worst: So many examples are shown, those with the highest loss.
    """

    trial: TrialJob
    bundle: str
    split: Held = "validation"
    worst: int = 12


@dataclass(frozen=True, kw_only=True)
class Example(Value):
    """One row that a model was asked.

    Args:
        row: Its place in the split, from 0.
        truth: Its label, or its value in the target's own unit.
        answer: What the model said.
        loss: Minus the logarithm of the truth's probability, or the distance from the truth.
        sure: The probability of the answer; None for a number.
        picture: A PNG in base64, of an image; else empty.
        cells: A table's columns and their values, in the units that the person gave them; a cell that the model does not
            know (missing, rare or new) is None.
    """

    row: int
    truth: Any
    answer: Any
    loss: float
    sure: float | None = None
    picture: str = ""
    cells: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClassScore(Value):
    """How a model does on one class.

    Args:
        label: The class.
        rows: Rows of it.
        answered: Rows that the model said were of it.
        right: Rows of it that the model said were of it.
    """

    label: Any
    rows: int
    answered: int
    right: int

    @property
    def precision(self) -> float | None:
        """Share of its answers that are right; None where it never gave this one."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share of the rows that it found; None where there is none."""
        return self.right / self.rows if self.rows else None


@dataclass(frozen=True, kw_only=True)
class SureBin(Value):
    """Rows of which a model was about equally sure.

    Args:
        low: The least probability of its answer.
        high: The greatest.
        rows: How many rows.
        sure: Mean probability of the answers.
        right: Share of the answers that are right.
    """

    low: float
    high: float
    rows: int
    sure: float
    right: float


@dataclass(frozen=True, kw_only=True)
class Examined(Value):
    """The answer to an `ExamineJob`.

    Args:
        trial: The model's trial.
        split: The rows that it was asked.
        rows: How many.
        task: What it predicts.
        target: What that is called.
        scores: Every score of the task on these rows.
        worst: Examples with the highest loss, the worst first.
        classes: How it does on each class, in the order of its outputs; empty for numbers.
        confusion: Rows by class: index of the truth, index of the answer, how many; pairs without rows are left out.
        calibration: How often it is right, by how sure it is; bins without rows are left out.
        calibration_error: The mean distance between the two, each row counting once.
        pairs: Truth and answer of rows that predict a number; a thousand at most, drawn evenly.
        bias: Mean of answer minus truth, where a number is predicted.
        spread: The distances from the truth that half, nine in ten, and all rows keep within.
    """

    trial: int
    split: Held
    rows: int
    task: Task
    target: str
    scores: dict[str, float]
    worst: tuple[Example, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, int, int], ...] = ()
    calibration: tuple[SureBin, ...] = ()
    calibration_error: float | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    bias: float | None = None
    spread: tuple[float, ...] = ()

    @property
    def wrong(self) -> int:
        """Rows of another class than the model said."""
        return sum(count for truth, answer, count in self.confusion if truth != answer)

    def mixed_up(self, most: int = 5) -> list[tuple[Any, Any, int]]:
        """The classes that are taken for others most often: truth, answer, rows."""
        wrong = sorted((pair for pair in self.confusion if pair[0] != pair[1]), key=lambda pair: -pair[2])
        return [(self.classes[truth].label, self.classes[answer].label, count) for truth, answer, count in wrong[:most]]

"""What must stand in a journal, by the copies of its lines: how lines that are missing at its end are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study_store import SPARE, trials_in


@dataclass(frozen=True)
class ExpectedLines:
    """What the copies beside a journal say that it must hold; lines that are missing at its end are found by this alone.

    Args:
        trials: Numbers of trials that have a folder.
        last: The number of the last line of which the study's own folder has a copy.
    """

    trials: frozenset[int]
    last: int

    @classmethod
    def by(cls, study: Path) -> Self:
        """By a study's folder; to be looked at before the journal, which is written first."""
        numbers = frozenset(int(path.name) for path in trials_in(study) if path.name.isdecimal())
        return cls(numbers, Journal(study / SPARE).last_number())

    def is_held_by(self, state: StudyState, last: int | None) -> bool:
        """Whether a journal holds it.

        Args:
            state: What the journal leads to.
            last: The number of its last line, or how many lines it has where they bear none; None where it has no line.
        """
        return self.trials <= state.trials.keys() and (last or 0) >= self.last

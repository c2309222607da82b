"""The lines that a journal must have, according to their copies: this detects lines that are missing at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study_store import SPARE, trials_in


@dataclass(frozen=True)
class ExpectedLines:
    """What a journal must contain, according to the copies beside it; only this detects lines that are missing at its end.

    Args:
        trials: Numbers of trials that have a folder.
        last: The number of the last line that has a copy in the study's own folder.
    """

    trials: frozenset[int]
    last: int

    @classmethod
    def by(cls, study: Path) -> Self:
        """Read from a study's folder; call this before reading the journal, which is written first."""
        numbers = frozenset(int(path.name) for path in trials_in(study) if path.name.isdecimal())
        return cls(numbers, Journal(study / SPARE).last_number())

    def is_held_by(self, state: StudyState, last: int | None) -> bool:
        """Whether a journal contains them.

        Args:
            state: The state after the journal's last event.
            last: The number of its last line, or how many lines it has if they have no numbers; None if it has no line.
        """
        return self.trials <= state.trials.keys() and (last or 0) >= self.last

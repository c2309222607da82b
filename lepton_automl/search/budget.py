"""What may still be spent."""

from __future__ import annotations

from lepton_automl.state import StudyState
from lepton_automl.values import Budget

MARGIN = 0.01  # share of the minutes kept for the end: the last words of workers, the choice, the books


class Purse:
    """Watches a budget.

    Args:
        budget: What may be spent.
        began: When the study began, seconds since the epoch.
    """

    def __init__(self, budget: Budget, began: float) -> None:
        self._budget, self._began = budget, began

    @property
    def deadline(self) -> float | None:
        """When trials must be over; None without a time budget."""
        minutes = self._budget.minutes
        return None if minutes is None else self._began + minutes * 60 * (1 - MARGIN)

    def spent(self, state: StudyState, now: float) -> str:
        """Why nothing more may be started; empty while something may."""
        if self.deadline is not None and now >= self.deadline:
            return f"the budget of {self._budget.minutes:g} minutes is spent"
        if self._budget.trials is not None and len(state.trials) >= self._budget.trials:
            return f"the budget of {self._budget.trials} trials is spent"
        if self._budget.epochs is not None and state.epochs >= self._budget.epochs:
            return f"the budget of {self._budget.epochs} epochs is spent"
        return ""

    def share(self, state: StudyState, now: float) -> float:
        """How much of the budget is used, from 0 to 1."""
        budget, used = self._budget, [0.0]
        if budget.minutes is not None:
            used.append((now - self._began) / (budget.minutes * 60))
        if budget.trials is not None:
            used.append(sum(trial.result is not None for trial in state.trials.values()) / budget.trials)
        if budget.epochs is not None:
            used.append(state.epochs / budget.epochs)
        return min(1.0, max(used))


def affordable_epochs(
    usual: int, epoch_seconds: float, budget: Budget, workers: int, *, least: int = 3, trials: int = 14
) -> int:
    """Epochs that a trial gets, so that the time budget affords about so many trials of ordinary size.

    Args:
        usual: Epochs that the data set would get with all the time in the world.
        epoch_seconds: What one epoch of an ordinary network takes one worker.
        budget: What may be spent.
        workers: Worker processes.
        least: Fewer teach a network too little to be compared.
        trials: How many whole trainings there should be.
    """
    if budget.minutes is None:
        return usual
    affordable = budget.minutes * 60 * workers / (trials * max(epoch_seconds, 1e-6))
    return int(min(usual, max(least, affordable)))

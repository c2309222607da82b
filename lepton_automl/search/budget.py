"""What may still be spent."""

from __future__ import annotations

from collections.abc import Callable

from lepton_automl.specs import Budget
from lepton_automl.state import StudyState

RESERVE = 0.01  # share of the time kept for the end where nobody has measured it: last words, the choice, the registration
LEAST_RESERVE = 2.0  # seconds, if the budget is not shorter than a minute
LARGEST_RESERVE = 3 / 20  # of the time may be kept for the end, whatever was measured


class BudgetTracker:
    """Watches a study's budget, which may be extended while it runs.

    Args:
        state: The study; paused time is not spent.
        reserve: Seconds that the end of the study will take, as far as is known by now; None where that is not measured.
        finish: Seconds that the finalists will take before it.
    """

    def __init__(
        self, state: StudyState, reserve: Callable[[], float] | None = None, finish: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._state, self._reserve, self._finish = state, reserve, finish

    @property
    def budget(self) -> Budget:
        """What may be spent in all."""
        return self._state.settings.budget

    @property
    def deadline(self) -> float | None:
        """When trials must be over, by the executor's clock; None without a budget of time."""
        return self._until(self._reserved)

    @property
    def end(self) -> float | None:
        """When the finalists must be done too."""
        return self._until(self._end_reserve)

    def _until(self, kept: Callable[[float], float]) -> float | None:
        seconds, state = self.seconds, self._state
        if seconds is None or state.started is None:
            return None
        return state.started.at + state.idle + seconds - kept(seconds)

    def _reserved(self, seconds: float) -> float:
        """Seconds kept for what comes after the search."""
        return min(self._end_reserve(seconds) + self._finish(), seconds * LARGEST_RESERVE)

    def _end_reserve(self, seconds: float) -> float:
        """Seconds kept for the end of the study."""
        if self._reserve is None:
            return max(seconds * RESERVE, min(LEAST_RESERVE, seconds / 30))
        return min(self._reserve(), seconds * LARGEST_RESERVE)

    @property
    def seconds(self) -> float | None:
        """The budget in seconds of search: of its minutes, or of what its cost buys, whichever is less."""
        settings = self._state.settings
        return self.budget.seconds(settings.target.device, settings.workers)

    def spent(self, now: float) -> str:
        """Why nothing more may be started; empty while something may."""
        budget, state, seconds = self.budget, self._state, self.seconds
        if seconds is not None and state.spent(now) >= seconds - self._reserved(seconds):
            what = f"{budget.minutes:g} minutes" if budget.cost is None else f"{budget.cost:g} (in the currency of its prices)"
            return f"the budget of {what} is spent"
        if budget.trials is not None and len(state.trials) >= budget.trials:
            return f"the budget of {budget.trials} trials is spent"
        if budget.epochs is not None and state.epochs >= budget.epochs:
            return f"the budget of {budget.epochs} epochs is spent"
        return ""

    def share(self, now: float) -> float:
        """How much of the budget is used, from 0 to 1."""
        budget, state, used = self.budget, self._state, [0.0]
        if self.seconds is not None:
            used.append(state.spent(now) / self.seconds)
        if budget.trials is not None:
            used.append((len(state.trials) - len(state.running)) / budget.trials)
        if budget.epochs is not None:
            used.append(state.epochs / budget.epochs)
        return min(1.0, max(used))


def affordable_epochs(
    usual: int, epoch_seconds: float, seconds: float | None, workers: int, *, least: int = 3, trials: int = 14
) -> int:
    """Epochs that a trial gets, so that the time budget affords about so many trials of ordinary size.

    Args:
        usual: Epochs that the data set would get with all the time in the world.
        epoch_seconds: What one epoch of an ordinary network takes one worker.
        seconds: The budget in seconds of search; None where time is not limited.
        workers: Worker processes.
        least: Fewer teach a network too little to be compared.
        trials: How many whole trainings there should be.
    """
    if seconds is None:
        return usual
    affordable = seconds * workers / (trials * max(epoch_seconds, 1e-6))
    return int(min(usual, max(least, affordable)))

"""The budget of a study: its deadline, what is reserved for the end, and when it is spent."""

from __future__ import annotations

from collections.abc import Callable

from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.texts import many

RESERVE = 0.01  # share of the time reserved for the end of the study, unless measured: shutdown, choice, registration
LEAST_RESERVE = 2.0  # seconds, for budgets of a minute or more
LARGEST_PREPARATION = 1 / 4  # share of the time that preparing the data may use up at most, so that a search remains
# Share of the time reserved for the end of the study at most, whatever was measured: of two minutes, and of ten or more.
LARGEST_RESERVE, LARGEST_RESERVE_LATER = 0.2, 0.1


class BudgetTracker:
    """Tracks a study's budget, which may be extended while it runs.

    Args:
        state: The study; paused time does not count.
        reserve: Current estimate of the seconds that the end of the study takes; None if not measured.
        finish: Current estimate of the seconds that the finalists take before that.
    """

    def __init__(
        self, state: StudyState, reserve: Callable[[], float] | None = None, finish: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._state, self._reserve, self._finish = state, reserve, finish

    @property
    def budget(self) -> Budget:
        """The whole budget."""
        return self._state.settings.budget

    @property
    def deadline(self) -> float | None:
        """When trials must be over, by the executor's clock; None without a time budget."""
        return self._until(self._reserved)

    @property
    def end(self) -> float | None:
        """When the finalists must be done as well."""
        return self._until(self._end_reserve)

    def _until(self, reserved: Callable[[float], float]) -> float | None:
        seconds, state = self.seconds, self._state
        if seconds is None or state.started is None:
            return None
        return state.started.at + state.idle + seconds - reserved(seconds)

    def _reserved(self, seconds: float) -> float:
        """Seconds reserved for the finalists and the end of the study."""
        return min(self._end_reserve(seconds) + self._finish(), largest_reserve(seconds))

    def _end_reserve(self, seconds: float) -> float:
        """Seconds reserved for the end of the study."""
        if self._reserve is None:
            return usual_reserve(seconds)
        return min(self._reserve(), largest_reserve(seconds))

    @property
    def seconds(self) -> float | None:
        """The budget in seconds of search: its minutes or what its cost buys, whichever is less."""
        settings = self._state.settings
        return self.budget.seconds(settings.deployment.device, settings.workers)

    def spent(self, now: float) -> str:
        """Why no more trials may start; empty while they may."""
        budget, state, seconds = self.budget, self._state, self.seconds
        if seconds is not None and state.spent(now) >= seconds - self._reserved(seconds):
            what = (
                f"{budget.minutes:g} minute{'s' * (budget.minutes != 1)}"
                if budget.cost is None
                else f"{budget.cost:g} (in the currency of its prices)"
            )
            return f"the budget of {what} is spent"
        if budget.trials is not None and _trained(state) >= budget.trials:
            return f"the budget of {many(budget.trials, 'trial')} is spent"
        if budget.epochs is not None and state.epochs >= budget.epochs:
            return f"the budget of {many(budget.epochs, 'epoch')} is spent"
        return ""

    def share(self, now: float) -> float:
        """Share of the budget that is used, from 0 to 1."""
        budget, state, used = self.budget, self._state, [0.0]
        if self.seconds is not None:
            used.append(state.spent(now) / self.seconds)
        if budget.trials is not None:
            used.append((_trained(state) - len(state.running)) / budget.trials)
        if budget.epochs is not None:
            used.append(state.epochs / budget.epochs)
        return min(1.0, max(used))


def _trained(state: StudyState) -> int:
    """How many trials there are besides ensembles, which are not trained."""
    return sum(not trial.is_ensemble for trial in state.trials.values())


def usual_reserve(seconds: float) -> float:
    """Seconds of a budget that are reserved for the end of the study unless it was measured."""
    return max(seconds * RESERVE, min(LEAST_RESERVE, seconds / 30))


def largest_reserve(seconds: float) -> float:
    """Seconds of a budget that are reserved for the end of the study at most; the share falls between two and ten minutes."""
    long = min(1.0, max(0.0, (seconds - 120) / 480))
    return seconds * (LARGEST_RESERVE + long * (LARGEST_RESERVE_LATER - LARGEST_RESERVE))


def charged_preparation(prepared: float, seconds: float | None) -> tuple[float, str]:
    """How much of the preparation of the data counts against a time budget.

    Args:
        prepared: Seconds that it took.
        seconds: The budget in seconds of search; None if time is not limited.

    Returns:
        Seconds, and a note if they are fewer than it took.
    """
    most = prepared if seconds is None else LARGEST_PREPARATION * seconds
    if prepared <= most:
        return prepared, ""
    rest = prepared - most
    return most, (
        f"preparing the data took {prepared:.0f} s, of which {rest:.0f} s do not count: it uses up at most a quarter of the budget"
    )


def affordable_epochs(
    usual: int, epoch_seconds: float, seconds: float | None, workers: int, *, least: int = 3, trials: int = 14
) -> int:
    """Epochs per trial with which the time budget allows about `trials` full trainings.

    Args:
        usual: Epochs without a time limit.
        epoch_seconds: Seconds that one epoch of a typical network takes one worker.
        seconds: The budget in seconds of search; None if time is not limited.
        workers: Worker processes.
        least: Minimum; with fewer epochs networks cannot be compared.
        trials: How many full trainings there should be.
    """
    if seconds is None:
        return usual
    affordable = seconds * workers / (trials * max(epoch_seconds, 1e-6))
    return int(min(usual, max(least, affordable)))

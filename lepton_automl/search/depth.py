"""How long a trial trains: until its curve has flattened, it has used its share of the time, or the budget ends.

Nobody knows beforehand how many epochs a network needs on some data. So a trial's plan allows many, and its own learning curve
decides: a training ends, and its network is packed, once twice the epochs brought almost nothing. Averaged weights without a
schedule (schedule-free AdamW) make every epoch a possible end.
"""

from __future__ import annotations

import math

from lepton_automl.jobs import Report
from lepton_automl.state import StudyState
from lepton_automl.study_config import StudyConfig
from lepton_automl.texts import many
from lepton_automl.trial import Trial

from .budget import BudgetTracker
from .pace import epoch_seconds

FLAT = 0.02  # relative decrease of the error over the second half of the epochs, below which a curve counts as flat
EARLIEST = 8  # epochs before which no curve is judged
EARLIEST_SHARE = 8  # nor before one in so many of the epochs that the plan allows
TIME_SHARE = 0.7  # of a time budget that one trial may take
PACK_SECONDS = 2.0  # seconds from a trial's last epoch to its end, before one was seen
FIRST_TIMED = 2  # the first epoch that can be timed: what is imported for the first one is not part of it
RECENT = 8  # ended trials whose packing times count
MARGIN = 1.25  # of the packing times so far: a model that comes too late is lost
BUDGET_ENDS = "the budget ends"  # why a trial is packed


def budget_affords(config: StudyConfig, epoch: float) -> str:
    """What a time budget affords, in a sentence; empty without one.

    Args:
        config: The study.
        epoch: Seconds of one epoch of a usual network; 0 if unknown.
    """
    seconds = config.budget.seconds(config.deployment.device, config.workers)
    if seconds is None or not epoch:
        return ""
    epochs = max(1, min(config.train.epochs, int(TIME_SHARE * seconds / epoch)))
    trainings = max(1, int(seconds * config.workers / (epochs * epoch)))
    depth = f"a network of the usual size can train up to {many(epochs, 'epoch')}"
    return f"{depth}; the budget is enough for about {many(trainings, 'such training')}, fewer with larger networks"


class Depth:
    """Decides when a training is long enough.

    Args:
        state: The study.
        budget: Its budget.
    """

    def __init__(self, state: StudyState, budget: BudgetTracker) -> None:
        self._state, self._budget = state, budget

    @property
    def is_open(self) -> bool:
        """Whether trials may end early: those with folds train equally long on each."""
        return not self._state.settings.data.folds

    def finished(self, trial: Trial, report: Report) -> str:
        """The reason why a trial's training is long enough; empty if it is not."""
        if not self.is_open or not report.scores:
            return ""
        seconds = self._budget.seconds
        if seconds is not None and report.seconds >= TIME_SHARE * seconds and self.score(report) is not None:
            return f"it has used {TIME_SHARE:.0%} of the time"
        limit = self._state.settings.epochs_of(child=trial.is_child)
        if report.waits and report.epoch >= max(EARLIEST, limit // EARLIEST_SHARE) and self.flat(trial, report):
            return f"its learning curve has flattened at epoch {report.epoch}"
        return ""

    def note(self, trial: Trial) -> str:
        """A sentence if the chosen model was still improving when its training ended; else empty."""
        if not self.is_open or not trial.result or not trial.epochs or self.flat(trial, trial.reports[-1]):
            return ""
        limit = self._state.settings.epochs_of(child=trial.is_child)
        if trial.is_child or trial.epochs >= limit or "flattened" in trial.result.reason:
            return ""
        return f"the chosen model (trial {trial.number}) was still improving after {many(trial.epochs, 'epoch')}: a larger budget would help"

    def budget_note(self, trial: Trial) -> str:
        """What the budget affords, in a sentence, once the first training has an epoch that can be timed; else empty."""
        trained = [other.number for other in self._state.trials.values() if other.epochs > 1]
        if not self.is_open or trial.epochs != FIRST_TIMED or trained != [trial.number]:
            return ""
        return budget_affords(self._state.settings, epoch_seconds(trial))

    def has_time(self, trial: Trial, report: Report, now: float, more: float = 0.0) -> bool:
        """Whether a trial can go on after a report, and be packed within the budget; with folds, whether it can end.

        Args:
            trial: The trial.
            report: Its last report.
            now: The time.
            more: By what share of its epochs so far it goes on, at least by one epoch.
        """
        deadline = self._budget.deadline
        if deadline is None:
            return True
        if not self.is_open:
            return now + self.seconds_left(trial, report) <= deadline
        epochs = max(1.0, more * report.epoch)
        return now + epochs * epoch_seconds(trial, report) + self.pack_seconds <= deadline

    def seconds_left(self, trial: Trial, report: Report) -> float:
        """Seconds that the rest of a trial's plan takes at its pace so far; 0 while unknown."""
        total = self._state.settings.epochs_of(child=trial.is_child)
        return (total - report.epoch) * epoch_seconds(trial, report)

    def is_late(self, now: float) -> bool:
        """Whether a trial that is not packed from now on comes too late."""
        deadline = self._budget.deadline
        return self.is_open and deadline is not None and now + self.pack_seconds >= deadline

    @property
    def pack_seconds(self) -> float:
        """Seconds that packing a model may take: somewhat more than the longest of the last ones."""
        packed = [trial for trial in self._state.trials.values() if trial.is_packed and trial.result and trial.reports]
        last = [trial.result.seconds - trial.reports[-1].seconds for trial in packed[-RECENT:] if trial.result]
        return MARGIN * max(last, default=PACK_SECONDS) + 1.0  # and the second until the next look at the messages

    def flat(self, trial: Trial, report: Report) -> bool:
        """Whether the second half of a trial's epochs brought almost nothing."""
        curve = {known.epoch: score for known in (*trial.reports, report) if (score := self.score(known)) is not None}
        return is_flat(curve, minimize=self._minimizes, rows=self._state.settings.data.validation)

    def score(self, report: Report) -> float | None:
        """A report's score; None if there is none."""
        score = report.scores.get(self._state.settings.metric, math.nan)
        return score if math.isfinite(score) else None

    @property
    def _minimizes(self) -> bool:
        return self._state.settings.objectives[0].direction == "minimize"


def is_flat(curve: dict[int, float], *, minimize: bool, rows: int) -> bool:
    """Whether the second half of a curve's epochs lowered the error by less than `FLAT`; not before there is a first half.

    Args:
        curve: The score after each epoch; epochs without a score are left out.
        minimize: Whether the score is an error; else what it lacks to 1 is the error, or its change relative to itself counts
            where it exceeds 1.
        rows: Rows that the score is of: an error of less than half a row counts as half a row.
    """
    last = max(curve, default=0)
    first_half = [score for epoch, score in curve.items() if epoch <= last / 2]
    if not first_half:
        return False
    pick = min if minimize else max
    return _decrease(pick(first_half), pick(curve.values()), minimize=minimize, rows=rows) < FLAT


def _decrease(before: float, after: float, *, minimize: bool, rows: int) -> float:
    """By what share the error decreased."""
    if not minimize and max(before, after) > 1:
        return (after - before) / max(abs(after), 1e-12)
    half_row = 0.5 / max(1, rows)
    errors = (before, after) if minimize else (1 - before, 1 - after)
    floor = 1e-12 if minimize else half_row
    return 1 - max(errors[1], floor) / max(errors[0], floor)


def out_of_time(left: float) -> str:
    """The reason for stopping a trial that would not finish within the budget.

    Args:
        left: Seconds that it still needs; 0 if unknown.
    """
    return f"needs {left:.0f} s more than the budget allows" if left >= 0.5 else "the budget ran out first"

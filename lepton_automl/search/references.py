"""When the references are scored: once, beside the trials, as soon as there is a model to compare with them."""

from __future__ import annotations

import math

from lepton_automl.events import Event, Noted, ReferencesScored
from lepton_automl.execution.executor import BackgroundExecutor, Executor, RequestFailed
from lepton_automl.reference_scores import ReferenceScores, ReferencesJob
from lepton_automl.request import Response
from lepton_automl.state import StudyState

from .budget import BudgetTracker

SHARE = 0.05  # of the time budget that they may take at most, of one worker
LEAST = 3.0  # seconds; with less they are left out
LONGEST = 60.0  # seconds that they get at most


class ReferenceScorer:
    """Requests the scores of the references from the executor, and records its response.

    They are left out if a twentieth of the time budget is too little, if there is no time budget, or if the executor handles no
    requests while trials run.

    Args:
        state: The study.
        executor: Handles the request.
        budget: The budget.
    """

    def __init__(self, state: StudyState, executor: Executor, budget: BudgetTracker) -> None:
        self._state, self._executor, self._budget = state, executor, budget
        self._failed = False
        self.running = False

    def start(self) -> None:
        """Send the request if it is time and a slot is free."""
        state, executor, budget = self._state, self._executor, self._budget
        seconds = min(LONGEST, SHARE * (budget.seconds or 0.0))
        over = self.running or self._failed or state.references is not None
        if over or seconds < LEAST or not state.front() or len(state.running) >= executor.slots:
            return
        end = math.inf if budget.deadline is None else budget.deadline
        if isinstance(executor, BackgroundExecutor) and executor.now() + seconds <= end:
            self.running = True
            executor.request(ReferencesJob(data=state.settings.data, seconds=seconds, seed=state.settings.seed))

    def event(self, message: Response | RequestFailed) -> Event:
        """What to record of a response."""
        self.running, now = False, self._executor.now()
        if isinstance(message, ReferenceScores):
            return ReferencesScored(at=now, result=message)
        self._failed = True
        reason = message.reason if isinstance(message, RequestFailed) else f"the response is a {type(message).__name__}"
        return Noted(at=now, text=f"the references could not be scored: {reason}", level="warning")

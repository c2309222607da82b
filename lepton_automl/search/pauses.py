"""Pauses of a search: on request, without a free core, and while the machine lacks something such as disk space."""

from __future__ import annotations

from collections.abc import Callable

from lepton_automl.events import Event, StudyPaused, StudyResumed
from lepton_automl.execution.executor import Executor
from lepton_automl.state import StudyState

from .journal_retry import RETRY

LONGEST_DELAY = (
    300.0  # seconds between checks at most, where the machine seems fine and trials still fail for lack of something
)
NOT_WAITING = "no longer waiting for a core"


class Pauses:
    """Pauses and resumes one study, and records both as events.

    Args:
        state: The study.
        executor: Runs the study's trials.
        write: Records an event.
        missing: Returns what the machine lacks for trials to go on; empty if nothing.
    """

    def __init__(
        self, state: StudyState, executor: Executor, *, write: Callable[[Event], None], missing: Callable[[], str]
    ) -> None:
        self._state, self._executor, self._write, self._missing = state, executor, write, missing
        self._next_check: float | None = None  # when to check again for what the machine lacked; None if it lacks nothing
        self._check_delay = RETRY
        self._waits_for_slot = False

    def pause(self, reason: str) -> None:
        """Hold all trials. A study that is already paused keeps its reason; a measurement in progress is finished."""
        if not self._state.paused:
            self._write(StudyPaused(at=self._executor.now(), reason=reason))
        self._executor.hold(held=True)

    def end(self, reason: str) -> None:
        """Release all trials."""
        self._next_check = None
        self._executor.hold(held=False)
        self.record_end(reason)

    def record_end(self, reason: str) -> None:
        """Record that the study is no longer paused."""
        self._write(StudyResumed(at=self._executor.now(), reason=reason))

    def pause_by_user(self) -> None:
        """Pause on request. Only a request ends this pause."""
        self._next_check = None
        if self._waits_for_slot:
            self._stop_waiting(NOT_WAITING)
        self.pause("paused by the user")

    def resume_by_user(self) -> None:
        """Resume on request, unless the study waits for a core."""
        if self._state.paused and not self._waits_for_slot:
            self.end("resumed by the user")

    def check_slot(self) -> None:
        """Pause while other studies use the whole machine, so that the wait does not count against the budget."""
        waits = self._executor.waiting_reason()
        if waits and not self._state.paused:
            self._waits_for_slot = True
            self._write(StudyPaused(at=self._executor.now(), reason=waits))
        elif self._waits_for_slot and not waits:
            self._stop_waiting("a core is free again")

    def _stop_waiting(self, reason: str) -> None:
        self._waits_for_slot = False
        self.record_end(reason)

    def pause_for_machine(self, reason: str) -> None:
        """Pause because the machine made a trial fail; `check_machine` ends this pause."""
        self.pause(self._with_advice(reason))
        self._next_check = self._executor.now() + self._check_delay

    def _with_advice(self, reason: str) -> str:
        lack = self._missing()
        fix = "It resumes by itself once there is free disk space and write permission; `lepton resume` makes it check at once."
        return "\n".join([reason, *([lack] if lack and lack not in reason else []), f"  What to do: {fix}"])

    def check_machine(self) -> None:
        """End a pause once nothing is missing any more; check less often if that did not help before."""
        if self._next_check is None or self._executor.now() < self._next_check:
            return
        if self._missing():
            self._next_check = self._executor.now() + RETRY
        else:
            self._check_delay = min(2 * self._check_delay, LONGEST_DELAY)
            self.end("free disk space and write permission are back")

    def reset_delay(self) -> None:
        """Check often again: a trial completed, so the machine is fine."""
        self._check_delay = RETRY

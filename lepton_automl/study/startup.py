"""A study before its journal begins: the commands that it receives then, and how long it is idle."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lepton_automl.events import CommandReceived
from lepton_automl.execution.executor import Executor

LEAST = 60.0  # minimum seconds for a request, however small the budget: a worker starts first, on a machine that may be busy
LONGEST = 1800.0  # maximum seconds for one request, if no budget limits it


class StartupPhase:
    """Handles commands while a study's machine is benchmarked. Called a few times a second; keeps the commands for the journal.

    Args:
        executor: Runs the requests.
        inbox: Returns the commands since its last call.
        tell: Called with what the study waits for whenever that changes, and with an empty text when it continues.
    """

    def __init__(
        self,
        executor: Executor,
        inbox: Callable[[], Iterable[CommandReceived]] = lambda: (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._executor, self._inbox, self._tell = executor, inbox, tell
        self._received: list[CommandReceived] = []
        self._paused, self._wait_reason, self._last_look = False, "", executor.now()
        self.idle = 0.0  # seconds spent waiting for a core, or paused

    def __call__(self) -> None:
        """Handle the commands as far as possible now; the journal records them as soon as there is one.

        Raises:
            KeyboardInterrupt: A stop was requested; there is nothing to shut down yet.
        """
        now = self._executor.now()
        if self._wait_reason:
            self.idle += now - self._last_look
        self._last_look = now
        for request in self._inbox():
            if request.what == "stop":
                raise KeyboardInterrupt
            if request.what in {"pause", "resume"}:
                self._paused = request.what == "pause"
                self._executor.hold(held=self._paused)
            self._received.append(request)
        reason = "paused by the user" if self._paused else self._executor.waiting_reason()
        if reason != self._wait_reason:
            self._wait_reason = reason
            self._tell(reason)

    def inbox(self) -> Iterable[CommandReceived]:
        """The commands received before the journal began, then those received since."""
        received, self._received = self._received, []
        return [*received, *self._inbox()]

"""A study before its journal begins: what people ask of it then, and how long it could do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lepton_automl.events import CommandReceived
from lepton_automl.execution.executor import Executor

LEAST = 60.0  # seconds that a request gets however small the budget is: a worker starts first, on a machine that is busy
LONGEST = 1800.0  # seconds of one request, where no budget limits it


class StartupPhase:
    """Called a few times a second while a study's machine is measured, and afterwards asked what it was told meanwhile.

    Args:
        executor: Runs the requests.
        inbox: What people have asked since the last look.
        tell: Called with what the study waits for, where that has changed; with an empty text when it goes on.
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
        self.idle = 0.0  # seconds in which it waited for a core, or was paused

    def __call__(self) -> None:
        """Handle the commands, as far as possible now; the journal gets them as soon as there is one.

        Raises:
            KeyboardInterrupt: It is to stop: there is nothing to end in order yet.
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
        waits = "paused by the user" if self._paused else self._executor.waiting_reason()
        if waits != self._wait_reason:
            self._wait_reason = waits
            self._tell(waits)

    def inbox(self) -> Iterable[CommandReceived]:
        """What was received before the journal began, then whatever is asked later."""
        received, self._received = self._received, []
        return [*received, *self._inbox()]

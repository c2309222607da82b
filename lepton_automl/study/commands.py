"""Sending commands to a study from any process, and waiting until its search has recorded them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from typing import Any

from lepton_automl.errors import StudyError
from lepton_automl.events import CommandReceived, Request
from lepton_automl.journal import Journal
from lepton_automl.study_store import JOURNAL

from .client import LOOK, StudyClient
from .launch import COMMANDS, launch, lost_process

ANSWER = 2.0  # seconds in which a running search responds; it checks for commands five times a second
START = 120.0  # seconds in which a launched search responds, on a busy machine
NUDGE = 10.0  # seconds after which a search that has not begun also gets a signal
PAUSES: dict[str, bool] = {"pause": True, "resume": False}  # whether the study is paused after such a command


def command(what: Request, **more: Any) -> CommandReceived:
    """A command to a study, now."""
    return CommandReceived(at=time.time(), uid=uuid.uuid4().hex, what=what, **more)


class CommandSender:
    """Sends commands to a study. Each call returns when the search has recorded the command.

    Args:
        study: The study.
    """

    def __init__(self, study: StudyClient) -> None:
        self._study = study

    def settled(self) -> str:
        """The status, after waiting for a study that is ending."""
        if self._study.status == "ending":
            self._study.wait()
        return self._study.status

    def send(self, request: CommandReceived) -> bool:
        """Send a command and wait until it is recorded; returns false if the study has ended, or is ending."""
        status = self._study.status
        if status == "lost":
            raise lost_process(self._study.name, self._study.home)
        if status in {"ending", "ended"}:
            if request.what not in PAUSES:
                return False
            what = f"the study {'has ended' if status == 'ended' else 'is ending'}, so it cannot be paused or resumed"
            fix = f"Extend its budget to continue it: extend(minutes=5), or lepton extend {self._study.name} --minutes 5"
            raise StudyError(what, where=self._study.name, fix=fix)
        try:
            Journal(self._study.folder / COMMANDS).append(request)
        except StudyError:  # it cannot be written, as on a full disk
            if request.what == "stop" and self._terminate():
                return True
            raise
        if status == "starting" and request.what in PAUSES:
            return True  # it has no journal yet to record it in, and handles it soon
        return self._wait_until_recorded(request, ANSWER)

    def _terminate(self) -> bool:
        """Send the search the signal that stops it; returns false if its process is unknown."""
        pid = self._study.home.search_pid(self._study.name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True

    def _wait_until_recorded(self, request: CommandReceived, seconds: float) -> bool:
        """Wait until the journal has the command; returns false if the study ended first."""
        until = time.monotonic() + seconds
        while True:
            status = self._study.status  # before the read, so that no final event is missed
            recorded = any(command.uid == request.uid for command in reversed(self._study.state.commands))
            if recorded and (request.what not in PAUSES or bool(self._study.state.paused) is PAUSES[request.what]):
                return True
            if status == "lost":
                raise lost_process(self._study.name, self._study.home)
            if status == "ended":
                return False
            if status == "starting":  # commands are recorded once the machine is benchmarked
                until = max(until, time.monotonic() + seconds)
            if time.monotonic() > until:
                if recorded:  # a later command has undone it meanwhile
                    return True
                if status == "ending":  # it handles no more commands
                    return False
                trouble = self._study.home.process_info(self._study.name).get("trouble", "")
                fix = (
                    trouble
                    or f"Look at {self._study.folder / 'search.log'}; lepton status {self._study.name} shows whether it still runs."
                )
                raise StudyError(f"the search process does not respond to {request.what!r}", where=self._study.name, fix=fix)
            time.sleep(LOOK)

    def launch(self, *more: CommandReceived) -> None:
        """Resume the study with a new process; commands that the old one did not handle are handled first.

        Raises:
            StudyError: Its journal is damaged, or it carries code that may not run here.
        """
        self._study.check_intact()
        self._study.check_trusted()
        last = command("resume")  # cancels a pause or a stop that was never handled
        with self._study.home.lock(self._study.name) as alive:
            for request in (*more, last):
                Journal(self._study.folder / COMMANDS).append(request)
            launch(self._study.folder, alive)
        before = self._study.state.ended
        if not self._wait_until_recorded(last, START) and self._study.state.ended is before:
            raise lost_process(self._study.name, self._study.home)

    def stop_before_start(self) -> None:
        """Stop a study whose search has not begun; if its process is still launching, it handles the command later.

        A signal is sent only if the process does not respond, and only if it is known to be the search: the process that
        launched it, such as a notebook's kernel, must not get one.

        Raises:
            StudyError: It does not end.
        """
        Journal(self._study.folder / COMMANDS).append(command("stop"))
        began, signalled = time.monotonic(), False
        while self._study.home.running(self._study.name) and not (self._study.folder / JOURNAL).exists():
            waited = time.monotonic() - began
            pid = self._study.home.search_pid(self._study.name)
            if waited > NUDGE and not signalled and pid is not None:
                signalled = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            if waited > START:
                fix = f"Look at {self._study.folder / 'search.log'}; its process number is {pid or 'unknown'}."
                raise StudyError("the search process does not respond to 'stop'", where=self._study.name, fix=fix)
            time.sleep(LOOK)
        self._study.home.remove_unstarted(self._study.name)

    def record(self, request: CommandReceived) -> None:
        """Send a command; if the study has ended, write it to the journal, for readers and for a later resume."""
        if not self.send(request):
            self.settled()
            self._study.check_intact()
            with self._study.home.lock(self._study.name):
                self._study.note(request)

    def send_while_it_runs(self, request: CommandReceived) -> None:
        """Send a command that asks for trials; a study that has ended has no budget for them."""
        if not self.send(request):
            unit = self._study.state.settings.budget.units[0]
            fix = f"Extend its budget first, then repeat {request.what!r}: extend({unit}=...), or lepton extend {self._study.name} --{unit} 5"
            raise StudyError("the study has ended", where=self._study.name, fix=fix)

"""Sending commands to a study from anywhere, and knowing when the search has recorded them."""

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

ANSWER = 2.0  # seconds in which a search that runs answers; it looks five times a second
START = 120.0  # seconds in which one that is launched does, on a machine that is busy
NUDGE = 10.0  # seconds after which a search that has not begun gets a signal, too
STANDS: dict[str, bool] = {"pause": True, "resume": False}  # whether the study is paused, once such a command is done


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
        """The status, when one that is ending has ended."""
        if self._study.status == "ending":
            self._study.wait()
        return self._study.status

    def send(self, request: CommandReceived) -> bool:
        """Ask, and wait for the answer; false where the study has ended, which answers nothing any more."""
        status = self._study.status
        if status == "lost":
            raise lost_process(self._study.name, self._study.home)
        if status in {"ending", "ended"}:
            if request.what not in STANDS:
                return False
            what = f"the study {'has ended' if status == 'ended' else 'is ending'}, so it cannot be paused or resumed"
            fix = f"Extend its budget to continue it: extend(minutes=5), or lepton extend {self._study.name} --minutes 5"
            raise StudyError(what, where=self._study.name, fix=fix)
        try:
            Journal(self._study.folder / COMMANDS).append(request)
        except StudyError:  # there is no room for it
            if request.what == "stop" and self._terminate():
                return True
            raise
        if status == "starting" and request.what in STANDS:
            return True  # it has no journal yet to answer in, and does it within a moment
        return self._recorded(request, ANSWER)

    def _terminate(self) -> bool:
        """Send the search the signal that stops it; false where it is not known which process that is."""
        pid = self._study.home.search_pid(self._study.name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True

    def _recorded(self, request: CommandReceived, seconds: float) -> bool:
        """Wait until the journal has the asking; false where the study ended first."""
        until = time.monotonic() + seconds
        while True:
            status = self._study.status  # before the look, so that the last word of a process is not missed
            heard = any(command.uid == request.uid for command in reversed(self._study.state.commands))
            if heard and (request.what not in STANDS or bool(self._study.state.paused) is STANDS[request.what]):
                return True
            if status == "lost":
                raise lost_process(self._study.name, self._study.home)
            if status == "ended":
                return False
            if status == "starting":  # it weighs the machine, and listens thereafter
                until = max(until, time.monotonic() + seconds)
            if time.monotonic() > until:
                if heard:  # somebody else asked for the contrary meanwhile
                    return True
                if status == "ending":  # it listens no more
                    return False
                trouble = self._study.home.process_info(self._study.name).get("trouble", "")
                fix = (
                    trouble
                    or f"Look at {self._study.folder / 'search.log'}; lepton status {self._study.name} says whether it still runs."
                )
                raise StudyError(f"the search process does not respond to {request.what!r}", where=self._study.name, fix=fix)
            time.sleep(LOOK)

    def launch(self, *more: CommandReceived) -> None:
        """Take the study up with a new process; what was asked of the old one and not heard is heard first.

        Raises:
            StudyError: Its journal is damaged, or it carries code that may not run here.
        """
        self._study.check_intact()
        self._study.check_trusted()
        last = command("resume")  # takes back a pause or a stop that nobody heard
        with self._study.home.lock(self._study.name) as alive:
            for request in (*more, last):
                Journal(self._study.folder / COMMANDS).append(request)
            launch(self._study.folder, alive)
        before = self._study.state.ended
        if not self._recorded(last, START) and self._study.state.ended is before:
            raise lost_process(self._study.name, self._study.home)

    def stop_at_the_start(self) -> None:
        """Ask a process to end that has not begun to search; it may still be launching, and hears it when it listens.

        Only one that does not listen gets a signal, and only if it is known to be the search: what launched it, such as a
        notebook's kernel, is none of it.

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
        self._study.home.remove_unbegun(self._study.name)

    def record(self, request: CommandReceived) -> None:
        """Ask; of a study that has ended, write it down for whoever looks at it or goes on with it."""
        if not self.send(request):
            self.settled()
            self._study.check_intact()
            with self._study.home.lock(self._study.name):
                self._study.note(request)

    def send_while_it_runs(self, request: CommandReceived) -> None:
        """Ask for trials, which a study that has ended has no budget for."""
        if not self.send(request):
            unit = self._study.state.settings.budget.units[0]
            fix = f"Extend its budget first, then repeat {request.what!r}: extend({unit}=...), or lepton extend {self._study.name} --{unit} 5"
            raise StudyError("the study has ended", where=self._study.name, fix=fix)

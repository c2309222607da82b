"""The process that runs a study: `python -m lepton_automl.study.process FOLDER`."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
import traceback
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import IO, Any

from lepton_automl.errors import StudyError
from lepton_automl.events import CommandReceived, Event, Noted, StudyPaused, StudyResumed
from lepton_automl.journal import Journal
from lepton_automl.locks import started
from lepton_automl.state import StudyState
from lepton_automl.study_store import StudyStore, study_journal, write_process_info
from lepton_automl.tracking.store_lock import use_short_timeouts

from .launch import COMMANDS, requested_config, write_error
from .publisher import Publisher
from .runner import run_study

MARGIN = 0.6  # seconds before the end of a grace period at which this process starts to exit


def main() -> int:
    """Run the study in the given folder; returns the exit status."""
    parser = argparse.ArgumentParser(description="Runs a study to its end; one that has begun is resumed.")
    parser.add_argument("folder", type=Path, help="the study's folder, with its config.json")
    parser.add_argument("--alive", type=int, help="a file descriptor that already holds the study's lock")
    parser.add_argument("--since", type=float, help="when the study was launched; its time budget counts from there")
    parser.add_argument("--prepared", type=float, default=0.0, help="seconds before it that prepared the data; they count too")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    use_short_timeouts(os.environ)
    with ExitStack() as stack:
        if arguments.alive is None:
            alive = stack.enter_context(StudyStore(folder.parents[1]).lock(folder.name))
        else:
            alive = stack.enter_context(os.fdopen(arguments.alive, "r+b", buffering=0))
            os.set_inheritable(arguments.alive, False)  # workers must not keep the lock
        write_process_info(alive, **_me())
        try:
            _run(folder, alive, arguments.since, arguments.prepared)
        except BaseException as error:
            traceback.print_exc()
            write_error(error, folder)
            return 1
    return 0


def _run(folder: Path, alive: IO[bytes], since: float | None, prepared: float) -> None:
    """Run the search, and publish it in MLflow."""
    config = requested_config(folder) or StudyState.replay(study_journal(folder)).settings
    inbox = Inbox(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, inbox.terminate)
    with Publisher(folder) as publisher:
        trouble_file = TroubleFile(alive)
        reserve, tell = publisher.reserve, trouble_file.waits
        run_study(config, folder, trouble_file, inbox, since=since, prepared=prepared, reserve=reserve, tell=tell)
        publisher.finish()


def _me() -> dict[str, Any]:
    """What identifies this process uniquely: its number is reused after its end."""
    return {"pid": os.getpid(), "since": started(os.getpid())}


class TroubleFile:
    """Writes to the study's locked file what the journal cannot record: that it cannot be written."""

    def __init__(self, alive: IO[bytes]) -> None:
        self._alive = alive

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        if isinstance(event, Noted) and event.level == "error":
            write_process_info(self._alive, **_me(), trouble=event.text)
        elif isinstance(event, StudyResumed):
            write_process_info(self._alive, **_me())
        if isinstance(event, StudyPaused | StudyResumed):
            print(event.reason, flush=True)  # noqa: T201  # into the study's log

    def waits(self, text: str) -> None:
        """Write what a study that has no journal yet is waiting for."""
        print(text or "it continues", flush=True)  # noqa: T201  # into the study's log
        write_process_info(self._alive, **_me(), trouble=text)


class Inbox:
    """The commands for a study: a journal of their own, read from where the last read ended.

    A command counts as received once the study's journal has it, so it outlives the process that it was sent to.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._own, self._commands_journal = study_journal(folder), Journal(folder / COMMANDS, convert=True)
        self._received = {event.uid for _, event in self._own.read() if isinstance(event, CommandReceived)}
        self._offset = 0
        self._signals: list[CommandReceived] = []

    def __call__(self) -> list[CommandReceived]:
        """The commands since the last call."""
        received, self._signals = self._signals, []
        try:
            for offset, event in self._commands_journal.read(self._offset):
                self._offset = offset
                if isinstance(event, CommandReceived) and event.uid not in self._received:
                    self._received.add(event.uid)
                    received.append(event)
                    if event.what == "stop" and event.grace is not None:
                        _cut_off(self._own, event.grace - (time.time() - event.at))
        except StudyError:  # it cannot be read for now; the next call tries again
            traceback.print_exc()
        return received

    def terminate(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature that `signal` requires
        """Request a stop; before the study has begun there is nothing to shut down."""
        if not self._own.path.exists():
            raise KeyboardInterrupt
        self._signals.append(CommandReceived(at=time.time(), uid=uuid.uuid4().hex, what="stop"))


def _cut_off(journal: Journal, seconds: float) -> None:
    """Exit after so many seconds, whatever is running: the journal is valid at any time, and the rest can be redone."""

    def note() -> None:
        text = "the grace period ended before everything was registered; lepton resume finishes it"
        journal.append(Noted(at=time.time(), text=text, level="warning"))

    def end() -> None:
        last = threading.Thread(target=note, daemon=True)
        last.start()
        last.join(MARGIN / 2)
        os._exit(1)

    timer = threading.Timer(max(0.0, seconds - MARGIN), end)
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    raise SystemExit(main())

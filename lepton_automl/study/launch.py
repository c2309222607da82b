"""Launching a study as a process of its own, and what it says when it cannot go on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from lepton_automl.errors import LeptonError, StudyError, error_from_json
from lepton_automl.events import CommandReceived, StudyConfig, StudyStarted, event_from_json, event_to_json
from lepton_automl.journal import Journal, located, relative, write_private
from lepton_automl.journal_format import FORMAT, KEY, converted, format_of
from lepton_automl.study_store import ASKED, JOURNAL, StudyStore

ERROR, LOG, COMMANDS = "error.json", "search.log", "asked.jsonl"
LAST_WORDS = 2000  # characters of a lost process's output that a person is shown


def write_request(config: StudyConfig, folder: Path, wishes: Iterable[CommandReceived] = ()) -> None:
    """Leave what was asked in the study's folder, for the process that will run it."""
    for wish in wishes:
        Journal(folder / COMMANDS).append(wish)
    content = relative(event_to_json(StudyStarted(at=0.0, config=config)), folder)["config"]
    try:
        write_private(folder / ASKED, json.dumps({KEY: FORMAT, **content}, indent=1))
    except OSError as error:
        raise StudyError(
            f"cannot write: {error.strerror}", where=str(folder), fix="Free disk space there, or choose another home."
        ) from error


def requested_config(folder: Path) -> StudyConfig | None:
    """What was asked of a study when it was launched; None where that cannot be read."""
    try:
        content = json.loads((folder / ASKED).read_text())
        line = {"event": "StudyStarted", KEY: format_of(content), "at": 0.0, "config": content}
        event = event_from_json(located(converted(line), folder))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return event.config if isinstance(event, StudyStarted) else None


def launch(folder: Path, alive: IO[bytes]) -> None:
    """Start the study's process, detached from this one: no terminal, closed window or restarted kernel ends it.

    Args:
        folder: The study's folder, prepared.
        alive: The study's held file (`StudyStore.lock`); the process inherits the lock, so that there is no moment between.
    """
    (folder / ERROR).unlink(missing_ok=True)
    words = [str(folder), "--alive", str(alive.fileno()), "--since", repr(time.time())]
    with open(folder / LOG, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_automl.study.process", *words],
            pass_fds=[alive.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C here is not Ctrl-C there
        )
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()  # no zombie, while this process lives


def write_error(error: BaseException, folder: Path) -> None:
    """Write an error where `read_error` finds it; a disk without room for it has the journal's last word instead."""
    if isinstance(error, LeptonError):
        left = error
    elif isinstance(error, KeyboardInterrupt):
        left = StudyError("the study was stopped before it began", where=folder.name, fix="Search again.")
    else:
        what = f"the search failed: {type(error).__name__}: {error}"
        left = StudyError(what, where=folder.name, fix=f"See {folder / LOG} for the traceback.")
    with contextlib.suppress(OSError):
        write_private(folder / ERROR, json.dumps(left.to_json()))


def read_error(folder: Path) -> LeptonError | None:
    """The error that ended a study's process, of the class that it had there."""
    try:
        return error_from_json(json.loads((folder / ERROR).read_text()), StudyError)
    except (OSError, ValueError, RecursionError):
        return None


def lost_process(name: str, home: StudyStore) -> LeptonError:
    """Why a study's process is gone before its end."""
    error = read_error(home.path(name))
    if error is not None:
        return error
    log = home.path(name) / LOG
    last_words = log.read_text(errors="replace")[-LAST_WORDS:].strip() if log.exists() else ""
    begun = (home.path(name) / JOURNAL).exists()
    fix = f"Run lepton resume {name} to continue it." if begun else "Search again."
    return StudyError(
        "its process has ended unexpectedly",
        where=name,
        fix=f"{fix}\n  The end of its output:\n{last_words}" if last_words else fix,
    )

"""Launching a study as a separate process, and the error that it leaves if it fails."""

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
from lepton_automl.events import CommandReceived, StudyStarted, event_from_json, event_to_json
from lepton_automl.journal import Journal, relative, with_absolute_paths, write_private
from lepton_automl.journal_format import FORMAT, KEY, converted, format_of
from lepton_automl.study_config import StudyConfig
from lepton_automl.study_store import JOURNAL, REQUEST_FILE, StudyStore

ERROR, LOG, COMMANDS = "error.json", "search.log", "asked.jsonl"
LAST_WORDS = 2000  # characters of a lost process's output that are shown


def write_request(config: StudyConfig, folder: Path, commands: Iterable[CommandReceived] = ()) -> None:
    """Write the configuration and early commands to the study's folder, for the process that will run it."""
    for command in commands:
        Journal(folder / COMMANDS).append(command)
    content = relative(event_to_json(StudyStarted(at=0.0, config=config)), folder)["config"]
    try:
        write_private(folder / REQUEST_FILE, json.dumps({KEY: FORMAT, **content}, indent=1))
    except OSError as error:
        raise StudyError(
            f"cannot write: {error.strerror}", where=str(folder), fix="Free disk space there, or choose another home."
        ) from error


def requested_config(folder: Path) -> StudyConfig | None:
    """The configuration with which a study was launched; None if it cannot be read."""
    try:
        content = json.loads((folder / REQUEST_FILE).read_text())
        line = {"event": "StudyStarted", KEY: format_of(content), "at": 0.0, "config": content}
        event = event_from_json(with_absolute_paths(converted(line), folder))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return event.config if isinstance(event, StudyStarted) else None


def launch(folder: Path, alive: IO[bytes], *, called: float | None = None) -> None:
    """Start the study's process, detached from this one: it survives a closed terminal or window and a restarted kernel.

    Args:
        folder: The study's folder, prepared.
        alive: The study's locked file (`StudyStore.lock`); the process inherits the lock without a gap.
        called: When the user asked for the study, in seconds since the epoch: its data were prepared since. By default now.
    """
    (folder / ERROR).unlink(missing_ok=True)
    now = time.time()
    arguments = [str(folder), "--alive", str(alive.fileno()), "--since", repr(now)]
    if called is not None:
        arguments += ["--prepared", repr(max(0.0, now - called))]
    with open(folder / LOG, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_automl.study.process", *arguments],
            pass_fds=[alive.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C here does not reach it
        )
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()  # prevents a zombie while this process lives


def write_error(error: BaseException, folder: Path) -> None:
    """Write an error where `read_error` finds it; if that fails, as on a full disk, it is ignored."""
    if isinstance(error, LeptonError):
        lepton_error = error
    elif isinstance(error, KeyboardInterrupt):
        lepton_error = StudyError("the study was stopped before it began", where=folder.name, fix="Search again.")
    else:
        what = f"the search failed: {type(error).__name__}: {error}"
        lepton_error = StudyError(what, where=folder.name, fix=f"See {folder / LOG} for the traceback.")
    with contextlib.suppress(OSError):
        write_private(folder / ERROR, json.dumps(lepton_error.to_json()))


def read_error(folder: Path) -> LeptonError | None:
    """The error that ended a study's process, with its original class; None if there is none."""
    try:
        return error_from_json(json.loads((folder / ERROR).read_text()), StudyError)
    except (OSError, ValueError, RecursionError):
        return None


def lost_process(name: str, home: StudyStore) -> LeptonError:
    """The error that explains why a study's process ended before the study did."""
    error = read_error(home.path(name))
    if error is not None:
        return error
    log = home.path(name) / LOG
    last_words = log.read_text(errors="replace")[-LAST_WORDS:].strip() if log.exists() else ""
    has_journal = (home.path(name) / JOURNAL).exists()
    fix = f"Run lepton resume {name} to continue it." if has_journal else "Search again."
    return StudyError(
        "its process has ended unexpectedly",
        where=name,
        fix=f"{fix}\n  The end of its output:\n{last_words}" if last_words else fix,
    )

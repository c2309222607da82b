"""Retries while the journal cannot be written; requests are still received."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from lepton_automl.errors import StudyError
from lepton_automl.events import CommandReceived, Event
from lepton_automl.journal import Journal

RETRY = 2.0  # seconds between attempts to write
LOOK = 0.2  # seconds between checks for requests


def write_when_possible(
    journal: Journal, events: Sequence[Event], inbox: Callable[[], Iterable[CommandReceived]], *, stopping: bool = False
) -> list[CommandReceived]:
    """Write events as soon as possible.

    Args:
        journal: The journal.
        events: The events that could not be written.
        inbox: Returns the requests received since the last call; `resume` triggers the next attempt at once.
        stopping: Whether a stop was already requested.

    Returns:
        The requests received meanwhile, which are not written yet.

    Raises:
        StudyError: A stop was requested, and the journal still cannot be written.
    """
    pending, requests, due = list(events), list[CommandReceived](), time.monotonic() + RETRY
    stopping = stopping or any(isinstance(event, CommandReceived) and event.what == "stop" for event in events)
    while pending:
        time.sleep(LOOK)
        new = list(inbox())
        requests += new
        stopping = stopping or any(request.what == "stop" for request in new)
        if not stopping and time.monotonic() < due and not any(request.what == "resume" for request in new):
            continue
        due = time.monotonic() + RETRY
        try:
            while pending:
                journal.append(pending[0])
                del pending[0]
        except StudyError as error:
            if stopping:
                what = f"the search was stopped while its journal could not be written ({error.what}); its last events are lost"
                fix = f"Free disk space or grant write permission, then run: lepton resume {journal.path.parent.name}"
                raise StudyError(what, where=error.where, fix=fix) from error
    return requests

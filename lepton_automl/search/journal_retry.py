"""What a search does while its journal cannot be written: it tries again, and still receives what people ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from lepton_automl.errors import StudyError
from lepton_automl.events import Asked, Event
from lepton_automl.journal import Journal

RETRY = 2.0  # seconds between attempts
LOOK = 0.2  # seconds between looks at what people ask


def write_when_possible(
    journal: Journal, events: Sequence[Event], inbox: Callable[[], Iterable[Asked]], *, stopping: bool = False
) -> list[Asked]:
    """Write events as soon as that is possible.

    Args:
        journal: The journal.
        events: What could not be written.
        inbox: What people have asked since the last look; `resume` has the next attempt made at once.
        stopping: Whether a person has asked for the end already.

    Returns:
        What people have asked meanwhile, which is not written yet.

    Raises:
        StudyError: A person asked for the end, and the journal still cannot be written.
    """
    left, asked, due = list(events), list[Asked](), time.monotonic() + RETRY
    stopping = stopping or any(isinstance(event, Asked) and event.what == "stop" for event in events)
    while left:
        time.sleep(LOOK)
        new = list(inbox())
        asked += new
        stopping = stopping or any(one.what == "stop" for one in new)
        if not stopping and time.monotonic() < due and not any(one.what == "resume" for one in new):
            continue
        due = time.monotonic() + RETRY
        try:
            while left:
                journal.append(left[0])
                del left[0]
        except StudyError as error:
            if stopping:
                what = f"the search was stopped while its journal could not be written ({error.what}); its last events are lost"
                fix = f"Free disk space or grant write permission, then run: lepton resume {journal.path.parent.name}"
                raise StudyError(what, where=error.where, fix=fix) from error
    return asked

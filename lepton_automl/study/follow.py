"""Following a study from another process: its window and the user's callbacks receive every event of its journal."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import ExtraError, LeptonError, StudyError
from lepton_automl.events import Event
from lepton_automl.journal import Journal
from lepton_automl.reporting.terminal import Progress
from lepton_automl.study_store import JOURNAL

from .interrupts import Interrupts, Terminated, in_notebook
from .launch import lost_process

if TYPE_CHECKING:
    from .study import Study

LOOK = 0.1  # seconds between reads of the journal
TICK = 1.0  # seconds between redraws while nothing happens
GRACE = 10.0  # seconds from SIGTERM to the end; most container runtimes kill a container after that
Callback = Callable[[Event, Any], None]


class Follower:
    """Reads a study's journal as it is written, from its beginning.

    Args:
        study: The study.
        window: Shows it.
        callbacks: Called as `f(event, study)`; if one raises, a warning is issued once, and following continues.
    """

    def __init__(self, study: Study, window: Progress, callbacks: Sequence[Callback] = ()) -> None:
        self.study, self._window, self._callbacks = study, window, tuple(callbacks)
        self._offset, self._drawn, self._trouble = 0, 0.0, ""
        self._warned: set[int] = set()

    def run(self, interrupts: Interrupts | None = None, until: float = math.inf) -> bool:
        """Follow until the study's process has ended; after an interrupt this can be called again and continues.

        Args:
            interrupts: Raised between two reads; by default only Ctrl-C.
            until: The deadline, by the monotonic clock.

        Returns:
            Whether the process has ended.

        Raises:
            LeptonError: The process ended before the study did; the error that it left, with its original class.
        """
        study, alive = self.study, True
        with contextlib.nullcontext(interrupts) if interrupts else Interrupts() as pending:
            while alive:
                alive = study.home.running(study.name)  # before the read, so that no final event is missed
                self._read()
                pending.raise_pending()
                if alive:
                    if time.monotonic() > until:
                        return False
                    time.sleep(LOOK)
        if study.state.ended is None:
            raise lost_process(study.name, study.home)
        return True

    def _read(self) -> None:
        news = False
        for offset, event in Journal(self.study.folder / JOURNAL).read(self._offset):
            self._offset, news = offset, True
            self._window(event)
            for number, callback in enumerate(self._callbacks):
                self._call(number, callback, event)
        if news or time.monotonic() > self._drawn + TICK:
            self._drawn = time.monotonic()
            self._window.draw()
            trouble = self.study.home.process_info(self.study.name).get("trouble", "")
            if trouble and trouble != self._trouble:
                self._window.note(trouble)
            self._trouble = trouble

    def _call(self, number: int, callback: Callback, event: Event) -> None:
        try:
            callback(event, self.study)
        except Exception as error:
            if number not in self._warned:
                self._warned.add(number)
                what = f"a callback failed at {type(event).__name__} ({type(error).__name__}: {error}); the search continues"
                warnings.warn(what, stacklevel=2)


def follow_to_end(study: Study, callbacks: Sequence[Callback], *, progress: bool, grace: float = GRACE) -> int:
    """Follow a study that was just launched; an interrupt (Ctrl-C) stops it; after a second one it ends by itself.

    SIGTERM and SIGHUP also stop it, but wait for its models to be published no longer than a grace period.

    Args:
        study: The study.
        callbacks: Called as `f(event, study)`.
        progress: Whether to show anything.
        grace: Seconds from a signal to the end.

    Returns:
        The signal by which it was stopped; 0 if there was none.

    Raises:
        LeptonError: It could not start and leaves nothing, or its process is lost.
        KeyboardInterrupt: It was interrupted before it began, or a second time.
        Terminated: A signal stopped it before it began, or not everything was published in time.
    """
    received = 0
    with Progress(shown=progress) as window, Interrupts(ends=not in_notebook()) as interrupts:
        data = study.state.settings.data
        for note in (*data.notes, *data.warnings):
            window.note(note)
        follower = Follower(study, window, callbacks)
        try:
            follower.run(interrupts)
        except (KeyboardInterrupt, Terminated) as interrupt:
            if study.status == "starting":
                study.stop()
                raise
            if isinstance(interrupt, Terminated):
                received = interrupt.number
                _end_soon(follower, window, interrupts, interrupt, grace)
            else:
                window.note(
                    "stopping, then registering the chosen model. Ctrl-C again returns at once; the study finishes by itself"
                )
                with contextlib.suppress(StudyError):  # it has just ended, or the follower reports what happened
                    study.stop(wait=False)
                follower.run(interrupts)
        except LeptonError:
            _forget(study)
            raise
    state = study.state
    if not progress and not state.front():  # else the last line says so already
        warnings.warn(str(state.no_model()), stacklevel=4)
    return received


def _end_soon(follower: Follower, window: Progress, interrupts: Interrupts, signal: Terminated, grace: float) -> None:
    """Stop a study, and wait for its end for at most a grace period.

    Raises:
        Terminated: Not everything was published by then.
    """
    study, until = follower.study, time.monotonic() + grace
    later = f"lepton resume {study.name} finishes what is not ready by then"
    window.note(f"stopping after {signal}; the chosen model is registered within {grace:g} s; {later}")
    with contextlib.suppress(StudyError):
        study.stop(wait=False, grace=grace)
    try:
        if follower.run(interrupts, until) and study.client.is_published:
            return
    except LeptonError:  # its process was cut off
        pass
    window.note(f"not finished within {grace:g} s: lepton resume {study.name} continues where it was")
    raise signal


def _forget(study: Study) -> None:
    """Remove everything of a study that never began."""
    study.home.remove_unstarted(study.name)


def run_callbacks(study: Study, callbacks: Sequence[Callback]) -> None:
    """Call callbacks from a thread, for as long as this process lives."""

    def run() -> None:
        with contextlib.suppress(LeptonError):  # reading the study raises it as well
            Follower(study, Progress(shown=False), callbacks).run()

    threading.Thread(target=run, name="callbacks", daemon=True).start()


def show(study: Study) -> bool:
    """Show a study's dashboard below the running cell; returns false if its packages are not installed."""
    try:
        study.dashboard().show()
    except ExtraError:
        return False
    return True

"""Following a study from another process: its window and a person's callbacks hear every event of its journal."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from lepton_automl.errors import ExtraError, LeptonError, StudyError
from lepton_automl.events import Event
from lepton_automl.journal import Journal
from lepton_automl.reporting.terminal import Progress

from .control import Controls
from .launch import lost

if TYPE_CHECKING:
    from .study import Study

LOOK = 0.1  # seconds between looks at the journal
TICK = 1.0  # seconds between redraws while nothing happens
Callback = Callable[[Event, Any], None]


class Follower:
    """Reads a study's journal as it is written, from its beginning.

    Args:
        study: The study.
        window: Shows it.
        callbacks: Called as `f(event, study)`; what one raises is warned of once, and ends nothing.
    """

    def __init__(self, study: Controls, window: Progress, callbacks: Sequence[Callback] = ()) -> None:
        self._study, self._window, self._callbacks = study, window, tuple(callbacks)
        self._offset, self._drawn, self._trouble = 0, 0.0, ""
        self._warned: set[int] = set()

    def run(self) -> None:
        """Follow until the study's process is gone; interrupted, it may be run again and goes on.

        Raises:
            LeptonError: The process is gone before the study's end; the error it left, of its class there.
        """
        study = self._study
        alive = True
        with Interrupts() as interrupts:
            while alive:
                alive = study.home.running(study.name)  # before the look, so that no last word is missed
                self._look()
                interrupts.heed()
                if alive:
                    time.sleep(LOOK)
        if study.state.ended is None:
            raise lost(study.name, study.home)

    def _look(self) -> None:
        news = False
        for offset, event in Journal(self._study.folder / "journal.jsonl").read(self._offset):
            self._offset, news = offset, True
            self._window(event)
            for number, callback in enumerate(self._callbacks):
                self._call(number, callback, event)
        if news or time.monotonic() > self._drawn + TICK:
            self._drawn = time.monotonic()
            self._window.draw()
            trouble = self._study.home.says(self._study.name).get("trouble", "")
            if trouble and trouble != self._trouble:
                self._window.note(trouble)
            self._trouble = trouble

    def _call(self, number: int, callback: Callback, event: Event) -> None:
        try:
            callback(event, self._study)
        except Exception as error:
            if number not in self._warned:
                self._warned.add(number)
                what = f"a callback failed at {type(event).__name__} ({type(error).__name__}: {error}); the search goes on"
                warnings.warn(what, stacklevel=2)


class Interrupts:
    """Ctrl-C while a study is followed: heard between two looks, so that no event is taken in by half.

    A second one is heard at once, wherever a callback stands. Where an interrupt means something else to a process than
    Python's own `KeyboardInterrupt`, or this is not its main thread, all stays as it is.
    """

    def __enter__(self) -> Self:
        self._heard = False
        main = threading.current_thread() is threading.main_thread()
        self._ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._heard:
            signal.default_int_handler(number, frame)
        self._heard = True

    def heed(self) -> None:
        """Raise what was heard.

        Raises:
            KeyboardInterrupt: There was an interrupt.
        """
        if self._heard:
            raise KeyboardInterrupt


def attend(study: Controls, callbacks: Sequence[Callback], *, progress: bool) -> None:
    """Follow a study that was just launched; an interrupt (Ctrl-C) stops it, a second one leaves it to end by itself.

    Raises:
        LeptonError: It could not begin, and nothing is left of it; or its process is lost.
        KeyboardInterrupt: It was interrupted before it began, or a second time.
    """
    with Progress(shown=progress) as window:
        data = study.state.settings.data
        for note in (*data.notes, *data.warnings):
            window.note(note)
        follower = Follower(study, window, callbacks)
        try:
            follower.run()
        except KeyboardInterrupt:
            if study.status == "starting":
                study.stop()
                raise
            window.note("stopping; the chosen model is handed over. Ctrl-C again leaves the study to end by itself")
            with contextlib.suppress(StudyError):  # it has just ended, or the follower tells what became of it
                study.stop(wait=False)
            follower.run()
        except LeptonError:
            _forget(study)
            raise
    state = study.state
    if not progress and not state.front():  # else the last line has just said so
        warnings.warn(str(state.no_model()), stacklevel=4)


def _forget(study: Controls) -> None:
    """Leave nothing behind of a study that never began."""
    if not (study.folder / "journal.jsonl").exists() and not study.home.running(study.name):
        shutil.rmtree(study.folder, ignore_errors=True)


def call_back(study: Controls, callbacks: Sequence[Callback]) -> None:
    """Call callbacks from a thread, for as long as this process lives."""

    def run() -> None:
        with contextlib.suppress(LeptonError):  # whoever looks at the study is told
            Follower(study, Progress(shown=False), callbacks).run()

    threading.Thread(target=run, name="callbacks", daemon=True).start()


def show(study: Study) -> bool:
    """Show a study's dashboard below the cell that runs; false where the packages for it are not installed."""
    try:
        study.dashboard().show()
    except ExtraError:
        return False
    return True


def in_notebook() -> bool:
    """Whether this is a notebook's kernel, whose cell a search should not hold."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")

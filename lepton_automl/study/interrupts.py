"""Ctrl-C and the signals that end a command, handled while it waits for a search."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

ENDS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """A signal that ends a command, with the exit status that shells give it.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature that `signal` requires
    _discard_output(number)
    raise Terminated(number)


def _discard_output(number: int) -> None:
    """Discard what is printed after SIGHUP: a terminal that has hung up cannot be written to."""
    if number != signal.SIGHUP:
        return
    for file in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(file).st_mode):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, file)
                os.close(nowhere)


def _has_default_handler(number: int) -> bool:
    """Whether a signal has its default handler or ours; a signal that is ignored (nohup) stays ignored."""
    return signal.getsignal(number) in {signal.SIG_DFL, _raise}


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Raise SIGTERM and SIGHUP as `Terminated` meanwhile; also in process 1 of a container, which would not receive them.

    Nothing changes if this process handles or ignores them itself, or outside of its main thread.
    """
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in ENDS if main and _has_default_handler(number)}
    for number in before:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupts:
    """Ctrl-C while a study is followed: raised between two polls, so that no event is applied only in part.

    A second one is raised at once, even inside a callback. Nothing changes if the process has another handler for Ctrl-C
    than Python's own `KeyboardInterrupt`, or outside of its main thread.

    Args:
        ends: Whether SIGTERM and SIGHUP are handled as well; a second one of these is ignored.
    """

    def __init__(self, *, ends: bool = False) -> None:
        self._ends = ends
        self._signal = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._signal, self._before = 0, {}
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._before[signal.SIGINT] = signal.default_int_handler
            if self._ends:
                self._before |= {number: signal.getsignal(number) for number in ENDS if _has_default_handler(number)}
        for number in self._before:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as returned by getsignal

    def _handle(self, number: int, frame: FrameType | None) -> None:
        _discard_output(number)
        if self._signal and number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        self._signal = self._signal or number

    def raise_pending(self) -> None:
        """Raise the signal that was received, once.

        Raises:
            KeyboardInterrupt: There was a Ctrl-C.
            Terminated: There was another signal.
        """
        received, self._signal = self._signal, 0
        if received == signal.SIGINT:
            raise KeyboardInterrupt
        if received:
            raise Terminated(received)


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, whose cell a search should not block."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")

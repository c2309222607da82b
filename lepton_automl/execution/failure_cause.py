"""Whose fault an exception is: the candidate's, its worker's, or the machine's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from lepton_automl.jobs import Fault

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
FORBIDDEN = {errno.EACCES, errno.EPERM}
# Native libraries raise errors of their own types; only their messages identify them.
FULL_MESSAGES = ("no space left on device", "disk quota exceeded", "read-only file system")
MEMORY_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory", "bad_alloc")


def fault_of(error: BaseException, study: Path) -> Fault:
    """Whose fault an exception is.

    Args:
        error: The exception; those that it was raised from count as well.
        study: The study's folder: a file there that may not be written is the machine's fault, a user's file is not.
    """
    for cause in _chain(error):
        if _is_full(cause, study):
            return "machine"
        if isinstance(cause, MemoryError) or (
            isinstance(cause, OSError | RuntimeError) and _has_message(cause, MEMORY_MESSAGES)
        ):
            return "worker"
    return "candidate"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException, study: Path) -> bool:
    if isinstance(error, OSError):
        in_study = error.filename is not None and Path(str(error.filename)).absolute().is_relative_to(study)
        return error.errno in FULL or (error.errno in FORBIDDEN and in_study)
    return _has_message(error, FULL_MESSAGES)


def _has_message(error: BaseException, words: tuple[str, ...]) -> bool:
    message = str(error).lower()
    return any(word in message for word in words)

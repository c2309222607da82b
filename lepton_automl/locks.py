"""The folder of locks that all studies of a user on a machine share, whatever their homes; locks end with their processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path

from .errors import StudyError

VARIABLE = "LEPTON_LOCKS"
STALE = 15.0  # seconds without a heartbeat, after which a process counts as stopped


def lock_folder() -> Path:
    """The folder of locks, created if it is missing: `$LEPTON_LOCKS`, else `/tmp/lepton-UID`, which only the user can open.

    It is not taken from TMPDIR or XDG_RUNTIME_DIR: these differ between a login, a job of cron and a notebook server, whose
    studies share the machine all the same; and the latter is removed when the user logs out.

    Raises:
        StudyError: It cannot be created, or belongs to another user.
    """
    fix = f"Set {VARIABLE} to a folder that you can write to, the same for all studies of this machine."
    setting = os.environ.get(VARIABLE)
    if setting:
        folder = Path(setting).absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"cannot create the folder of locks: {error.strerror}", where=str(folder), fix=fix) from error
        return folder
    for parent in dict.fromkeys(("/tmp", tempfile.gettempdir())):  # noqa: S108  # made with mode 0700, and its owner is checked
        folder = Path(parent) / f"lepton-{os.getuid()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            return _own(folder, fix)
    raise StudyError("cannot create the folder of locks", where=str(folder), fix=fix)


def _own(folder: Path, fix: str) -> Path:
    """The folder, if it is the user's own, as another user with access could block all studies."""
    known = folder.lstat()
    if known.st_uid != os.getuid() or not stat.S_ISDIR(known.st_mode):
        raise StudyError("the folder of locks belongs to another user", where=str(folder), fix=fix)
    if known.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def measurement_lock_path() -> str:
    """The file of the measurement lock between all workers of the user on this machine."""
    return str(lock_folder() / "gate")


def try_lock(file: int, mode: int = fcntl.LOCK_EX) -> bool:
    """Take a lock on an open file, if no other lock prevents it; returns whether it was taken."""
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(path: Path) -> int:
    """Open a lock file, created if it is missing; child processes do not inherit it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def is_current(file: int, path: Path) -> bool:
    """Whether an open file is still the one at its path: the lock of a stopped process is replaced by a new file."""
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except OSError:
        return False


def take_over(path: Path, inode: int) -> None:
    """Remove a lock file that a stopped process holds; its holder notices by `is_current` when it continues."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped (by SIGSTOP or a debugger); False if the system does not report it."""
    return _stat(pid)[:1] in (["T"], ["t"])


def started(pid: int) -> str:
    """When a process was started, in the kernel's clock ticks; with the pid it identifies the process uniquely.

    Empty if there is no such process, or the system does not report it.
    """
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""  # field 22 of proc_pid_stat(5)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third one on, the state; the second may contain spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


class Heartbeats:
    """Detects files that are no longer touched, by this process's own clock, so that clock changes and sleep do not matter.

    Args:
        stale: Seconds without a touch, while this process watched, after which a file counts as abandoned.
    """

    def __init__(self, stale: float = STALE) -> None:
        self._stale = stale
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}

    def is_stale(self, path: Path) -> bool:
        """Whether a file was not touched for too long."""
        try:
            known = path.stat()
        except OSError:
            self._seen.pop(path, None)
            return False
        mark, now = (known.st_ino, known.st_mtime_ns), time.monotonic()
        before = self._seen.get(path)
        if before is None or before[0] != mark:
            self._seen[path] = mark, now
            return False
        return now - before[1] > self._stale

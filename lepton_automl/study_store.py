"""The folder of all studies, by default `mlruns`, which contains all their files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .errors import ConfigError, StudyError, did_you_mean
from .events import (
    Event,
    HyperparametersRanked,
    ModelAccelerated,
    ModelRefitted,
    Noted,
    ReferencesScored,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialResumed,
    TrialRetried,
)
from .journal import Journal, private
from .locks import started

CHECKPOINT = "checkpoint.safetensors"  # in a trial's folder, while it runs: the state to resume from
JOURNAL = "journal.jsonl"
BUNDLE, REFIT = "bundle", "refit"  # in a trial's folder: its model as it was scored, and trained again on more rows
RETRAINED = "retrained"  # in the same folder: its network trained again, for the refit of an ensemble
SPARE = "spare.jsonl"  # copies of lines of the journal: in a trial's folder those about it, in the study's folder others
TEACHER_FILE = "teacher.npy"  # in a study's folder: the user's answers for the stored rows, which networks may learn from
ALIVE = "alive"  # a file that the process running a study keeps locked, and writes its status to
INFO_BYTES = 2048  # bytes of that file, all written at once: space for a message even when the disk is full
PATIENCE = 0.5  # seconds for which processes that only check the lock may hold it
REQUEST_FILE = "config.json"  # a study's configuration, for the process that is to run it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


# The files of a study that has not started; anything else in its folder may be valuable and is kept.
UNSTARTED_FILES = {REQUEST_FILE, ALIVE, JOURNAL, SPARE, TEACHER_FILE, "data", "trials", "workers", "asked.jsonl"} | {
    "error.json",
    "search.log",
}
ROOM = 4 << 20  # bytes that must fit into a folder for a study to continue


def write_problem(folder: Path) -> str:
    """Why a folder cannot be written to: no space for a few megabytes, or no permission; empty if it can."""
    probe = folder / f"room-{os.getpid()}"
    try:
        with open(probe, "wb") as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return ""


def remove_checkpoint(study: Path, trial: int) -> None:
    """Remove the checkpoint of an ended trial; failures are ignored, as it only takes space."""
    with contextlib.suppress(OSError):
        (trial_folder(study, trial) / CHECKPOINT).unlink(missing_ok=True)


def trial_folder(study: Path, trial: int) -> Path:
    """The folder for a trial's files, in its study's folder."""
    return study / "trials" / f"{trial:05d}"


def study_journal(study: Path, *, convert: bool = False) -> Journal:
    """The journal in a study's folder; copies of its important lines go to spare files, from which it can be restored.

    Args:
        study: The study's folder.
        convert: Whether lines of an older format are converted; else reading raises an error.
    """
    return Journal(study / JOURNAL, lambda event: spare_path(study, event), convert=convert)


def spare_path(study: Path, event: Event) -> Path | None:
    """The file for a copy of an event's line; None for events that are not copied."""
    match event:
        case TrialProposed(trial=number) | TrialResumed(trial=number):
            pass
        case TrialEnded(result=ended):
            number = ended.trial
        case ModelAccelerated(result=result):
            number = result.trial
        case ModelRefitted(result=refitted):
            number = refitted.trial
        case TrialReported(report=report) if report.waits:
            number = report.trial
        case TrialReported() | TrialRetried() | Noted() | HyperparametersRanked() | ReferencesScored():
            return None
        case _:
            return study / SPARE
    return trial_folder(study, number) / SPARE


def model_folder(study: Path, trial: int, *, refitted: bool) -> Path:
    """The bundle of a trial's model that is handed over: as it was scored, or trained again on more rows."""
    return trial_folder(study, trial) / (REFIT if refitted else BUNDLE)


def trials_in(study: Path) -> list[Path]:
    """Folders of a study's trials, in their order."""
    return sorted(path for path in (study / "trials").glob("*") if path.is_dir())


class StudyStore:
    """The folder that holds all studies, and MLflow's store beside them.

    Args:
        folder: Where it is; by default `$LEPTON_HOME`, else `mlruns` in the current folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or os.environ.get("LEPTON_HOME") or "mlruns").absolute()

    @property
    def studies(self) -> list[str]:
        """Names of all studies, sorted; including those that have not started yet, and those that lost their journal."""
        files = [path for file in (JOURNAL, REQUEST_FILE, "trials") for path in self.folder.glob(f"studies/*/{file}")]
        return sorted({path.parent.name for path in files})

    def path(self, name: str) -> Path:
        """A study's folder, whether it exists or not.

        Raises:
            ConfigError: The name is not valid for a folder.
        """
        if not NAME.fullmatch(name):
            fix = "Use letters, digits, dots, dashes and underscores, starting with a letter or digit; 100 at most."
            raise ConfigError(f"{name!r} cannot be a study's name", where="name", fix=fix)
        return self.folder / "studies" / name

    def journal(self, name: str) -> Journal:
        """An existing study's journal.

        Raises:
            StudyError: There is no such study.
        """
        path = self.path(name)
        if (path / JOURNAL).exists():
            return study_journal(path)
        if trials_in(path):
            raise self.missing_journal(name)
        if path.exists():
            fix = f"Search again under this name, or remove what is left of it: lepton delete {name}"
            raise StudyError(f"the study {name!r} did not begin", where=str(self.folder), fix=fix)
        known = self.studies
        listed = f"Studies here: {', '.join(known)}.{did_you_mean(name, known)}" if known else "There are none yet."
        raise StudyError(f"there is no study {name!r} in {self.folder}", fix=listed)

    def check_journal(self, name: str) -> None:
        """Check that no study of this name has lost its journal.

        Raises:
            StudyError: There are trials but no journal.
        """
        path = self.path(name)
        if trials_in(path) and not (path / JOURNAL).exists():
            raise self.missing_journal(name)

    def missing_journal(self, name: str) -> StudyError:
        """The error that a study has trials but no journal."""
        what = f"the study has no journal but {len(trials_in(self.path(name)))} trials"
        fix = f"lepton repair {name} restores the journal from the copies beside the models; lepton delete {name} removes all."
        return StudyError(what, where=name, fix=fix)

    def remove_unstarted(self, name: str) -> None:
        """Remove the folder of a study that never started; with a journal, a trial or any other file in it, all is kept."""
        path = self.path(name)
        in_use = not path.is_dir() or (path / JOURNAL).exists() or trials_in(path) or self.running(name)
        if not in_use and {entry.name for entry in path.iterdir()} <= UNSTARTED_FILES:
            shutil.rmtree(path, ignore_errors=True)

    def free_name(self, name: str) -> str:
        """The name, or the first of name-2, name-3, … that is not taken."""
        number, free = 1, name
        while self.path(free).exists():
            number += 1
            free = f"{name}-{number}"
        return free

    def create(self, name: str) -> Path:
        """A new study's folder.

        Raises:
            StudyError: The name is taken, or the folder cannot be written to.
        """
        path = self.path(name)
        self.remove_unstarted(name)  # left by a study that was killed before it started: it contains no results
        self.check_journal(name)
        if path.exists():
            fix = (
                f"Choose another name, such as {self.free_name(name)!r}, resume the study if it is unfinished: "
                f"fit(..., resume=True), or delete it: lepton delete {name}"
            )
            raise StudyError(f"the name {name!r} is taken by a study in {self.folder}", fix=fix)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise StudyError(f"the name {name!r} was taken just now", fix="Choose another name.") from None
        except OSError as error:
            fix = "Give write permission, free disk space, or set LEPTON_HOME to another folder."
            raise StudyError(f"cannot make a folder for the study: {error.strerror}", where=str(path), fix=fix) from error
        return path

    @contextmanager
    def lock(self, name: str) -> Iterator[IO[bytes]]:
        """Hold the lock that marks this process, or one that it passes the file to, as the one that runs the study.

        Raises:
            StudyError: Another process is running it.
        """
        path = self.path(name) / ALIVE
        with open(path, "r+b" if path.exists() else "w+b", buffering=0, opener=private) as file:
            until = time.monotonic() + PATIENCE
            while not _locked(file, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    raise StudyError("another process is already running it", where=name, fix=f"See: lepton status {name}")
                time.sleep(0.01)
            write_process_info(file, pid=os.getpid())  # without `since`: it may only launch the search
            yield file

    def running(self, name: str) -> bool:
        """Whether a process is running the study; a killed process is not."""
        alive = self.path(name) / ALIVE
        if not alive.exists():
            return False
        with open(alive, "rb") as file:
            return not _locked(file, fcntl.LOCK_SH)

    def process_info(self, name: str) -> dict[str, Any]:
        """The status of the process that runs the study, as it wrote it: its `pid`, and its `trouble`, if there is any."""
        try:
            info: dict[str, Any] = json.loads((self.path(name) / ALIVE).read_bytes() or b"{}")
        except (OSError, ValueError):  # it is just being written
            return {}
        return info

    def search_pid(self, name: str) -> int | None:
        """The id of the search process, if it is certain: it wrote the id itself, is running, and was started when it wrote.

        None during the launch: the launcher holds the lock then, and must not receive a signal.
        """
        info = self.process_info(name)
        pid, since = info.get("pid"), info.get("since")
        known = isinstance(pid, int) and pid != os.getpid() and bool(since) and started(pid) == since
        return pid if known and self.running(name) else None

    def size(self, name: str) -> int:
        """The size of a study's folder in bytes."""
        return sum(file.stat().st_size for file in self.path(name).rglob("*") if file.is_file())

    def remove(self, name: str) -> None:
        """Delete a study's folder."""
        shutil.rmtree(self.path(name))


def write_process_info(file: IO[bytes], **what: Any) -> None:
    """Overwrite the status of a process in the file that it holds; this needs no free disk space."""
    file.seek(0)
    file.write(json.dumps(what).encode()[:INFO_BYTES].ljust(INFO_BYTES))


def _locked(file: IO[bytes], kind: int) -> bool:
    """Take a lock if it is free; returns whether it was taken."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

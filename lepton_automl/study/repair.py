"""Repairing a damaged journal, and converting one of an older format."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from lepton_automl.errors import StudyError
from lepton_automl.events import JournalRepaired, StudyStarted
from lepton_automl.journal import Line, encoded, private, renumbered
from lepton_automl.journal_format import FORMAT
from lepton_automl.study_store import JOURNAL, StudyStore, spare_path, trials_in

from .salvage import Salvage, salvage

NEW = "journal.new"  # until it is complete


def repair(name: str, home: StudyStore) -> str:
    """Rewrite a study's journal from everything that is intact, in the current format; `StudyControl.repair` is the usual way.

    The old file is kept.

    If this is interrupted, either the old or the new journal is in place, and it can be run again.

    Args:
        name: The study's name.
        home: The store that holds it.

    Returns:
        What was done, in a sentence; empty if nothing was wrong.

    Raises:
        FormatError: A newer version wrote it.
        StudyError: The study is running, does not exist, or nothing of it can be restored.
    """
    study = home.path(name)
    if not (study / JOURNAL).exists() and not trials_in(study):
        home.journal(name)  # raises: there is no such study, or it did not begin
    if home.running(name):
        raise StudyError("the study is running", where=name, fix=f"End it first: lepton stop {name}")
    with home.lock(name):
        salvaged = salvage(study)
        if not salvaged.faults and not salvaged.converted:
            return ""
        if not any(isinstance(event, StudyStarted) for event in salvaged.events):
            fix = f"Its models are intact: load_model({str(study / 'trials')!r} + '/NUMBER/bundle') opens each."
            raise StudyError("the study's settings are lost", where=name, fix=fix)
        try:
            copy = _rewrite(study, salvaged)
        except OSError as error:
            fix = "Free disk space or give write permission, then try again; nothing is lost."
            raise StudyError(f"the journal cannot be written: {error.strerror}", where=str(study), fix=fix) from error
    models = sum(trial.is_packed for trial in salvaged.state.trials.values())
    counted = f"intact lines: {salvaged.whole:,}, restored from copies: {salvaged.restored:,}, lost: {salvaged.lost:,}"
    what = "the journal is repaired" if salvaged.faults else f"the journal is converted to format {FORMAT}"
    done = f"{what}: {counted}; {len(salvaged.state.trials)} trials are known, {models} with a model"
    return f"{done}. The old file is kept: {study / copy}" if copy else done


def _rewrite(study: Path, salvaged: Salvage) -> str:
    """Replace the journal with the new one, and write copies of its lines; returns the new name of the old one."""
    reason = "damaged" if salvaged.faults else "older"
    copy = _free(study, reason) if (study / JOURNAL).exists() else ""
    note = JournalRepaired(
        at=salvaged.state.last_at, whole=salvaged.whole, restored=salvaged.restored, lost=salvaged.lost, kept=copy
    )
    lines = [*salvaged.lines, Line(0, note, raw=encoded(note, 0, study)[:-1])]
    written = [(line, renumbered(line.core, number)) for number, line in enumerate(lines, 1)]
    _write(study / NEW, (raw for _, raw in written))
    copies: dict[Path, list[bytes]] = defaultdict(list)
    for line, raw in written:
        if line.event is not None and (path := spare_path(study, line.event)):
            copies[path].append(raw)
    if copy:
        _keep(study / JOURNAL, study / copy)
    (study / NEW).replace(study / JOURNAL)
    for path, raw_lines in copies.items():
        part = path.with_suffix(".new")
        _write(part, raw_lines)
        part.replace(path)
    return copy


def _write(path: Path, lines: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(path, "wb", opener=private) as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _keep(journal: Path, copy: Path) -> None:
    """Give the old journal a second name; a folder in its place is moved there."""
    if not journal.is_file():
        journal.rename(copy)
        return
    with contextlib.suppress(OSError):  # a file system without hard links
        copy.hardlink_to(journal)
        return
    shutil.copy2(journal, copy)


def _free(study: Path, reason: str) -> str:
    """An unused name for the old file."""
    name = f"journal.{reason}-{time.strftime('%Y%m%d-%H%M%S')}"
    number, free = 1, name
    while (study / free).exists():
        number += 1
        free = f"{name}-{number}"
    return free

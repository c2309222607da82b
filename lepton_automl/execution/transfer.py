"""Messages between the search and a worker: paths of one side become references, and then paths of the other."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from lepton_automl._json import Value
from lepton_automl.deployment.integrity import MANIFEST
from lepton_automl.errors import StudyError
from lepton_automl.jobs import Teacher, TrialJob, TrialResult
from lepton_automl.specs import DataSpec
from lepton_automl.study_store import CHECKPOINT, SPARE
from lepton_automl.workspace import Ref, Workspace, content_digest, within

HOST_LOCK = "host"  # stands for the measurement lock of the worker's host
_CONTENTS, _FOLDER, _LOCK = ("parent", "bundle", "bundles", "answers"), "folder", "measurement_lock"

Job = TypeVar("Job", bound=Value)


@dataclass(frozen=True, kw_only=True)
class Delivery(Value):
    """What a worker has produced, if the search does not see its folder.

    Args:
        contents: Files and folders; their paths are relative to the study's folder.
    """

    contents: tuple[Ref, ...]


def packed(job: Job, workspace: Workspace) -> Job:
    """A trial's job or a request, as the search sends it: without paths of this machine to the study's folder.

    Data, parents and bundles become references; the output folder becomes relative to the study's.

    Args:
        job: A `TrialJob`, or a request, whose fields are recognized by the types `DataSpec`, `TrialJob` and `Teacher`
            and by the names `parent`, `bundle`, `bundles`, `answers`, `folder` and `measurement_lock`.
        workspace: The workspace of the search.
    """

    def lock(path: str) -> str:
        return HOST_LOCK if path and path == str(workspace.lock(platform.node())) else path

    def contents(job: TrialJob) -> TrialJob:
        """Add what is in the trial's folder, such as a checkpoint, for a worker that does not see it."""
        if workspace.shared:
            return job
        paths = sorted(path for path in (workspace.folder / job.folder).glob("*") if path.name != SPARE)
        return job.replace(contents=tuple(workspace.put(path, _known_digest(path)) for path in paths))

    def reference(path: str, digest: str) -> str:
        if not path or not Path(path).exists():  # the worker reports what is missing
            return path
        return str(workspace.put(Path(path), digest or _known_digest(Path(path))))

    def folder(path: str) -> str:
        return within(Path(path), workspace.folder) if path else path

    return _mapped(job, _Change(content=reference, folder=folder, lock=lock, trial=contents))


def unpacked(job: Job, workspace: Workspace) -> Job:
    """The job with paths of the worker's machine; the contents of the trial's folder are put there.

    Args:
        job: From `packed`.
        workspace: The workspace of the worker.

    Raises:
        StudyError: Its content cannot be found.
    """

    def contents(job: TrialJob) -> TrialJob:
        place_contents(job.contents, workspace)
        return job

    def path(text: str, digest: str) -> str:  # noqa: ARG001  # the signature of `reference`
        ref = Ref.parse(text)
        return text if ref is None else str(workspace.get(ref))

    def folder(path: str) -> str:
        return str(workspace.folder / path) if path else path

    def lock(text: str) -> str:
        return str(workspace.lock(platform.node())) if text == HOST_LOCK else text

    return _mapped(job, _Change(content=path, folder=folder, lock=lock, trial=contents))


@dataclass(frozen=True)
class _Change:
    """How the paths in a job are changed."""

    content: Callable[[str, str], str]
    folder: Callable[[str], str]
    lock: Callable[[str], str]
    trial: Callable[[TrialJob], TrialJob]


def _mapped(job: Job, change: _Change) -> Job:
    changes = {field.name: _field(field.name, getattr(job, field.name), change) for field in fields(job)}  # type: ignore[arg-type]  # every value is a dataclass
    changed = job.replace(**changes)
    return change.trial(changed) if isinstance(changed, TrialJob) else changed  # type: ignore[return-value]  # a TrialJob stays one


def _field(name: str, value: Any, change: _Change) -> Any:
    if isinstance(value, DataSpec):
        return value.replace(folder=change.content(value.folder, value.digest))
    if isinstance(value, TrialJob | Teacher):
        return _mapped(value, change)
    if isinstance(value, tuple):
        return tuple(_field(name, part, change) for part in value) if name in {"trials", "bundles"} else value
    if isinstance(value, dict):
        return {key: _field(name, part, change) for key, part in value.items()} if name == "bundles" else value
    if isinstance(value, str):
        if name in _CONTENTS:
            return change.content(value, "")
        return change.folder(value) if name == _FOLDER else change.lock(value) if name == _LOCK else value
    return value


def _known_digest(path: Path) -> str:
    """The digest of a bundle's manifest, which lists the digests of its files; empty for anything else."""
    manifest = path / MANIFEST
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""


def place_contents(contents: tuple[Ref, ...], workspace: Workspace) -> None:
    """Copy contents to their paths in the study's folder; those that are there already, with the same digest, stay.

    Raises:
        StudyError: One cannot be found, or its path is outside of the study's folder.
    """
    for ref in contents:
        target = workspace.folder / ref.path
        if ".." in Path(ref.path).parts or not target.is_relative_to(workspace.folder):
            fix = "Use a workspace whose study folder contains the folders of its trials."
            raise StudyError("content would be written outside of the study's folder", where=str(target), fix=fix)
        source = workspace.get(ref)
        if source == target or (target.exists() and (_known_digest(target) or content_digest(target)) == ref.digest):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.incoming")
        _remove(part)
        if source.is_dir():
            shutil.copytree(source, part)
            _remove(target)
        else:
            shutil.copyfile(source, part)
        part.replace(target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Deliverer:
    """Stores what a trial writes to its folder, once for each change.

    Args:
        job: The trial, with paths of this machine.
        workspace: The workspace of the worker.
    """

    def __init__(self, job: TrialJob, workspace: Workspace) -> None:
        self._folder, self._workspace = workspace.folder / job.folder, workspace
        self._known = {ref.path: ref.digest for ref in job.contents}
        self._stamp: tuple[int, int] | None = None

    def checkpoint(self) -> Delivery | None:
        """A delivery of the checkpoint, if it is a new one."""
        path = self._folder / CHECKPOINT
        if self._workspace.shared or not path.is_file():
            return None
        stamp = path.stat().st_ino, path.stat().st_mtime_ns
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        return self._delivery([path])

    def all(self) -> Delivery | None:
        """A delivery of everything in the folder that is new or has changed."""
        return None if self._workspace.shared else self._delivery(sorted(self._folder.glob("*")))

    def _delivery(self, paths: list[Path]) -> Delivery | None:
        refs = [self._workspace.put(path, _known_digest(path)) for path in paths]
        changed = tuple(ref for ref in refs if self._known.get(ref.path) != ref.digest)
        self._known |= {ref.path: ref.digest for ref in changed}
        return Delivery(contents=changed) if changed else None


def returned(result: TrialResult, workspace: Workspace) -> TrialResult:
    """A result as a worker sends it: its folder is relative to the study's."""
    return result.replace(folder=within(Path(result.folder), workspace.folder)) if result.folder else result


def received(result: TrialResult, workspace: Workspace) -> TrialResult:
    """A result as the search uses it: its folder is a path of its own machine."""
    return result.replace(folder=str(workspace.folder / result.folder)) if result.folder else result

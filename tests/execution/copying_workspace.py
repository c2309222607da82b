"""A workspace whose workers see nothing of the study's folder: content goes through a store, as between two machines."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from lepton_automl.errors import StudyError
from lepton_automl.workspace import Ref, content_digest, within


class CopyingWorkspace:
    """Copies into a store, and out of it into a folder of its own.

    Args:
        folder: What stands for the study's folder.
        store: Content by digest, which all processes see.
        copies: Where content that was got lies.
        worker: Likewise for the worker: its folder, and that of its copies.
    """

    shared = False

    def __init__(self, folder, store, copies, worker=()) -> None:
        self.folder, self.store, self.copies, self.worker = Path(folder), Path(store), Path(copies), worker

    def for_worker(self) -> tuple[str, ...]:
        return f"{__name__}:open_elsewhere", str(self.store), *map(str, self.worker), str(self.folder)

    def put(self, path, digest="") -> Ref:
        ref = Ref(digest=digest or content_digest(path), path=within(path, self.folder))
        if not self.has(ref):
            copied(path, self.store / ref.digest)
        return ref

    def has(self, ref) -> bool:
        return (self.store / ref.digest).exists()

    def get(self, ref) -> Path:
        if not self.has(ref):
            raise StudyError("the store has no such content", where=ref.path, fix="Put it first.")
        copy = self.copies / ref.digest
        if not copy.exists():
            copied(self.store / ref.digest, copy)
            with open(self.copies / "log", "a") as log:
                log.write(f"{ref.digest}\n")
        return copy

    def lock(self, host) -> Path:
        return self.copies / f"{host}.lock"


def copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def open_elsewhere(store: str, folder: str, copies: str, study: str) -> CopyingWorkspace:
    """A worker's, which cannot open any file of the study."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and str(arguments[0]).startswith(f"{study}/"):
            raise PermissionError(f"{platform.node()} does not see {arguments[0]}")

    if "lepton_automl.execution.worker" in sys.orig_argv:
        sys.addaudithook(refuse)
    return CopyingWorkspace(folder, store, copies)

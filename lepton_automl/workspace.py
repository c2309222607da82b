"""Where a study's files are, for the search and for its workers, which may be on another machine."""

from __future__ import annotations

import hashlib
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from ._json import Value
from .errors import StudyError
from .locks import measurement_lock_path

_REFERENCE = re.compile(r"sha256:([0-9a-f]+):(.+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Ref(Value):
    """A reference to content in a workspace.

    Args:
        digest: Its SHA-256, as hexadecimal digits.
        path: Its path: relative to the study's folder, or absolute if it is outside.
    """

    digest: str
    path: str

    def __str__(self) -> str:
        """The reference as one text, which replaces a path."""
        return f"sha256:{self.digest}:{self.path}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The reference from its text; None for any other text, such as a path."""
        match = _REFERENCE.fullmatch(text)
        return cls(digest=match[1], path=match[2]) if match else None


class Workspace(Protocol):
    """File access of a study's search, or of one of its workers. Each process constructs its own."""

    @property
    def folder(self) -> Path:
        """The folder for the study's files on this machine; absolute."""

    @property
    def shared(self) -> bool:
        """Whether the search and its workers see the same folder, so that both see a file as soon as it is written."""

    def for_worker(self) -> tuple[str, ...]:
        """How a worker process opens its own workspace: `"module:function"`, and the function's arguments as texts."""

    def put(self, path: Path, digest: str = "") -> Ref:
        """Make a file or a folder available to every process of the study.

        Args:
            path: An existing file or folder.
            digest: The SHA-256 of its content, if that is already known; else `content_digest` computes it.
        """

    def has(self, ref: Ref) -> bool:
        """Whether `get` finds the content."""

    def get(self, ref: Ref) -> Path:
        """The content as a file or a folder on this machine, which must not be changed.

        Raises:
            StudyError: It was never put, or was removed.
        """

    def lock(self, host: str) -> Path:
        """The file that is locked while something is measured on a host; it is on that host."""


def content_digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and the contents of all files in a folder, whatever the folder's own name."""
    if path.is_file():
        return _file_digest(path).hex()
    hasher = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path).as_posix().encode()
        hasher.update(b"%d:%s" % (len(name), name) + _file_digest(file))
    return hasher.hexdigest()


def _file_digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def within(path: Path, folder: Path) -> str:
    """A path relative to a folder; absolute if it is outside."""
    path = path.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


class LocalWorkspace:
    """The study's folder, which all workers on this machine see: nothing is copied.

    Args:
        folder: The study's folder.
    """

    shared = True

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()

    def for_worker(self) -> tuple[str, ...]:
        """This class, with the folder as its argument."""
        return f"{__name__}:{type(self).__name__}", str(self.folder)

    def put(self, path: Path, digest: str = "") -> Ref:
        """A reference to it in its current place."""
        return Ref(digest=digest or content_digest(path), path=within(path, self.folder))

    def has(self, ref: Ref) -> bool:
        """Whether it exists."""
        return (self.folder / ref.path).exists()

    def get(self, ref: Ref) -> Path:
        """Its path.

        Raises:
            StudyError: It is missing.
        """
        path = self.folder / ref.path
        if not path.exists():
            raise StudyError("a file of the study is gone", where=str(path), fix="Restore it from a copy of the study.")
        return path

    def lock(self, host: str) -> Path:
        """The lock that all studies of the user on this machine share.

        Raises:
            StudyError: The lock is on another host.
        """
        if host != platform.node():
            raise StudyError(f"the lock of {host} is not on {platform.node()}", fix="Ask for the lock of this host.")
        return Path(measurement_lock_path())

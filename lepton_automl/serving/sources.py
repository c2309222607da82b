"""Where models come from: a bundle's folder, or anything that names versions and one champion among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lepton_automl.deployment.integrity import MANIFEST
from lepton_automl.errors import BundleError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")


@dataclass(frozen=True)
class Offer:
    """What a source offers now.

    Args:
        champion: The version that answers unless a request names another.
        versions: The bundle of each version.
        digest: Changes if a bundle was replaced by another under the same version.
    """

    champion: str
    versions: Mapping[str, Path]
    digest: str = ""


class ModelSource(Protocol):
    """Says which versions of a model there are."""

    @property
    def name(self) -> str:
        """The model's name, part of its addresses."""

    def poll(self) -> Offer:
        """What it offers now; called in a thread, every few seconds.

        Raises:
            LeptonError: The source cannot be read.
        """

    def close(self) -> None:
        """Release what it holds."""


class FolderSource:
    """A bundle, or a folder of bundles whose names are versions: the champion is the last one in natural order.

    Args:
        folder: The folder; a new version that is moved into it becomes the champion.
        name: The model's name; by default the folder's.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self.folder = folder.absolute()
        self._name = name or self.folder.name

    def __repr__(self) -> str:
        return f"the folder {self.folder}"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def poll(self) -> Offer:
        """The bundles that are there now.

        Raises:
            BundleError: There are none.
        """
        if (self.folder / MANIFEST).is_file():
            return Offer("1", {"1": self.folder}, str((self.folder / MANIFEST).stat().st_mtime_ns))
        found = {}
        if self.folder.is_dir():
            inside = (path for path in self.folder.iterdir() if not path.name.startswith("."))
            found = {path.name: path for path in inside if (path / MANIFEST).is_file()}
        if not found:
            what = "it is no bundle, and no folder of bundles"
            raise BundleError(what, where=str(self.folder), fix="Export one: lepton export STUDY --out FOLDER")
        champion = max(found, key=natural_order)
        return Offer(champion, found, str((found[champion] / MANIFEST).stat().st_mtime_ns))

    def close(self) -> None:
        """Nothing is open."""


class FixedSource:
    """One bundle that stays as it is.

    Args:
        name: The model's name.
        version: Its version.
        folder: The bundle.
    """

    def __init__(self, name: str, version: str, folder: Path) -> None:
        self._name, self._offer = name, Offer(version, {version: folder})

    def __repr__(self) -> str:
        return f"the bundle {self._offer.versions[self._offer.champion]}"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def poll(self) -> Offer:
        """The bundle."""
        return self._offer

    def close(self) -> None:
        """Nothing is open."""


def natural_order(version: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in texts by their value: `v9` comes before `v10`."""
    parts = re.findall(r"\d+|\D+", version)
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts]

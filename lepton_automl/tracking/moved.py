"""Update the artifact URLs in a home's own store after the home was moved or copied."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from .tracking_uri import OWN

# Tables and columns in which MLflow stores artifact URLs.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
DISPLAYED = (("datasets", "dataset_source"), ("tags", "value"))  # displayed paths
_checked: set[Path] = set()  # homes whose stores this process has checked
_opened: list[str] = []  # the store opened last


def relocate_artifacts(home: Path) -> None:
    """Point a store that was copied or moved with its home to the artifacts in the home; the original home is not touched.

    Args:
        home: The folder of all studies, with its own store; the caller must be its only writer.
    """
    home = Path(home).absolute()
    if home in _checked or not (home / OWN).exists():
        return
    with contextlib.closing(sqlite3.connect(home / OWN, timeout=30)) as file, file:
        for root in _roots(file):
            old = Path(unquote(urlsplit(root).path))
            if not _same(old, home):
                _redirect(file, root, old, home)
    _checked.add(home)


def clear_artifact_cache(uri: str) -> None:
    """Clear MLflow's cache of artifact locations, which is keyed by run id only, when another store is opened.

    Args:
        uri: The store that is opened now; nothing is cleared while it stays the same.
    """
    from mlflow.tracking._tracking_service import utils

    if _opened[-1:] != [uri]:
        getattr(utils, "_artifact_repos_cache", {}).clear()
        _opened[:] = [uri]


def _roots(file: sqlite3.Connection) -> set[str]:
    """URLs of the homes in which our experiments were created."""
    roots = set()
    with contextlib.suppress(sqlite3.OperationalError):  # the tables do not exist yet
        for name, place in file.execute("SELECT name, artifact_location FROM experiments"):
            root, _, folder = str(place).rpartition("/artifacts/")
            ours = {str(name).removeprefix("lepton/").partition(" (deleted")[0], f"_{quote(str(name), safe='')}", "_models"}
            if root.startswith("file://") and unquote(folder) in {*ours, *map(unquote, ours)}:
                roots.add(root)
    return roots


def _same(path: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(path, other)  # noqa: PTH121  # either path may no longer exist
    return False


def _redirect(file: sqlite3.Connection, root: str, old: Path, home: Path) -> None:
    """Replace an old home by another at the start of every URL."""
    before, after = f"{root}/artifacts/", f"{home.as_uri()}/artifacts/"
    for table, column in PLACES:
        change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"  # noqa: S608  # constant names
        with contextlib.suppress(sqlite3.OperationalError):  # another version of MLflow
            file.execute(change, (after, len(before) + 1, len(before), before))
    for table, column in DISPLAYED:
        change = f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?) > 0"  # noqa: S608  # likewise
        if table == "tags":
            change += " AND key = 'lepton.bundle'"
        with contextlib.suppress(sqlite3.OperationalError):
            file.execute(change, (f"{old}/studies/", f"{home}/studies/", f"{old}/studies/"))

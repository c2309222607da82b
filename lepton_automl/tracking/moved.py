"""A home's own store goes where its home goes: the addresses of artifacts in it are those of the home that is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from .tracking_uri import OWN

# Where MLflow keeps addresses of artifacts, by table and column.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
TOLD = (("datasets", "dataset_source"), ("tags", "value"))  # paths that people read
_settled: set[Path] = set()  # homes whose stores this process has seen to
_opened: list[str] = []  # the store that was opened last


def relocate_artifacts(home: Path) -> None:
    """Point a store that was copied or moved with its home at the artifacts beside it; the home that it came from is let be.

    Args:
        home: The folder of all studies, with the store that is its own; nobody else writes to it meanwhile.
    """
    home = Path(home).absolute()
    if home in _settled or not (home / OWN).exists():
        return
    with contextlib.closing(sqlite3.connect(home / OWN, timeout=30)) as file, file:
        for root in _roots(file):
            old = Path(unquote(urlsplit(root).path))
            if not _same(old, home):
                _redirect(file, root, old, home)
    _settled.add(home)


def clear_artifact_cache(uri: str) -> None:
    """Let MLflow ask a store anew where a run's artifacts lie, which it remembers by the run's id, whatever the store.

    Args:
        uri: The store that is opened now; nothing is forgotten while it stays the same.
    """
    from mlflow.tracking._tracking_service import utils

    if _opened[-1:] != [uri]:
        getattr(utils, "_artifact_repos_cache", {}).clear()
        _opened[:] = [uri]


def _roots(file: sqlite3.Connection) -> set[str]:
    """Addresses of the homes that experiments of ours were made in."""
    roots = set()
    with contextlib.suppress(sqlite3.OperationalError):  # there are no tables yet
        for name, place in file.execute("SELECT name, artifact_location FROM experiments"):
            root, _, folder = str(place).rpartition("/artifacts/")
            ours = {str(name).removeprefix("lepton/").partition(" (deleted")[0], f"_{quote(str(name), safe='')}", "_models"}
            if root.startswith("file://") and unquote(folder) in {*ours, *map(unquote, ours)}:
                roots.add(root)
    return roots


def _same(path: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(path, other)  # noqa: PTH121  # either may be a path that is no more
    return False


def _redirect(file: sqlite3.Connection, root: str, old: Path, home: Path) -> None:
    """Put another home in the place of an old one, wherever it begins an address."""
    before, after = f"{root}/artifacts/", f"{home.as_uri()}/artifacts/"
    for table, column in PLACES:
        change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"  # noqa: S608  # names of ours
        with contextlib.suppress(sqlite3.OperationalError):  # of another version of MLflow
            file.execute(change, (after, len(before) + 1, len(before), before))
    for table, column in TOLD:
        change = f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?) > 0"  # noqa: S608  # likewise
        if table == "tags":
            change += " AND key = 'lepton.bundle'"
        with contextlib.suppress(sqlite3.OperationalError):
            file.execute(change, (f"{old}/studies/", f"{home}/studies/", f"{old}/studies/"))

"""Create a store in a SQLite file atomically: in a temporary file next to it, which is linked to its name when complete."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import warnings
from pathlib import Path
from urllib.parse import quote

from .tracking_uri import SQLITE, tracking_uri

STILL = 3.0  # seconds without a change, after which no other process is creating the file
PATIENCE = 60.0  # seconds to wait for that
OLD = 3600.0  # seconds after which another process's temporary file is removed
REBUILD = "mlflow.rebuild"  # marks a home whose store is new and lacks the content of the journals
# Among MLflow's first tables; its migrations start with these, and are not rolled back if interrupted.
TABLES = {"experiments", "runs", "tags", "metrics", "params", "alembic_version"}


def ensure_complete(home: Path, uri: str) -> None:
    """Create a store that is missing or incomplete; an incomplete file is kept under another name.

    To be called by one process of a home at a time (`store_lock.single_writer`).

    Args:
        home: The folder of all studies.
        uri: The store's URL; nothing is done unless it is a SQLite file.
    """
    if not uri.startswith(SQLITE):
        return
    path = Path(uri.removeprefix(SQLITE).partition("?")[0])
    own = uri == tracking_uri(home)
    if path.exists():
        if is_complete(path, own=own) or not _stays_incomplete(path, own=own):
            return
        _set_aside(path)
    if own and any(home.glob("studies/*/journal.jsonl")):
        (home / REBUILD).touch()
    _make(path)


def is_complete(path: Path, *, own: bool) -> bool:
    """Whether the file is a complete store, or not a store of MLflow: a complete store has the default experiment.

    Raises:
        sqlite3.OperationalError: The file is locked.
    """
    if path.stat().st_size == 0:
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=STILL)) as file:
            tables = {str(row[0]) for row in file.execute("select name from sqlite_master where type = 'table'")}
            if tables and not tables & TABLES:
                return True  # not a store of MLflow
            return "experiments" in tables and file.execute("select count(*) from experiments").fetchone()[0] > 0
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # not a database
        return not own


def _stays_incomplete(path: Path, *, own: bool) -> bool:
    """Wait while another process may be creating the file; return whether it is still incomplete afterwards."""
    until = time.monotonic() + PATIENCE
    while time.time() - path.stat().st_mtime < STILL and time.monotonic() < until:
        time.sleep(0.1)
        if is_complete(path, own=own):
            return False
    return not is_complete(path, own=own)


def _set_aside(path: Path) -> None:
    copy = path.with_name(f"{path.name}.half-made-{time.strftime('%Y%m%d-%H%M%S')}")
    for ending in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{ending}").replace(f"{copy}{ending}")
    message = (
        f"the MLflow store {path} was incomplete. It was kept as {copy.name}, and rebuilt from the journals of the studies"
    )
    warnings.warn(message, stacklevel=2)


def _make(path: Path) -> None:
    """Create the tables in a temporary file, which takes seconds, and link it to its name."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as ModelStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.making-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > OLD:
                left.unlink()
    making = path.with_name(f"{path.name}.making-{os.getpid()}")
    making.unlink(missing_ok=True)
    try:
        store = SqlAlchemyStore(f"{SQLITE}{making}", (path.parent / "artifacts").as_uri())  # type: ignore[no-untyped-call]  # MLflow has no types
        store.engine.dispose()
        with contextlib.suppress(FileExistsError):  # another process was faster: keep its file
            os.link(making, path)
    finally:
        making.unlink(missing_ok=True)
    for kind in (SqlAlchemyStore, ModelStore):  # drop this process's connections to the previous file
        engines = getattr(kind, "_engine_map", {})
        engines.pop(f"{SQLITE}{making}", None)
        if f"{SQLITE}{path}" in engines:
            engines[f"{SQLITE}{path}"].dispose()

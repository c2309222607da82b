"""Run one system on one outer split of a table."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks.environments import WORK, rival_python, run_module
from benchmarks.record import Line, code_digest, search_files

from .data import Table
from .scaling import raw_error

OURS = "ours"
PEERS = ("hist_gradient_boosting", "lightgbm", "catboost", "autogluon")
SYSTEMS = (OURS, *PEERS)
# AutoGluon's own models that medium_quality uses without a GPU and without downloads.
REQUIREMENTS = ("autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3", "lightgbm==4.7.0", "catboost==1.2.10")
_HERE = Path(__file__).parent
_SHARED = (_HERE / "data.py", _HERE / "clock.py")


def codes(systems: tuple[str, ...] = SYSTEMS) -> dict[str, str]:
    """The digest of each system's present code: ours is the whole search, the peers' is the script that runs them."""
    ours, peers = (*search_files(), _HERE / "ours.py", _HERE / "scaling.py", *_SHARED), (_HERE / "peer.py", *_SHARED)
    return {system: code_digest(ours if system == OURS else peers) for system in systems}


def run_system(system: str, table: Table, split: int, *, minutes: float, threads: int, intervals: bool) -> Line:
    """Fit a system in a process of its own, and score its answers.

    Args:
        system: One of `SYSTEMS`.
        table: The data.
        split: The outer split.
        minutes: Time limit of a fit.
        threads: Threads of a fit.
        intervals: Whether intervals are scored; peers fit two more models for them.

    Raises:
        RuntimeError: It failed.
    """
    folder = WORK / "tables" / f"{table.name}-{split}-{system}-{minutes:g}"
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
    folder.mkdir(parents=True)
    try:
        table.write(split, folder, minutes=minutes, threads=threads, intervals=intervals)
        if system == OURS:
            run_module(sys.executable, "benchmarks.table_rivals.ours", [str(folder)], threads=1)
        else:
            python = rival_python("tables", REQUIREMENTS)
            run_module(python, "benchmarks.table_rivals.peer", [system, str(folder)], threads=threads)
        scores = table.scores(split, folder)
        if system == OURS:
            scores["raw_error"] = raw_error(table, split, folder)
        return {**scores, **json.loads((folder / "result.json").read_text())}
    finally:
        shutil.rmtree(folder, ignore_errors=True)

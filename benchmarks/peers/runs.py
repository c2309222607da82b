"""Runs of all contestants in processes; the peers' runs are cached."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .contestants import everyone
from .landscape import Landscape
from .recorded import Moment

RESULTS = Path(__file__).parents[2] / "mlruns" / "benchmarks"
EVERY = 50  # number of runs between progress messages
LOADER = "benchmarks.leptonbench.table:load"


class Run(NamedTuple):
    """One contestant on one table with one seed."""

    table: str
    contestant: str
    seed: int


@lru_cache
def landscape_of(name: str, loader: str = LOADER) -> Landscape:
    """The landscape of a table, created once per process."""
    module, _, function = loader.partition(":")
    return Landscape(name, getattr(importlib.import_module(module), function)(name))


def carry_out(run: Run, loader: str, workers: int) -> list[Moment]:
    """Execute one run, in any process."""
    contestant = next(candidate for candidate in everyone() if candidate.name == run.contestant)
    return [Moment(*moment) for moment in contestant.run(landscape_of(run.table, loader), run.seed, workers)]


class Store:
    """The cached runs of the peers on one table, one per line.

    Args:
            landscape: The table.
            workers: Number of concurrent trials.
            folder: The folder of the cache; None for the default.
    """

    def __init__(self, landscape: Landscape, workers: int, folder: Path | None = None) -> None:
        self._file = (folder or RESULTS) / f"search-{landscape.digest}.jsonl"
        self._keys = {
            candidate.name: f"{candidate.name} {candidate.digest()} {workers}"
            for candidate in everyone()
            if candidate.cached and not candidate.missing()
        }
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self._kept = {(record["key"], record["seed"]): record["moments"] for record in map(json.loads, lines)}

    def get(self, run: Run) -> list[Moment] | None:
        moments = self._kept.get((self._keys.get(run.contestant), run.seed))
        return None if moments is None else [Moment(*moment) for moment in moments]

    def put(self, run: Run, moments: list[Moment]) -> None:
        if run.contestant in self._keys:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"key": self._keys[run.contestant], "seed": run.seed, "moments": moments})
            with self._file.open("a") as file:
                file.write(f"{line}\n")


def all_runs(runs: Iterable[Run], *, loader: str, workers: int, processes: int) -> dict[Run, list[Moment]]:
    """The trial ends of every run, from the cache if they are there."""
    wanted = list(runs)
    stores = {name: Store(landscape_of(name, loader), workers) for name in {run.table for run in wanted}}
    done = {run: moments for run in wanted if (moments := stores[run.table].get(run)) is not None}
    left = [run for run in wanted if run not in done]
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the new processes when they import NumPy
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(carry_out, run, loader, workers): run for run in left}
        for number, future in enumerate(as_completed(futures), 1):
            run = futures[future]
            done[run] = future.result()
            stores[run.table].put(run, done[run])
            if number % EVERY == 0 or number == len(left):
                print(f"{number} of {len(left)} runs, {len(done) - number} were cached", flush=True)
    return done

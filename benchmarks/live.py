"""Wall-clock comparison on real data: this search, a script around Optuna and Lightning, and plain Optuna with our trainer."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl import front
from lepton_automl.measuring.host import describe_host

from .ledger import Found, Ledger
from .live_rivals.contest import contest
from .live_rivals.setting import CHECKOUT, DATA, Setting
from .report import Figure, Result

RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "live.jsonl"
CONTESTANTS = ("ours", "textbook", "peer")
TARGETS = {"textbook": "<= 0.2", "peer": "<= 0.5"}
# The reference point of the hypervolume, fixed before any run: a model with 50 % errors, or one that takes four times as long
# as the reference network (about 1 ms, fifteen times the default design), adds nothing. The space contains far slower ones.
WORST_ERROR, WORST_RATIO = 0.5, 4.0
TIMES = (
    "time_to_X_front: seconds from the start (imports, reading, host benchmark) until ours had X's final hypervolume, over X's"
    " total time; median over seeds. inf: not reached."
)
VOLUMES = (
    f"Hypervolume: in the logarithm of latency and the validation error of exported models, up to error {WORST_ERROR:g} and"
    f" {WORST_RATIO:g} times the reference network's latency; latency is the ratio to that network, measured by each contestant"
    " next to its models. Only trainings that were finished within the time count."
)
SAME = ("contestant", "seed", "minutes", "workers", "rows", "epochs_asked", "host")  # the fields that identify a run


def once(ledger: Ledger, key: tuple[Any, ...], *, again: bool) -> Found:
    """Return a run's recorded result, or run it now, in its own folder next to the ledger."""
    settings = dict(zip(SAME, key, strict=True))

    def find() -> Found:
        folder = ledger.path.parent / "-".join(["live", *(f"{part}" for part in key[:-1])])
        shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
        folder.mkdir(parents=True)
        setting = Setting(
            folder=str(folder.absolute()),
            minutes=settings["minutes"],
            workers=settings["workers"],
            seed=settings["seed"],
            rows=settings["rows"],
            epochs=settings["epochs_asked"],
            began=time.time(),
        )
        try:
            result = contest(settings["contestant"], setting)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        run = Run.of({**settings, **result})
        print(f"{run.sentence()}; load before: {result['load']}", flush=True)
        return {"at": time.strftime("%Y-%m-%d %H:%M"), **result}

    return ledger.once(key, find, again=again)


@dataclass(frozen=True)
class Run:
    """One contestant's run with one seed: its full trainings in order of completion."""

    who: str
    seed: int
    seconds: list[float]
    costs: front.Costs
    found: Found

    @classmethod
    def of(cls, record: Found) -> Run:
        rows = record["trainings"]
        costs = np.array([[math.log(row[2] / WORST_RATIO), 1 - row[1]] for row in rows], dtype=np.float64).reshape(-1, 2)
        return cls(record["contestant"], record["seed"], [row[0] for row in rows], costs, record)

    def volume(self, trainings: int | None = None) -> float:
        """Hypervolume of log-latency and error after a number of trainings, by default all."""
        return front.hypervolume(self.costs[:trainings], (0.0, WORST_ERROR))

    def reaches(self, volume: float) -> float:
        """Seconds until a hypervolume was reached; infinite if never."""
        for done in range(1, len(self.seconds) + 1):
            if self.volume(done) >= volume:
                return self.seconds[done - 1]
        return math.inf

    def sentence(self) -> str:
        """A one-line summary."""
        ready = "no trial began" if self.found["ready"] is None else f"the first trial began after {self.found['ready']:.1f} s"
        best = max((row[1] for row in self.found["trainings"]), default=0.0)
        done = f"{len(self.seconds)} trained in full of {self.found['trials']} trials, {len(self.found['failed'])} failed"
        return f"{self.who}, seed {self.seed}: hypervolume {self.volume():.4f}; {done}, {ready}; best accuracy {best:.4f}"


def figure(rival: str, pairs: Sequence[tuple[Run, Run]], seconds: float) -> Figure:
    """The share of the rival's time in which ours reached the rival's final hypervolume; infinite if never."""
    shares = sorted(ours.reaches(other.volume()) / seconds for ours, other in pairs)
    edges = None
    if len(shares) > 1:
        low, _, high = statistics.quantiles(shares, n=4, method="inclusive")
        edges = (low, math.inf if math.isnan(high) else high)  # infinity times zero is not a number
    return Figure(name=f"time_to_{rival}_front", value=statistics.median(shares), spread=edges, target=TARGETS.get(rival, ""))


def sentences(pairs: Sequence[tuple[Run, Run]], seconds: float) -> list[str]:
    """The comparison with one rival, seed by seed."""
    texts = []
    for ours, other in pairs:
        reached, theirs = ours.reaches(other.volume()), other.reaches(other.volume())
        when = "not reached" if math.isinf(reached) else f"reached after {reached:.0f} s"
        name = f"Against {other.who}, seed {ours.seed}"
        if not other.volume():
            texts.append(f"{name}: it has no network within the reference point, so there is no ratio.")
            continue
        texts.append(
            f"{name}: its final hypervolume {when} of {seconds:.0f} s (it reached it after {theirs:.0f} s);"
            f" ours ends with {ours.volume() / other.volume():.3f} of it."
        )
    return texts


def run(
    *,
    minutes: float = 20.0,
    seeds: int = 3,
    workers: int = 2,
    rows: int = 10_000,
    epochs: int = 0,
    only: str = "",
    again: str = "",
    results: str = str(RESULTS),
) -> Result:
    """Measure the share of each rival's time in which ours reaches the rival's final front, on Fashion-MNIST.

    Args:
        minutes: Minutes of each run.
        seeds: Number of runs of each contestant.
        workers: Number of processes of each contestant.
        rows: Number of training images.
        epochs: Epochs of a full training; 0 for the package's default.
        only: Contestants to run, separated by commas; all if empty. For the others, recorded runs are used.
        again: Contestants to run again, although recorded.
        results: The ledger.
    """
    if not DATA.is_dir():
        skipped = f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains fashion_mnist."
        return Result(figures=[], notes=[skipped])
    chosen, anew = (set(filter(None, text.split(","))) for text in (only, again))
    if unknown := (chosen | anew) - set(CONTESTANTS):
        raise SystemExit(f"Unknown contestant {', '.join(sorted(unknown))}; choose from {', '.join(CONTESTANTS)}.")
    ledger, runs = Ledger(Path(results), SAME), dict[tuple[str, int], Run]()
    for seed in range(seeds):
        turn = seed % len(CONTESTANTS)  # rotate the order, as the first may run on a cooler machine
        for who in (*CONTESTANTS[turn:], *CONTESTANTS[:turn]):
            key = (who, seed, minutes, workers, rows, epochs, describe_host())
            may = not chosen or who in chosen
            if may or key in ledger.known:
                runs[who, seed] = Run.of(once(ledger, key, again=may and who in anew))
    figures, notes = verdict(runs, seconds=60 * minutes)
    return Result(figures=figures, notes=notes)


def verdict(runs: dict[tuple[str, int], Run], seconds: float) -> tuple[list[Figure], list[str]]:
    """The figures and notes."""
    notes = [TIMES, VOLUMES]
    figures = []
    for rival in CONTESTANTS[1:]:
        pairs = [(run, runs[rival, seed]) for (who, seed), run in runs.items() if who == "ours" and (rival, seed) in runs]
        if pairs:
            figures.append(figure(rival, pairs, seconds))
            notes += sentences(pairs, seconds)
    notes += [f"{run.sentence()}." for run in runs.values()]
    notes += [
        f"Data or epochs of the contestants differ for seeds {seeds}; do not compare them."
        for seeds in [_unlike(runs)]
        if seeds
    ]
    times = [60 * run.found["kept"] for run in runs.values() if "kept" in run.found]
    if times:
        over = max(abs(time_used - seconds) for time_used in times) / seconds
        listed = ", ".join(f"{time_used:.1f}" for time_used in times)
        notes.append(
            f"Ours had a budget of {seconds:.0f} s and used {listed} s from `fit` to its return: at most {100 * over:.1f} % off."
        )
    loads = [run.found["load"] for run in runs.values()]
    if loads and max(loads) > 1:
        notes.append(f"The machine was busy: its load before a run was up to {max(loads):.1f}; the figures are not reliable.")
    return figures, notes


def _unlike(runs: dict[tuple[str, int], Run]) -> list[int]:
    """Seeds whose contestants had different rows or epochs."""
    kinds_by_seed: dict[int, set[tuple[str, int]]] = {}
    for (_, seed), run in runs.items():
        kinds_by_seed.setdefault(seed, set()).add((run.found["digest"], run.found["epochs"]))
    return sorted(seed for seed, kinds in kinds_by_seed.items() if len(kinds) > 1)

"""The reliability of latencies: a network compared with itself, and a quiet machine compared with a busy one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr

from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.measuring.latency import baseline_latency, interleaved_benchmark, measure
from lepton_automl.measuring.statistics import SAME_SPEED, bootstrap, compare_times
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.pipelines.cost import SECONDS, reference

from .report import Figure, Result
from .shrink import KINDS, drawn, random_rows

ROWS = (1, 8, 64)  # rows per call; networks of each kind use them in turn
CONDITIONS = ("quiet", "neighbour", "shared", "again")
BUSY = ("neighbour", "shared")
ROUNDS = 25
PLAIN = 1.10  # networks whose latencies differ by this factor should be distinguished
HOG = """
import os, sys
import numpy as np
os.sched_setaffinity(0, {int(sys.argv[1])})
square = np.ones((512, 512), np.float32)
print("ready", flush=True)
while True:
    square @ square
"""

Call = Callable[[], object]


class Naive(NamedTuple):
    """The result of a plain loop with the wall clock: the median call, and the interval of the rounds' medians."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, call: Call, seconds: float) -> Naive:
        for _ in range(10):
            call()
        times: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(times) < ROUNDS:
            began = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - began))
        low, high = bootstrap([float(np.median(part)) for part in np.array_split(times, ROUNDS)])
        return cls(float(np.median(times)), low, high)

    def differs(self, other: Naive, alike: float) -> bool:
        """Whether the intervals are disjoint, by more than what counts as equal."""
        return self.low > (1 + alike) * other.high or other.low > (1 + alike) * self.high


class Network(NamedTuple):
    """An exported network and the rows for one call."""

    path: Path
    rows: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]

    @classmethod
    def of(cls, number: int, folder: Path) -> Network:
        path, rows = folder / f"{number}.onnx", random_rows(number, max(ROWS))
        count = ROWS[number // len(KINDS) % len(ROWS)]
        export(deployable(build(drawn(number), seed=number), KINDS[number % len(KINDS)][0]), rows, path)
        return cls(path, {name: values[:count].numpy() for name, values in rows.items()})

    def opened(self) -> Call:
        model = OnnxModel(self.path)
        return lambda: model(self.rows)


@contextmanager
def kept_busy(core: int) -> Iterator[None]:
    """Run another process that multiplies matrices on this core, within the context."""
    hog = subprocess.Popen(
        [sys.executable, "-c", HOG, str(core)], stdout=subprocess.PIPE, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
    assert hog.stdout is not None
    hog.stdout.readline()
    try:
        yield
    finally:
        hog.kill()
        hog.communicate()


@contextmanager
def machine(condition: str) -> Iterator[None]:
    """The machine as it is, with one core kept busy, or with measurements confined to that core."""
    cores = os.sched_getaffinity(0)
    first = min(cores)
    with kept_busy(first) if condition in BUSY else nullcontext():
        os.sched_setaffinity(0, {first} if condition == "shared" else cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)


# One network, quiet and busy


class Reading(NamedTuple):
    """One network's latency in ms, by our measurement and by the naive one, and whether ours flagged the machine as busy."""

    ours: float
    naive: float
    busy: bool


def readings(call: Call, seconds: float, reference_ms: float) -> dict[str, Reading]:
    """Measure the same opened network under each condition."""
    readings_found = {}
    for condition in CONDITIONS:
        with machine(condition):
            ours, _ = measure(call, reference(1), reference_ms=reference_ms, seconds=seconds)
            readings_found[condition] = Reading(ours.median, Naive.of(call, seconds).median, ours.busy)
    return readings_found


def drifts(read: list[dict[str, Reading]], way: str, conditions: tuple[str, ...]) -> list[float]:
    """The relative change of each network's latency from the quiet one."""
    moved = [getattr(reading[name], way) / getattr(reading["quiet"], way) - 1 for reading in read for name in conditions]
    return [abs(by) for by in moved]


def ranked_alike(read: list[dict[str, Reading]], way: str) -> float:
    """Spearman's rank correlation of quiet and busy latencies; the lower one of both kinds of load."""

    def latencies(condition: str) -> list[float]:
        return [getattr(reading[condition], way) for reading in read]

    return min(float(spearmanr(latencies("quiet"), latencies(name)).statistic) for name in BUSY)


def drift_figures(read: list[dict[str, Reading]]) -> list[Figure]:
    """The drift of our measurements and of the naive ones."""
    ours, naive = drifts(read, "ours", BUSY), drifts(read, "naive", BUSY)
    return [
        Figure.of("drift_busy", ours, target="<= 0.03"),
        Figure.of("naive_drift_busy", naive),
        Figure(name="drift_busy_p90", value=float(np.quantile(ours, 0.9))),
        Figure(name="naive_drift_busy_p90", value=float(np.quantile(naive, 0.9))),
        *(
            Figure.of(f"{prefix}drift_{condition}", drifts(read, way, (condition,)))
            for condition in CONDITIONS[1:]
            for prefix, way in (("", "ours"), ("naive_", "naive"))
        ),
        Figure(name="rank_correlation", value=ranked_alike(read, "ours"), target=">= 0.95"),
        Figure(name="naive_rank_correlation", value=ranked_alike(read, "naive")),
        *(
            Figure(name=f"busy_said_{name}", value=float(np.mean([reading[name].busy for reading in read])))
            for name in ("quiet", "shared")
        ),
    ]


# One network against itself, and against another


class Claims(NamedTuple):
    """Whether one network opened twice is claimed to differ: by ours and the naive loop, with and without the allowance."""

    ours: bool
    strict: bool
    naive: bool
    naive_strict: bool

    @classmethod
    def of(cls, network: Network, seconds: float) -> Claims:
        first, second = network.opened(), network.opened()
        ratios = [
            timing.ratios
            for timing in interleaved_benchmark({"first": first, "second": second}, reference(1), seconds=seconds).values()
        ]
        naive = [Naive.of(call, seconds) for call in (first, second)]
        return cls(
            ours=compare_times(*ratios).outcome != "equal",
            strict=compare_times(*ratios, alike=0).outcome != "equal",
            naive=naive[0].differs(naive[1], SAME_SPEED),
            naive_strict=naive[0].differs(naive[1], 0),
        )


def claims(networks: list[Network], comparisons: int, seconds: float) -> list[Claims]:
    """Compare the networks in turn with themselves, alternating between the three conditions."""
    claims_found = []
    for n in range(comparisons):
        with machine(("quiet", *BUSY)[(n + n // len(networks)) % 3]):
            claims_found.append(Claims.of(networks[n % len(networks)], seconds))
    return claims_found


def measured_faster(networks: list[Network], latencies: list[float], seconds: float) -> list[bool]:
    """Whether each network is measured as faster than the next clearly slower one, on a shared core."""
    order, distinct = np.argsort(latencies), []
    for n, place in enumerate(order):
        slower = [other for other in order[n + 1 :] if latencies[other] > PLAIN * latencies[place]]
        if slower:
            with machine("shared"):
                calls = {"fast": networks[place].opened(), "slow": networks[slower[0]].opened()}
                fast, slow = (timing.ratios for timing in interleaved_benchmark(calls, reference(1), seconds=seconds).values())
            distinct.append(compare_times(fast, slow).outcome == "faster")
    return distinct


def notes(latencies: list[float], claimed: list[Claims], ordered: list[bool], seconds: float) -> list[str]:
    """Notes for the reader."""
    text = (
        f"{len(latencies)} networks of the search's space, with {', '.join(map(str, ROWS))} rows per call in turn: "
        f"{min(latencies):.3g} to {max(latencies):.3g} ms per call; {seconds:g} s for each measurement.\n"
        f"aa_false: share of {len(claimed)} comparisons of a network with itself, opened twice, in which one is claimed to be "
        "faster. A third of them ran under each of quiet, neighbour and shared.\n"
        f"Differences up to {SAME_SPEED:.0%} count as equal, also for the naive loop; aa_any is the share without that allowance: two "
        "copies do differ, as their weights are at different memory addresses.\n"
        f"ab_found: {len(ordered)} pairs that differ by {PLAIN - 1:.0%} or more, on a shared core: the share in the right order.\n"
        "Busy: another process multiplies matrices on one core. neighbour: we may use any core; shared: only that one. "
        "drift_busy combines both kinds, rank_correlation is the lower of the two; drift_again compares quiet with quiet.\n"
        "naive: the median call of a plain loop with the wall clock, for as long as ours; it claims a difference if the intervals are disjoint."
    )
    return text.splitlines()


def run(nets: int = 30, comparisons: int = 120, seconds: float = SECONDS) -> Result:
    """Compare false claims of a difference, drift and ranks under load with a plain loop that uses the wall clock."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        networks = [Network.of(number, Path(folder)) for number in range(nets)]
        own = baseline_latency(reference(1)).median
        read = [readings(network.opened(), seconds, own) for network in networks]
        latencies = [reading["quiet"].ours for reading in read]
        claimed = claims(networks, comparisons, seconds)
        ordered = measured_faster(networks, latencies, seconds)
    shares = {name: float(np.mean([getattr(claim, name) for claim in claimed])) for name in Claims._fields}
    figures = [
        Figure(name="aa_false", value=shares["ours"], target="<= 0.05"),
        Figure(name="naive_aa_false", value=shares["naive"]),
        Figure(name="aa_any", value=shares["strict"]),
        Figure(name="naive_aa_any", value=shares["naive_strict"]),
        Figure(name="ab_found", value=float(np.mean(ordered))),
        *drift_figures(read),
    ]
    return Result(figures=figures, notes=notes(latencies, claimed, ordered, seconds))

"""The latency of a call, on a machine with other load.

Many short runs of the call are interleaved with runs of a fixed reference network, and the ratio of the two is evaluated:
load, heat and clock frequency affect both. This is duet benchmarking (Bulej et al., arXiv 2001.05811). The latency is the
median ratio times the reference's time on this host when it is quiet.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from lepton_automl.device import get_device
from lepton_automl.profile import Measurement

from .host import WALL, describe_host
from .statistics import bootstrap, quantiles, summarize
from .timed_callable import QUIET_QUANTILE, Callee, TimedCallable

MIN_ROUNDS = 5  # with fewer, the bootstrap interval of a median means little
ROUNDS_TO_JUDGE = 7  # before a measurement may stop early
CLEARLY_ABOVE = 1.15  # times the limit: above this, the interval's lower end is clearly over the limit
PRECISE = 0.005  # half-width of the interval, as a share of the median, at which a measurement may stop early
BUSY = 0.09  # share of the time spent waiting for a core, above which the machine counts as busy


class BenchmarkResult(NamedTuple):
    """The timing of one call in an interleaved benchmark.

    Args:
        latency: In ms on the quiet host, by the device's clock (see `Device.clock`).
        wall: In ms by the wall clock, uncorrected. Its interval is that of the rounds' medians; its p5 and p95 are those of
            single calls.
        ratios: The call's time over the reference's, by round; the ratios of two calls of one benchmark are paired (see
            `statistics.compare_times`).
    """

    latency: Measurement
    wall: Measurement
    ratios: tuple[float, ...]


def interleaved_benchmark(
    calls: Mapping[str, Callee],
    reference: Callee,
    *,
    reference_ms: float | None = None,
    rounds: int = 25,
    seconds: float = 1.0,
    threads: int = 1,
    device: str = "cpu",
    limit_ms: float | None = None,
) -> dict[str, BenchmarkResult]:
    """Time several calls interleaved with the reference and with each other, a round of each in turn.

    It stops early when the interval of every call is clearly above the limit, or is narrower than a percent.

    Args:
        calls: What to time, by name: without arguments, preprocessing included.
        reference: What to interleave them with.
        reference_ms: The reference's own quiet time on this host (see `baseline_latency`); None takes it from this run.
        rounds: Rounds to spread the time over.
        seconds: Time budget for one call and its share of the reference, in wall seconds without the warm-up: two calls take
            one and a half times as long as one. A quiet machine needs four fifths of it. Where load or a slow call leaves
            fewer than five rounds it may take twice as long, and it never ends before the third round.
        threads: Threads that a call uses; they determine the clock.
        device: Where the calls run; it determines the clock.
        limit_ms: The hard limit that the latencies will be compared with.

    Returns:
        The results by the calls' names.
    """
    clock = get_device(device).clock(threads)
    share = 0.8 * seconds / (2 * rounds)
    parts = {name: TimedCallable.warmed_up(call, clock, share) for name, call in calls.items()}
    reference_timing = TimedCallable.warmed_up(reference, clock, share)
    reference_unit = _Reference(reference_timing, reference_ms)
    seconds *= (len(parts) + 1) / 2
    with _garbage_collection_off():
        deadline = time.perf_counter() + seconds
        while not all(_converged(part, reference_unit, rounds, limit_ms) for part in parts.values()):
            _run_round([*parts.values(), reference_timing])
            late = (time.perf_counter() - deadline) / seconds
            if late > 0 and len(reference_timing.round_times) >= (MIN_ROUNDS if late < 1 else 3):
                break
    return {
        name: BenchmarkResult(_latency(part, reference_unit), _wall(part, reference_unit), tuple(reference_unit.ratios(part)))
        for name, part in parts.items()
    }


def measure(
    call: Callee,
    reference: Callee,
    *,
    reference_ms: float | None = None,
    rounds: int = 25,
    seconds: float = 1.0,
    threads: int = 1,
    device: str = "cpu",
    limit_ms: float | None = None,
) -> tuple[Measurement, Measurement]:
    """Time one call interleaved with the reference; for the arguments see `interleaved_benchmark`.

    Returns:
        The latency in ms on the quiet host, and the uncorrected wall time in ms.
    """
    results = interleaved_benchmark(
        {"call": call},
        reference,
        reference_ms=reference_ms,
        rounds=rounds,
        seconds=seconds,
        threads=threads,
        device=device,
        limit_ms=limit_ms,
    )["call"]
    return results.latency, results.wall


def baseline_latency(reference: Callee, *, threads: int = 1, device: str = "cpu", seconds: float = 1.0) -> Measurement:
    """The reference's own time when the machine is quiet, measured once per study.

    Its `median` is the 10th percentile of many rounds, as load only ever adds time.

    Args:
        reference: The reference network.
        threads: Threads that it uses; they determine the clock.
        device: Where it runs; it determines the clock.
        seconds: Wall seconds to spend.
    """
    clock = get_device(device).clock(threads)
    part = TimedCallable.warmed_up(reference, clock, seconds / 100)
    with _garbage_collection_off():
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(part.round_times) < MIN_ROUNDS:
            part.run()
    low, high = bootstrap(part.round_times, QUIET_QUANTILE)
    p5, quiet_ms, p95 = quantiles(part.round_times, (0.05, QUIET_QUANTILE, 0.95))
    return Measurement(
        name="reference",
        unit="ms",
        median=quiet_ms,
        low=low,
        high=high,
        p5=p5,
        p95=p95,
        n=len(part.round_times),
        clock=clock.name,
        busy=part.waiting_share > BUSY,
        host=describe_host(),
    )


class _Reference:
    """The reference as the unit of all calls: its timing in this benchmark, and its quiet time."""

    def __init__(self, part: TimedCallable, reference_ms: float | None) -> None:
        self.part, self.known_ms = part, reference_ms

    @property
    def ms(self) -> float:
        """The reference's quiet time: the known one, or else the one measured in this benchmark."""
        return self.known_ms if self.known_ms is not None else quantiles(self.part.round_times, (QUIET_QUANTILE,))[0]

    def ratios(self, part: TimedCallable) -> list[float]:
        """Time of a call over time of the reference, by round."""
        return [call_ms / reference_ms for call_ms, reference_ms in zip(part.round_times, self.part.round_times, strict=True)]

    def waiting_share(self, part: TimedCallable) -> float:
        """Share of the time that the call, or the reference, waited for a core; the larger of the two."""
        return max(part.waiting_share, self.part.waiting_share)

    def busy(self, part: TimedCallable) -> bool:
        """Whether either waited too long for a core."""
        return self.waiting_share(part) > BUSY


def _run_round(parts: list[TimedCallable]) -> None:
    """Run one round of each call. The order changes from round to round, so that drift favours none of them."""
    rounds_run = len(parts[0].round_times)
    first = (rounds_run // 2) % len(parts)
    turns = parts[first:] + parts[:first]
    for part in turns[::-1] if rounds_run % 2 else turns:
        part.run()


def _converged(part: TimedCallable, reference_unit: _Reference, rounds: int, limit_ms: float | None) -> bool:
    """Whether further rounds are unnecessary."""
    rounds_run = len(part.round_times)
    if rounds_run < ROUNDS_TO_JUDGE or rounds_run >= rounds:
        return rounds_run >= rounds
    low, high = bootstrap(reference_unit.ratios(part), resamples=200)
    clearly_above = limit_ms is not None and low * reference_unit.ms > CLEARLY_ABOVE * limit_ms
    return clearly_above or high - low < 2 * PRECISE * low


def _latency(part: TimedCallable, reference_unit: _Reference) -> Measurement:
    """The latency that fronts and limits use."""
    ratios = reference_unit.ratios(part)
    return summarize(
        "latency",
        "ms",
        [reference_unit.ms * ratio for ratio in ratios],
        clock=part.clock.name,
        ratio=float(np.median(ratios)),
        busy=reference_unit.busy(part),
        warnings=_warnings(part, reference_unit),
    )


def _wall(part: TimedCallable, reference_unit: _Reference) -> Measurement:
    """The same calls by the wall clock, including other load."""
    p5, median, p95 = quantiles(np.concatenate(part.call_times), (0.05, 0.5, 0.95))
    low, high = bootstrap(part.wall)
    return Measurement(
        name="wall",
        unit="ms",
        median=median,
        low=min(low, median),
        high=max(high, median),
        p5=p5,
        p95=p95,
        n=len(part.call_times),
        clock=WALL.name,
        busy=reference_unit.busy(part),
        host=describe_host(),
    )


def _warnings(part: TimedCallable, reference_unit: _Reference) -> tuple[str, ...]:
    results = []
    if len(part.round_times) < MIN_ROUNDS:
        results.append(f"only {len(part.round_times)} rounds fitted into the time budget; the interval is rough")
    if reference_unit.busy(part):
        results.append(
            f"the machine was busy: calls waited {reference_unit.waiting_share(part):.2f} s of each second for a core"
        )
    if reference_unit.known_ms is None:
        results.append("the reference network's quiet time is from this run alone")
    return tuple(results)


@contextmanager
def _garbage_collection_off() -> Iterator[None]:
    """Turn garbage collection off inside the block."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

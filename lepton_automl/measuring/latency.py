"""How long a call takes, on a machine that is never quite quiet.

Many short runs of the call are interleaved with runs of a fixed reference network, and what counts is the ratio of the
two: load, heat and clock frequency strike both. This is duet benchmarking (Bulej et al., arXiv 2001.05811). The figure is
the median ratio times the time that the reference takes here when it is quiet.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from lepton_automl.profile import Measurement
from lepton_automl.specs import Device

from .host import WALL, clock_for, describe_host
from .statistics import bootstrap, quantiles, summary
from .timed_callable import QUIET_QUANTILE, Callee, Part

FEWEST_ROUNDS = 5  # below, the bootstrap interval of a median says little
ROUNDS_TO_JUDGE = 7  # before the interval may end a measurement
PLAINLY_ABOVE = 1.15  # times the limit: the lower end of the interval is beyond doubt
PRECISE = 0.005  # half-width of the interval, as a share of the median, that no further round need narrow
BUSY = 0.09  # seconds without a core in each second, from which on the machine was busy with other work


class Timed(NamedTuple):
    """What a race found out about one call.

    Args:
        latency: In ms of the quiet host: by the CPU time of the thread, or the device's own, where there is one.
        wall: In ms by the wall clock, as it was: its interval is that of the rounds' medians, its p5 and p95 are those of
            single calls.
        ratios: Its time over the reference's, round by round; those of two calls of one race are pairs (see
            `statistics.verdict`).
    """

    latency: Measurement
    wall: Measurement
    ratios: tuple[float, ...]


def race(
    calls: Mapping[str, Callee],
    reference: Callee,
    *,
    reference_ms: float | None = None,
    rounds: int = 25,
    seconds: float = 1.0,
    threads: int = 1,
    device: Device = "cpu",
    limit_ms: float | None = None,
) -> dict[str, Timed]:
    """Time several calls beside the reference and beside each other, a round of each in turn.

    It stops early when the interval of every one lies plainly above the limit, or is narrower than a percent.

    Args:
        calls: What to time, by name: without arguments, preprocessing included.
        reference: What to time beside them.
        reference_ms: The reference's own quiet time on this host (see `quiet`); None takes it from this run.
        rounds: Rounds to spread the time over.
        seconds: Wall seconds that may be spent for one call and its share of the reference, warm-up aside: two calls take
            one and a half times as long as one. A quiet machine needs four fifths of them. Where load or a slow call leaves
            fewer than five rounds it may take twice as long, and never ends before the third.
        threads: Threads that a call uses; decides the clock.
        device: Where the calls run; decides the clock.
        limit_ms: The hard limit that the figures will be held against.

    Returns:
        What was found, by the calls' names.
    """
    clock = clock_for(threads, device)
    share = 0.8 * seconds / (2 * rounds)
    parts = {name: Part.warmed(call, clock, share) for name, call in calls.items()}
    against = Part.warmed(reference, clock, share)
    unit = _Unit(against, reference_ms)
    seconds *= (len(parts) + 1) / 2
    with _uninterrupted():
        deadline = time.perf_counter() + seconds
        while not all(_enough(part, unit, rounds, limit_ms) for part in parts.values()):
            _play([*parts.values(), against])
            late = (time.perf_counter() - deadline) / seconds
            if late > 0 and len(against.own) >= (FEWEST_ROUNDS if late < 1 else 3):
                break
    return {name: Timed(_latency(part, unit), _wall(part, unit), tuple(unit.ratios(part))) for name, part in parts.items()}


def measure(
    call: Callee,
    reference: Callee,
    *,
    reference_ms: float | None = None,
    rounds: int = 25,
    seconds: float = 1.0,
    threads: int = 1,
    device: Device = "cpu",
    limit_ms: float | None = None,
) -> tuple[Measurement, Measurement]:
    """Time one call beside the reference: a race of one, whose arguments it takes.

    Returns:
        The latency in ms of the quiet host, and the wall time in ms as it was.
    """
    found = race(
        {"call": call},
        reference,
        reference_ms=reference_ms,
        rounds=rounds,
        seconds=seconds,
        threads=threads,
        device=device,
        limit_ms=limit_ms,
    )["call"]
    return found.latency, found.wall


def quiet(reference: Callee, *, threads: int = 1, device: Device = "cpu", seconds: float = 1.0) -> Measurement:
    """The reference's own time when the machine is quiet, taken once a study.

    Its `median` is the 10th percentile of many rounds, as load only ever adds.

    Args:
        reference: The reference network.
        threads: Threads that it uses; decides the clock.
        device: Where it runs; decides the clock.
        seconds: Wall seconds to spend.
    """
    clock = clock_for(threads, device)
    part = Part.warmed(reference, clock, seconds / 100)
    with _uninterrupted():
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(part.own) < FEWEST_ROUNDS:
            part.run()
    low, high = bootstrap(part.own, QUIET_QUANTILE)
    p5, least, p95 = quantiles(part.own, (0.05, QUIET_QUANTILE, 0.95))
    return Measurement(
        name="reference",
        unit="ms",
        median=least,
        low=low,
        high=high,
        p5=p5,
        p95=p95,
        n=len(part.own),
        clock=clock.name,
        busy=part.kept_waiting > BUSY,
        host=describe_host(),
    )


class _Unit:
    """The reference as the unit of all others: its part in this race, and its quiet time."""

    def __init__(self, part: Part, reference_ms: float | None) -> None:
        self.part, self.known_ms = part, reference_ms

    @property
    def ms(self) -> float:
        """The reference's quiet time, as given or as heard here."""
        return self.known_ms if self.known_ms is not None else quantiles(self.part.own, (QUIET_QUANTILE,))[0]

    def ratios(self, part: Part) -> list[float]:
        """Time of a call over time of the reference, by round."""
        return [mine / other for mine, other in zip(part.own, self.part.own, strict=True)]

    def kept_waiting(self, part: Part) -> float:
        """Seconds in each second for which the call, or the reference, had no core; whichever was struck worse."""
        return max(part.kept_waiting, self.part.kept_waiting)

    def busy(self, part: Part) -> bool:
        """Whether either was often kept from the core."""
        return self.kept_waiting(part) > BUSY


def _play(parts: list[Part]) -> None:
    """One round of each. Who comes first and who follows whom changes from round to round, so that a drift favours none."""
    played = len(parts[0].own)
    first = (played // 2) % len(parts)
    turns = parts[first:] + parts[:first]
    for part in turns[::-1] if played % 2 else turns:
        part.run()


def _enough(part: Part, unit: _Unit, rounds: int, limit_ms: float | None) -> bool:
    """Whether another round would change nothing that matters."""
    played = len(part.own)
    if played < ROUNDS_TO_JUDGE or played >= rounds:
        return played >= rounds
    low, high = bootstrap(unit.ratios(part), resamples=200)
    plainly_above = limit_ms is not None and low * unit.ms > PLAINLY_ABOVE * limit_ms
    return plainly_above or high - low < 2 * PRECISE * low


def _latency(part: Part, unit: _Unit) -> Measurement:
    """The figure that fronts and limits use."""
    ratios = unit.ratios(part)
    return summary(
        "latency",
        "ms",
        [unit.ms * ratio for ratio in ratios],
        clock=part.clock.name,
        ratio=float(np.median(ratios)),
        busy=unit.busy(part),
        warnings=_warnings(part, unit),
    )


def _wall(part: Part, unit: _Unit) -> Measurement:
    """The same calls by the wall clock, whatever else went on."""
    p5, median, p95 = quantiles(np.concatenate(part.single), (0.05, 0.5, 0.95))
    low, high = bootstrap(part.wall)
    return Measurement(
        name="wall",
        unit="ms",
        median=median,
        low=min(low, median),
        high=max(high, median),
        p5=p5,
        p95=p95,
        n=len(part.single),
        clock=WALL.name,
        busy=unit.busy(part),
        host=describe_host(),
    )


def _warnings(part: Part, unit: _Unit) -> tuple[str, ...]:
    found = []
    if len(part.own) < FEWEST_ROUNDS:
        found.append(f"only {len(part.own)} rounds fitted into the time; the interval is rough")
    if unit.busy(part):
        found.append(f"the machine was busy: in each second calls waited for a core for {unit.kept_waiting(part):.2f} s")
    if unit.known_ms is None:
        found.append("the reference's quiet time was taken from this run alone")
    return tuple(found)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """No garbage collection in between."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

"""How long a call takes, on a machine that is never quite quiet.

Many short runs of the call are interleaved with runs of a fixed reference network, and what counts is the ratio of the
two: load, heat and clock frequency strike both. This is duet benchmarking (Bulej et al., arXiv 2001.05811). The figure is
the median ratio times the time that the reference takes here when it is quiet.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from lepton_automl.values import Measurement

from .host import WALL, Clock, clock_for, describe_host
from .statistics import bootstrap

Callee = Callable[[], object]

WARM_UP_CALLS = 3  # the first ones allocate
WARM_UP_SECONDS = 0.02
FEWEST_ROUNDS = 5  # below, the bootstrap interval of a median says little
ROUNDS_TO_JUDGE = 7  # before the interval may end a measurement
PLAINLY_ABOVE = 1.15  # times the limit: the lower end of the interval is beyond doubt
PRECISE = 0.005  # half-width of the interval, as a share of the median, that no further round need narrow
BUSY = 1.10  # wall time over CPU time, from which on others had the core
QUIET_QUANTILE = 0.1  # a machine is quiet at its best moments; the very best may be a misreading


def measure(
    call: Callee,
    reference: Callee,
    *,
    reference_ms: float | None = None,
    rounds: int = 25,
    seconds: float = 1.0,
    threads: int = 1,
    limit_ms: float | None = None,
) -> tuple[Measurement, Measurement]:
    """Time a call beside the reference.

    It stops early when the interval lies plainly above the limit, or is narrower than a percent.

    Args:
        call: What to time: without arguments, preprocessing included.
        reference: What to time beside it.
        reference_ms: The reference's own quiet time on this host (see `quiet`); None takes it from this run.
        rounds: Rounds to spread the time over.
        seconds: Wall seconds that may be spent, warm-up aside; a quiet machine needs four fifths of them. Where load or a
            slow call leaves fewer than five rounds it may take twice as long, and never ends before the third.
        threads: Threads that a call uses; decides the clock.
        limit_ms: The hard limit that the figure will be held against.

    Returns:
        The latency in ms of the quiet host (by the CPU time of the thread where there is one), and the wall time in ms as
        it was: its interval is that of the rounds' medians, its p5 and p95 are those of single calls.
    """
    clock = clock_for(threads)
    duet = _Duet(clock, *(_warmed(one, clock, 0.8 * seconds / (2 * rounds)) for one in (call, reference)))
    with _uninterrupted():
        deadline = time.perf_counter() + seconds
        while not duet.enough(rounds, reference_ms, limit_ms):
            duet.play()
            late = (time.perf_counter() - deadline) / seconds
            if late > 0 and len(duet.ratios) >= (FEWEST_ROUNDS if late < 1 else 3):
                break
    return duet.latency(reference_ms), duet.wall()


def quiet(reference: Callee, *, threads: int = 1, seconds: float = 1.0) -> Measurement:
    """The reference's own time when the machine is quiet, taken once a study.

    Its `median` is the 10th percentile of many short runs, as load only ever adds.

    Args:
        reference: The reference network.
        threads: Threads that it uses; decides the clock.
        seconds: Wall seconds to spend.
    """
    clock = clock_for(threads)
    part = _warmed(reference, clock, seconds / 100)
    with _uninterrupted():
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(part.own) < FEWEST_ROUNDS:
            part.run()
    low, high = bootstrap(part.own, QUIET_QUANTILE)
    p5, least, p95 = _quantiles(part.own, (0.05, QUIET_QUANTILE, 0.95))
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
        busy=part.busy(clock),
        host=describe_host(),
    )


@dataclass
class _Part:
    """One voice of the duet, and what was heard of it: ms per call, by round.

    Args:
        call: What runs.
        clock: What its own time is read from.
        count: Calls a round.
    """

    call: Callee
    clock: Clock
    count: int
    own: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    single: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = field(default_factory=list)

    def run(self) -> None:
        """One round. Every call is stamped by the wall clock, which costs a tenth of a microsecond."""
        call, stamp, stamps = self.call, WALL.read, [0] * (self.count + 1)
        began = self.clock.read()
        stamps[0] = stamp()
        for n in range(1, self.count + 1):
            call()
            stamps[n] = stamp()
        self.own.append((self.clock.read() - began) / self.count / 1e6)
        times = np.diff(np.asarray(stamps, dtype=np.float64)) / 1e6
        self.wall.append(float(times.mean()))
        self.single.append(times)

    def busy(self, clock: Clock) -> bool:
        """Whether others had the core for a good part of the time; the wall clock alone cannot tell."""
        return clock is not WALL and float(np.sum(self.wall)) > BUSY * float(np.sum(self.own))


def _warmed(call: Callee, clock: Clock, seconds: float) -> _Part:
    """A part whose rounds last about so many seconds, run in."""
    took: list[int] = []
    until = time.perf_counter() + WARM_UP_SECONDS
    while len(took) < WARM_UP_CALLS or time.perf_counter() < until:
        began = clock.read()
        call()
        took.append(clock.read() - began)
    return _Part(call, clock, max(1, round(seconds * 1e9 / max(1.0, float(np.median(took))))))


class _Duet:
    """A call and the reference in turns."""

    def __init__(self, clock: Clock, call: _Part, reference: _Part) -> None:
        self.clock, self.call, self.reference = clock, call, reference

    def play(self) -> None:
        """One round of each; who comes first changes from round to round, so that a drift favours neither."""
        parts = (self.call, self.reference)
        for part in parts if len(self.call.own) % 2 else parts[::-1]:
            part.run()

    @property
    def ratios(self) -> list[float]:
        """Time of the call over time of the reference, by round."""
        return [mine / other for mine, other in zip(self.call.own, self.reference.own, strict=True)]

    def quiet_ms(self, reference_ms: float | None) -> float:
        """The reference's quiet time, as given or as heard here."""
        return reference_ms if reference_ms is not None else _quantiles(self.reference.own, (QUIET_QUANTILE,))[0]

    def enough(self, rounds: int, reference_ms: float | None, limit_ms: float | None) -> bool:
        """Whether another round would change nothing that matters."""
        played = len(self.call.own)
        if played < ROUNDS_TO_JUDGE or played >= rounds:
            return played >= rounds
        low, high = bootstrap(self.ratios, resamples=200)
        plainly_above = limit_ms is not None and low * self.quiet_ms(reference_ms) > PLAINLY_ABOVE * limit_ms
        return plainly_above or high - low < 2 * PRECISE * low

    def latency(self, reference_ms: float | None) -> Measurement:
        """The figure that fronts and limits use."""
        unit_ms = self.quiet_ms(reference_ms)
        ratios = self.ratios
        low, high = bootstrap(ratios)
        p5, median, p95 = _quantiles(ratios, (0.05, 0.5, 0.95))
        return Measurement(
            name="latency",
            unit="ms",
            median=median * unit_ms,
            low=low * unit_ms,
            high=high * unit_ms,
            p5=p5 * unit_ms,
            p95=p95 * unit_ms,
            n=len(ratios),
            clock=self.clock.name,
            ratio=median,
            busy=self.busy,
            host=describe_host(),
            warnings=self._warnings(reference_ms),
        )

    def wall(self) -> Measurement:
        """The same calls by the wall clock, whatever else went on."""
        singles = np.concatenate(self.call.single)
        p5, median, p95 = _quantiles(singles, (0.05, 0.5, 0.95))
        low, high = bootstrap([float(np.median(times)) for times in self.call.single])
        return Measurement(
            name="wall",
            unit="ms",
            median=median,
            low=min(low, median),
            high=max(high, median),
            p5=p5,
            p95=p95,
            n=len(self.call.single),
            clock=WALL.name,
            busy=self.busy,
            host=describe_host(),
        )

    @property
    def busy(self) -> bool:
        """Whether either was often kept from the core."""
        return self.call.busy(self.clock) or self.reference.busy(self.clock)

    def _warnings(self, reference_ms: float | None) -> tuple[str, ...]:
        found = []
        if len(self.call.own) < FEWEST_ROUNDS:
            found.append(f"only {len(self.call.own)} rounds fitted into the time; the interval is rough")
        if reference_ms is None:
            found.append("the reference's quiet time was taken from this run alone")
        return tuple(found)


def _quantiles(samples: object, quantiles: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(one) for one in np.quantile(np.asarray(samples, dtype=np.float64), quantiles))


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

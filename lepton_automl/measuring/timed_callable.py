"""A call that is timed round by round."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lepton_automl.device import Clock

from .host import THREAD_CPU, WALL, core_wait_ns

Callee = Callable[[], object]
Times = NDArray[np.float64]

WARM_UP_CALLS = 3  # the first ones allocate
WARM_UP_SECONDS = 0.02
BURST_SECONDS = 0.0005  # between two readings of the clock: far above their cost, far below a kernel's time slice
QUIET_QUANTILE = 0.1  # the fastest bursts are those of a quiet machine; the very fastest may be a misreading


@dataclass
class TimedCallable:
    """A call, and its times in ms per call, by round.

    A round is many short bursts of calls, and its time is that of its fast bursts: load only ever adds time, and a burst after
    another process had the core finds cold caches. On ten networks with another process on the same core this reduced the
    median drift from 2.4 % (the mean of a round) and 0.8 % (its median) to 0.6 %.

    Args:
        call: What runs.
        clock: Measures the call's own time.
        bursts: Bursts per round.
        count: Calls per burst.
    """

    call: Callee
    clock: Clock
    bursts: int
    count: int
    round_times: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    call_times: list[Times] = field(default_factory=list)
    _spent: list[tuple[int, int]] = field(default_factory=list)  # of each round, wall nanoseconds and those without a core

    @classmethod
    def warmed_up(cls, call: Callee, clock: Clock, seconds: float) -> TimedCallable:
        """Warm a call up, and choose its counts so that a round lasts about `seconds`."""
        call = clock.settled(call)
        durations: list[int] = []
        until = time.perf_counter() + WARM_UP_SECONDS
        while len(durations) < WARM_UP_CALLS or time.perf_counter() < until:
            start = clock.read()
            call()
            durations.append(clock.read() - start)
        call_seconds = max(1.0, float(np.median(durations))) / 1e9
        count = max(1, round(BURST_SECONDS / call_seconds))
        return cls(call, clock, bursts=max(1, round(seconds / (call_seconds * count))), count=count)

    def run(self) -> None:
        """Run one round."""
        # Around the whole round: a kernel often switches processes while a clock is being read, between two bursts.
        start, idle = WALL.read(), self._idle()
        own, single = zip(*(self._burst() for _ in range(self.bursts)), strict=True)
        self._spent.append((WALL.read() - start, self._idle() - idle))
        self.round_times.append(float(np.quantile(own, QUIET_QUANTILE)) / self.count / 1e6)
        self.call_times.append(np.concatenate(single) / 1e6)
        self.wall.append(float(np.median(self.call_times[-1])))

    def _idle(self) -> int:
        """Nanoseconds without a core so far: the difference of the two clocks, or the kernel's count for all threads."""
        return WALL.read() - self.clock.read() if self.clock is THREAD_CPU else core_wait_ns()

    def _burst(self) -> tuple[int, Times]:
        """Nanoseconds of all calls together, and of each by the wall clock, whose reading costs a tenth of a microsecond."""
        call, stamp, stamps = self.call, WALL.read, [0] * (self.count + 1)
        start = self.clock.read()
        stamps[0] = stamp()
        for n in range(1, self.count + 1):
            call()
            stamps[n] = stamp()
        return self.clock.read() - start, np.diff(np.asarray(stamps, dtype=np.float64))

    @property
    def waiting_share(self) -> float:
        """Share of the time spent waiting for a core."""
        wall, without = np.sum(self._spent, axis=0)
        return float(max(0, without) / max(1, wall))

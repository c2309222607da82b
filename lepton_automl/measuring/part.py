"""One voice of a race: a call that runs a round at a time, and what was heard of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .host import THREAD_CPU, WALL, Clock

Callee = Callable[[], object]

WARM_UP_CALLS = 3  # the first ones allocate
WARM_UP_SECONDS = 0.02
BUSY = 1.10  # wall time over CPU time, from which on others had the core


@dataclass
class Part:
    """A call, and its times in ms per call, by round.

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

    @classmethod
    def warmed(cls, call: Callee, clock: Clock, seconds: float) -> Part:
        """A part whose rounds last about so many seconds, run in."""
        call = clock.settled(call)
        took: list[int] = []
        until = time.perf_counter() + WARM_UP_SECONDS
        while len(took) < WARM_UP_CALLS or time.perf_counter() < until:
            began = clock.read()
            call()
            took.append(clock.read() - began)
        return cls(call, clock, max(1, round(seconds * 1e9 / max(1.0, float(np.median(took))))))

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

    @property
    def busy(self) -> bool:
        """Whether others had the core for a good part of the time; the wall clock alone cannot tell."""
        return self.clock is THREAD_CPU and float(np.sum(self.wall)) > BUSY * float(np.sum(self.own))

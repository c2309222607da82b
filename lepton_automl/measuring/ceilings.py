"""The ceilings of this machine for one call: peak arithmetic, bandwidth, and the fixed costs of a call and a kernel.

The peaks are those of calls with favourable shapes, not of the processor's data sheet (as in Williams et al., Roofline,
CACM 52(4), 2009). Bandwidth is that of copying, bytes read and written together
(McCalpin, STREAM, 1995).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from lepton_automl.device import get_device
from lepton_automl.roofline import Ceilings

from .host import describe_host

Callee = Callable[[], object]

SIZES = (256 << 10, 4 << 20, 128 << 20)  # bytes of the working set: in the L2 cache, in the shared cache, beyond all caches
QUIET = 0.1  # quantile of the calls that is reported: load only ever adds time
MIN_SAMPLES = 5  # a call's timings, at least
BUSY = 1.10  # wall time over CPU time above which the machine counts as busy


def measure_ceilings(
    arithmetic: Mapping[str, tuple[Callee, int]], chains: Mapping[int, Callee], *, threads: int = 1, seconds: float = 0.15
) -> Ceilings:
    """Measure the ceilings of this machine.

    Args:
        arithmetic: Calls, each with its multiply-accumulates; `"int8"` multiplies 8-bit integers.
        chains: Calls of almost empty kernels, by their number of kernels; at least two.
        threads: Threads that the calls use; they determine the clock.
        seconds: Wall seconds for each of about eight measurements.
    """
    watch = _Stopwatch(threads, seconds)
    rates = {name: macs / watch.quiet_s(call) for name, (call, macs) in arithmetic.items()}
    bandwidth = tuple((size, size / watch.quiet_s(_copy(size))) for size in SIZES)
    call_s, node_s = _fixed_costs({count: watch.quiet_s(call) for count, call in chains.items()})
    return Ceilings(
        macs_per_s=max(rate for name, rate in rates.items() if name != "int8"),
        int8_macs_per_s=rates.get("int8"),
        bandwidth=bandwidth,
        call_ms=1e3 * call_s,
        node_ms=1e3 * node_s,
        busy=watch.busy,
        host=describe_host(),
    )


class _Stopwatch:
    """Times calls on a quiet core, and detects when the machine is busy."""

    def __init__(self, threads: int, seconds: float) -> None:
        self.clock, self.seconds = get_device("cpu").clock(threads), seconds
        self._own = self._wall = 0.0

    def quiet_s(self, call: Callee) -> float:
        """Seconds of one call on a quiet machine."""
        call()
        samples: list[float] = []
        start = time.perf_counter()
        while len(samples) < MIN_SAMPLES or time.perf_counter() - start < self.seconds:
            count = 1 if not samples or samples[0] > 1e-4 else 100  # the clock itself costs something
            before = self.clock.read()
            for _ in range(count):
                call()
            samples.append((self.clock.read() - before) / count / 1e9)
            self._own += samples[-1] * count
        self._wall += time.perf_counter() - start
        return float(np.quantile(samples[1:], QUIET))

    @property
    def busy(self) -> bool:
        """Whether other processes had the core for a considerable part of the time."""
        return self._wall > BUSY * self._own


def _copy(size: int) -> Callee:
    """A call that copies memory: half of its working set of `size` bytes is read, half is written."""
    source = np.ones(size // 8, np.float32)
    target = np.zeros_like(source)
    return lambda: np.copyto(target, source)


def _fixed_costs(seconds: Mapping[int, float]) -> tuple[float, float]:
    """A call's fixed cost, and a kernel's: the line through the chains' times (least squares)."""
    slope, intercept = np.polyfit(list(seconds), list(seconds.values()), 1)
    return max(0.0, float(intercept)), max(0.0, float(slope))

"""The time of one call, measured alike in every system's process. Needs NumPy only."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np

BURST_SECONDS = 0.002  # between two readings of the clocks, far above their resolution
LEAST_BURSTS = 5


def call_times(call: Callable[[], object], seconds: float = 2.0) -> dict[str, float]:
    """Median times of a call in milliseconds: `cpu_ms`, of all threads of the process, and `wall_ms`."""
    for _ in range(3):
        call()
    began = time.perf_counter()
    call()
    count = max(1, round(BURST_SECONDS / max(time.perf_counter() - began, 1e-9)))
    cpu, wall = list[float](), list[float]()
    gc.disable()
    try:
        until = time.perf_counter() + seconds
        while len(wall) < LEAST_BURSTS or time.perf_counter() < until:
            cpu_start, wall_start = time.process_time(), time.perf_counter()
            for _ in range(count):
                call()
            wall.append((time.perf_counter() - wall_start) / count)
            cpu.append((time.process_time() - cpu_start) / count)
    finally:
        gc.enable()
    return {"cpu_ms": 1000 * float(np.median(cpu)), "wall_ms": 1000 * float(np.median(wall))}

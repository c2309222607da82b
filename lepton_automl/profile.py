"""Measured costs of an artifact, with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ._json import Value
from .request import Response


@dataclass(frozen=True, kw_only=True)
class Measurement(Value):
    """A measured number with its uncertainty.

    Args:
        name: What was measured.
        unit: Its unit.
        median: The figure to use.
        low: Lower end of the 95 % bootstrap interval of the median.
        high: Upper end of it.
        p5: 5th percentile of the samples.
        p95: 95th percentile of the samples.
        n: Number of samples (rounds of many calls).
        clock: Which clock or meter: `"thread_cpu"`, `"wall"`, `"device"`; `"wall_with_core"` if waiting for a core is left
            out; `"rapl"`, `"nvml"`; empty if none is needed.
        ratio: Median ratio to the reference network, if one ran alongside.
        busy: Whether the call often had to wait for a core, as the machine was busy with other work.
        host: The machine that it was measured on.
        warnings: Warnings about the measurement.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    p5: float
    p95: float
    n: int
    clock: str
    ratio: float | None = None
    busy: bool = False
    host: str = ""
    warnings: tuple[str, ...] = ()


PROFILED = ("latency_ms", "size_bytes", "parameters")  # the costs that every profile has


@dataclass(frozen=True, kw_only=True)
class Profile(Value):
    """What an artifact costs on the device.

    Args:
        latency: Time of one call in milliseconds, from decoded rows to probabilities, scaled by the reference network to a
            quiet machine.
        wall: The same by the wall clock, not scaled.
        size_bytes: Size of the exported model file.
        parameters: Number of weights.
        macs: Multiply-accumulates of one example; 0 if not counted.
        costs: Other costs that are objectives or limited, by the names of their objectives.
    """

    latency: Measurement
    wall: Measurement
    size_bytes: int
    parameters: int
    macs: int = 0
    costs: dict[str, float] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """A cost by the name of its objective; NaN if it was not measured."""
        return float(getattr(self, name)) if name in PROFILED else self.costs.get(name, math.nan)

    @property
    def latency_ms(self) -> float:
        """The figure that fronts and limits use."""
        return self.latency.median


@dataclass(frozen=True, kw_only=True)
class ResourceProfile(Response):
    """What an artifact costs besides its latency.

    Args:
        size_bytes: Size on disk.
        memory: Peak memory of loading and answering, in bytes, above that after the runtime's imports.
        imports: Time of the runtime's imports in a fresh process, in ms.
        cold_start: Time of loading and the first answer after them, in ms.
        energy: Energy of one call in mJ, above the idle machine's.
        batches: Latency of one call in ms, by its number of rows.
        absent: Why something could not be measured, by the name of its field.
    """

    size_bytes: int
    memory: Measurement | None
    imports: Measurement
    cold_start: Measurement
    energy: Measurement | None
    batches: dict[int, Measurement]
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def throughput(self) -> dict[int, float]:
        """Rows per second, by the rows of one call."""
        return {rows: 1000 * rows / latency.median for rows, latency in self.batches.items()}

    @property
    def best_rows(self) -> int:
        """The rows of one call that give the highest throughput."""
        return max(self.throughput, key=self.throughput.__getitem__)

    def __str__(self) -> str:
        """A summary for users, one line per cost."""
        memory = f"{self.memory.median / 1e6:.1f} MB" if self.memory else "not measured"
        energy = f"{self.energy.median:.3g} mJ per call" if self.energy else "not measured"
        curve = ", ".join(f"{rows}: {latency.median:.3g} ms" for rows, latency in self.batches.items())
        lines = [
            f"size on disk  {self.size_bytes / 1e3:.1f} kB",
            f"peak memory   {memory}, above the runtime's own",
            f"cold start    {self.cold_start.median:.3g} ms to load and answer, after {self.imports.median:.3g} ms of imports",
            f"energy        {energy}",
            f"rows per call {curve}; highest throughput at {self.best_rows}: {self.throughput[self.best_rows]:,.0f} rows/s",
        ]
        return "\n".join([*lines, *(f"{name}: {reason}" for name, reason in self.absent.items())])

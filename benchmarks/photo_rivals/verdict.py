"""What the recorded runs on photos show."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.record import Line
from benchmarks.report import Figure

from .systems import SYSTEMS, TUNED


@dataclass(frozen=True)
class OneFolder:
    """The results on one folder of photos.

    Args:
        name: The folder's name.
        minutes: Minutes of each system.
        max_latency_ms: What was wished of our model; 0 for nothing.
        lines: Each system's line by seed.
        clocks: The latencies by seed.
    """

    name: str
    minutes: float
    max_latency_ms: float
    lines: dict[str, dict[int, Line]]
    clocks: dict[int, Line]

    def accuracies(self, system: str) -> list[float]:
        return [line["accuracy"] for line in self.lines.get(system, {}).values()]

    def milliseconds(self, system: str) -> list[float]:
        return [clock["cpu_ms"][system] for clock in self.clocks.values() if system in clock["cpu_ms"]]

    def gaps(self, system: str, rival: str) -> list[float]:
        """How many points a system is ahead of a rival, on each seed that has both."""
        mine, other = self.lines.get(system, {}), self.lines.get(rival, {})
        return [mine[seed]["accuracy"] - other[seed]["accuracy"] for seed in mine if seed in other]

    def speedups(self, system: str, rival: str) -> list[float]:
        """The rival's latency over the system's, on each seed that has both."""
        clocks = (clock["cpu_ms"] for clock in self.clocks.values())
        return [clock[rival] / clock[system] for clock in clocks if {system, rival} <= {*clock}]

    @property
    def tuned(self) -> str | None:
        """The side at which the fine-tuned backbone is the most accurate on the test photos, in the median of the seeds."""
        known = [system for system in TUNED if self.accuracies(system)]
        return max(known, key=lambda system: statistics.median(self.accuracies(system)), default=None)

    def pairs(self) -> list[tuple[str, str]]:
        """Our systems with the rivals that they are compared with."""
        candidates = [("scratch", "plain"), *([("pretrained", self.tuned)] if self.tuned else [])]
        return [pair for pair in candidates if self.gaps(*pair)]

    def sentence(self) -> str:
        """The results of all systems in one line: medians with their quartiles."""
        parts = []
        for system in (name for name in SYSTEMS if self.accuracies(name)):
            accuracy, times = _spread(self.accuracies(system)), self.milliseconds(system)
            parts.append(f"{system} {accuracy} %{f' in {_spread(times)} ms' if times else ''}")
        seeds = max(map(len, self.lines.values()))
        wish = f", ours within {self.max_latency_ms:g} ms" if self.max_latency_ms else ""
        return f"{self.name}, {self.minutes:g} minutes, {seeds} seeds{wish}: {'; '.join(parts)}."


def verdict(folders: Sequence[OneFolder]) -> tuple[list[Figure], list[str]]:
    """The figures over all folders, and a note for each."""
    figures, least, speeds = list[Figure](), dict[str, list[float]](), list[float]()
    for folder in folders:
        for system, rival in folder.pairs():
            gap = Figure.of(f"{system}_gap_{folder.name}", folder.gaps(system, rival), unit="points")
            figures.append(gap)
            least.setdefault(system, []).append(gap.value)
            if speedups := folder.speedups(system, rival):
                speeds.append(statistics.median(speedups))
    targets = {"scratch": ">= 1", "pretrained": ">= -1"}
    totals = [
        Figure(name=f"{system}_gap_min", value=min(gaps), unit="points", target=targets[system])
        for system, gaps in least.items()
    ]
    totals += [Figure(name="speedup_min", value=min(speeds), target=">= 5")] if speeds else []
    return [*figures, *totals], [folder.sentence() for folder in folders]


def _spread(values: Sequence[float]) -> str:
    """The median, and the quartiles if there are several values."""
    figure = Figure.of("", values)
    return f"{figure.value:.3g}" + (f" ({figure.spread[0]:.3g} to {figure.spread[1]:.3g})" if figure.spread else "")

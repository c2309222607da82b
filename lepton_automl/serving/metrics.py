"""What the server counts, in the form that Prometheus reads.

Counting costs a request half a microsecond: numbers become Prometheus' metrics only when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .catalogue import Entry

BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)  # seconds
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_VERSION = ("model", "version")


class _Counted:
    """What one version has answered."""

    __slots__ = ("buckets", "rows", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds, self.rows = 0.0, 0


class Metrics(Collector):
    """The server's counters; each server has its own, and only its event loop counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._versions: dict[tuple[str, str], _Counted] = {}
        self._statuses: dict[int, int] = {}
        self._now: list[Metric] = []
        self.registry.register(self)

    def predicted(self, model: str, version: str, rows: int, seconds: float) -> None:
        """Count an answer."""
        counted = self._versions.get((model, version))
        if counted is None:
            counted = self._versions[model, version] = _Counted()
        counted.buckets[bisect_left(BUCKETS, seconds)] += 1
        counted.seconds += seconds
        counted.rows += rows

    def responded(self, status: int) -> None:
        """Count a response."""
        self._statuses[status] = self._statuses.get(status, 0) + 1

    def page(self, entries: Iterable[Entry], *, connections: int, held: int, dropped: int) -> bytes:
        """All numbers as text.

        Args:
            entries: The models.
            connections: Open connections.
            held: Bytes of bodies in memory.
            dropped: Requests that are not in the log.
        """
        waiting = GaugeMetricFamily("lepton_waiting_requests", "Requests that wait for a model", labels=["model"])
        champion = GaugeMetricFamily("lepton_champion_seconds", "When the champion became it", labels=_VERSION)
        for entry in entries:
            waiting.add_metric([entry.name], len(entry.worker))
            if entry.champion is not None:
                champion.add_metric([entry.name, entry.champion.version], entry.swapped_at)
        self._now = [
            GaugeMetricFamily("lepton_connections", "Open connections", connections),
            GaugeMetricFamily("lepton_held_bytes", "Bytes of bodies in memory", held),
            GaugeMetricFamily("lepton_log_dropped_requests", "Requests that are not in the log", dropped),
            waiting,
            champion,
        ]
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' own registry."""
        seconds = HistogramMetricFamily("lepton_request_seconds", "Time to answer a request for predictions", labels=_VERSION)
        rows = CounterMetricFamily("lepton_rows", "Predicted rows", labels=_VERSION)
        for labels, counted in self._versions.items():
            edges = [*map(str, BUCKETS), "+Inf"]
            seconds.add_metric(labels, list(zip(edges, accumulate(counted.buckets), strict=True)), counted.seconds)
            rows.add_metric(labels, counted.rows)
        statuses = CounterMetricFamily("lepton_responses", "Responses by status", labels=["status"])
        for status, count in self._statuses.items():
            statuses.add_metric([str(status)], count)
        yield from (seconds, rows, statuses, *self._now)

"""What the server counts, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from .catalogue import Entry

BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The server's counters; each server has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        kept = self.registry
        self._seconds = Histogram(
            "lepton_request_seconds",
            "Time to answer a request for predictions",
            ["model", "version"],
            buckets=BUCKETS,
            registry=kept,
        )
        self._rows = Counter("lepton_rows", "Predicted rows", ["model", "version"], registry=kept)
        self._answers = Counter("lepton_responses", "Responses by status", ["status"], registry=kept)
        self._open = Gauge("lepton_connections", "Open connections", registry=kept)
        self._held = Gauge("lepton_held_bytes", "Bytes of bodies in memory", registry=kept)
        self._waiting = Gauge("lepton_waiting_requests", "Requests that wait for a model", ["model"], registry=kept)
        self._dropped = Gauge("lepton_log_dropped_requests", "Requests that are not in the log", registry=kept)
        self._champion = Gauge("lepton_champion_seconds", "When the champion became it", ["model", "version"], registry=kept)
        self._by_version: dict[tuple[str, str], tuple[Histogram, Counter]] = {}
        self._by_status: dict[int, Counter] = {}

    def predicted(self, model: str, version: str, rows: int, seconds: float) -> None:
        """Count an answer."""
        found = self._by_version.get((model, version))
        if found is None:
            labels = (model, version)
            found = self._by_version[labels] = self._seconds.labels(*labels), self._rows.labels(*labels)
        found[0].observe(seconds)
        found[1].inc(rows)

    def responded(self, status: int) -> None:
        """Count a response."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._answers.labels(str(status))
        counter.inc()

    def page(self, entries: Iterable[Entry], *, connections: int, held: int, dropped: int) -> bytes:
        """All numbers as text.

        Args:
            entries: The models.
            connections: Open connections.
            held: Bytes of bodies in memory.
            dropped: Requests that are not in the log.
        """
        self._open.set(connections)
        self._held.set(held)
        self._dropped.set(dropped)
        self._champion.clear()
        for entry in entries:
            self._waiting.labels(entry.name).set(len(entry.worker))
            if entry.champion is not None:
                self._champion.labels(entry.name, entry.champion.version).set(entry.swapped_at)
        return generate_latest(self.registry)

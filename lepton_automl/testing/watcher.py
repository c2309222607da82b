"""The contract of watchers. A plug-in's own test inherits `WatcherContract` and provides its watcher, a profile and rows."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np

from lepton_automl import plugins
from lepton_automl.monitoring.evidence import Evidence
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Calls, Feedback, Rows
from lepton_automl.monitoring.watcher import KIND, Watch, Watcher, get_watcher

WINDOW = 500  # rows
WINDOWS = 60  # quiet ones, at a stated rate of one false alarm in 50
RATE = 0.02
MOST_ALARMS = 6  # 60 windows have more than 6 false alarms with a probability of 1 in 10,000
SOON = 4  # windows after which a change must be found
Batch = Rows | Feedback | Calls


class WatcherContract:
    """The contract as pytest tests: a subclass provides `watcher`, `profile`, `quiet` and `changed`."""

    watcher: Watcher

    def profile(self) -> Profile:
        """A profile with what the watcher needs."""
        raise NotImplementedError

    def quiet(self, rng: np.random.Generator, rows: int) -> Batch:
        """Rows, feedback or calls of the profile's distribution."""
        raise NotImplementedError

    def changed(self, rng: np.random.Generator, rows: int) -> Batch:
        """The same with a clear change of the watcher's kind."""
        raise NotImplementedError

    def test_it_is_chosen_by_its_name(self) -> None:
        """In a policy."""
        assert type(get_watcher(self.watcher.name)) is type(self.watcher)
        assert self.watcher.name in plugins.names(KIND) and self.watcher.weight > 0

    def test_it_takes_no_part_without_what_it_needs_or_stays_quiet(self) -> None:
        """With an empty profile, it does not start, or finds nothing in what it is given."""
        watch = self.watcher.start(Profile(rows=0), RATE)
        assert watch is None or not watch.rows(Rows(features={}))

    def test_false_alarms_are_as_rare_as_stated(self) -> None:
        """In quiet windows of 500 rows."""
        watch, rng = self._start(), np.random.default_rng(1)
        alarms = sum(bool(update(watch, self.quiet(rng, WINDOW))) for _ in range(WINDOWS))
        assert alarms <= MOST_ALARMS

    def test_a_change_is_found_soon_and_explained(self) -> None:
        """After some quiet windows; the evidence is a JSON value."""
        watch, rng = self._start(), np.random.default_rng(2)
        for _ in range(SOON):
            update(watch, self.quiet(rng, WINDOW))
        found = [one for _ in range(SOON) for one in update(watch, self.changed(rng, WINDOW))]
        assert found, "the change was not found"
        first = found[0]
        assert first.watcher == self.watcher.name and first.what.endswith(".") and first.false_alarms == RATE
        assert 0 <= first.since <= first.row and first.statistic >= first.threshold
        assert Evidence.from_json(json.loads(json.dumps(first.to_json()))) == first
        if first.histogram is not None:
            assert len(first.histogram.labels) == len(first.histogram.expected) == len(first.histogram.seen)

    def test_the_sizes_of_batches_make_no_difference(self) -> None:
        """Evidence is found at the same rows."""
        rng = np.random.default_rng(3)
        batches = [self.quiet(rng, WINDOW), self.changed(rng, WINDOW)]
        whole, pieces = self._start(), self._start()
        expected = [one for batch in batches for one in update(whole, batch)]
        found = [one for batch in batches for part in divided(batch, 37) for one in update(pieces, part)]
        assert [(one.row, one.since) for one in found] == [(one.row, one.since) for one in expected]

    def test_a_reset_forgets_the_evidence(self) -> None:
        """A quiet window after it raises no alarm."""
        watch, rng = self._start(), np.random.default_rng(4)
        update(watch, self.changed(rng, 20))
        watch.reset()
        assert not update(watch, self.quiet(rng, WINDOW))

    def _start(self) -> Watch:
        watch = self.watcher.start(self.profile(), RATE)
        assert watch is not None, "the profile lacks what the watcher needs"
        return watch


def update(watch: Watch, batch: Batch) -> list[Evidence]:
    """Pass a batch to the method that takes it."""
    if isinstance(batch, Rows):
        return watch.rows(batch)
    return watch.feedback(batch) if isinstance(batch, Feedback) else watch.calls(batch)


def divided(batch: Batch, size: int) -> list[Batch]:
    """A batch in parts of some size."""
    return [_part(batch, slice(first, first + size)) for first in range(0, len(batch), size)]


def _part(batch: Batch, rows: slice) -> Batch:
    values: dict[str, Any] = {}
    for field in fields(batch):
        if field.name.startswith("_"):
            continue
        value = getattr(batch, field.name)
        values[field.name] = {name: one[rows] for name, one in value.items()} if isinstance(value, dict) else value
        values[field.name] = value[rows] if isinstance(value, np.ndarray) else values[field.name]
    return type(batch)(**values)

"""The tracker: mirrors the journal of one study to MLflow.

Each study has its own experiment, `lepton/<study>`, so that MLflow's charts compare trials that share a metric and
hyperparameters. It has one parent run, and a child run for each ended trial.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import StudyError
from lepton_automl.events import Event, HostBenchmarked, JournalRepaired, StudyStarted, TrialEnded, TrialReported
from lepton_automl.journal import Journal
from lepton_automl.specs import Tracking
from lepton_automl.state import StudyState

from .dataset import dataset_record
from .projector import MARKS, OFFSET, REPAIRS, STUDY, TRIAL, Point, RunRecord, progress, study_record, study_uid, trial_records
from .store import PARENT, Store, opened_store
from .tracking_uri import address

if TYPE_CHECKING:
    from mlflow.entities import Run

BATCH = 50  # ended trials per write: bounds the work lost by a kill, and how long others wait for the store
TURN = 0.05  # seconds between two batches, in which others of this home can use the store


class Tracker:
    """Keeps MLflow in sync with a journal.

    It may be interrupted and restarted at any time, and there may be several, on several machines: the offset in the parent
    run records its progress. The offset is written last, and all writes before it are idempotent. Each run is searched by its
    tag before it is created. MLflow cannot create a run only if it is missing, so if others may write at the same time, each
    run is searched again afterwards; of duplicates, the one with the smallest id is kept.

    Args:
        journal: The study's journal.
        home: The folder of all studies, with MLflow's `mlflow.db` and `artifacts`.
        uri: An MLflow store other than the study's own.

    Raises:
        ConfigError: The URL contains a password or another secret.
    """

    def __init__(self, journal: Journal, home: str | Path, *, uri: str | None = None) -> None:
        self.journal, self.home = journal, Path(home)
        self._uri = None if uri is None else address(uri, home)
        self._state = StudyState()
        self._uid = ""
        self._read = 0  # offset up to which the journal was read
        self._done = 0  # offset up to which the store was complete when last read
        self._recent: list[tuple[int, Event]] = []  # events read since `_since`
        self._since = 0
        self._invalid: set[int] = set()  # offsets of events that do not fit the state
        self._pending = False  # whether events that were read are not in the store yet
        self._points: list[tuple[int, Point]] = []  # points of the study's own curves, with their offsets in the journal
        self._experiment = ""
        self._ids: dict[str, str] = {}  # known run ids by trial

    @property
    def place(self) -> Tracking:
        """Where the study is tracked.

        Raises:
            StudyError: The journal holds no study.
        """
        tracking = self._state.settings.tracking
        other = self._uri is not None and self._uri != tracking.uri
        return Tracking(uri=self._uri or "", experiment=tracking.experiment) if other else tracking

    def catch_up(self) -> int:
        """Write all new events.

        Returns:
            The number of runs written. Reports of a trial are written when it ends, in one batch.

        Raises:
            StudyError: MLflow cannot be written. Nothing is lost; call again later.
        """
        written = 0
        while self._read_on():
            if written:
                time.sleep(TURN)
            with self._opened() as store:
                written += self._write(store)
        return written

    def check(self) -> int:
        """Check that each ended trial has exactly one run, and write everything again if not, such as after a run was deleted.

        Returns:
            The number of ended trials.

        Raises:
            StudyError: As for `catch_up`.
        """
        self.catch_up()
        ended = {trial.proposed.uid for trial in self._state.trials.values() if trial.result}
        with self._opened() as store:
            parent = self._parent(store)
            self._ids.clear()
            if not self._find_runs(store, parent, 0) or not ended <= self._ids.keys():
                self._reset_offset(store, parent)
                self._write(store)
        return len(ended)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Store]:
        try:
            with opened_store(self.home, self.place.uri) as store:
                self._experiment = self._experiment or store.experiment(self._state.settings.name, self.place)
                yield store
        except StudyError:
            self._experiment = ""  # cached ids may be outdated
            self._ids.clear()
            raise

    def _read_on(self) -> bool:
        """Read the journal up to one batch beyond the store; return whether there is anything to write."""
        ended = 0
        for offset, event in () if self._pending else self.journal.read(self._read):
            self._read = offset
            self._recent.append((offset, event))
            if not self._state.apply(event):  # the journal is damaged
                self._invalid.add(offset)
                continue
            self._points += [(offset, point) for point in progress(self._state, event)]
            if isinstance(event, StudyStarted):
                self._uid = self._uid or study_uid(event)
            if isinstance(event, JournalRepaired) or (offset > self._done and not isinstance(event, TrialReported)):
                self._pending = True
                ended += isinstance(event, TrialEnded)
            if ended == BATCH:
                break
        return self._pending and bool(self._uid)

    def _write(self, store: Store) -> int:
        """Write the events that the store lacks: the trials, then the study itself with the new offset."""
        parent = self._parent(store)
        tags = parent.data.tags
        # After a repair the journal is a different file, so the recorded offset does not apply.
        self._done = int(tags.get(OFFSET, 0)) if tags.get(REPAIRS, "0") == str(self._state.repairs) else 0
        if self._done >= self._read:
            self._pending = False
            return 0  # another tracker has written them, and maybe more
        read = self._recent if self._done >= self._since else self.journal.read(self._done)
        news = [event for at, event in read if self._done < at <= self._read and at not in self._invalid]
        children = list(trial_records(self._state, news, json.loads(tags.get(MARKS, "{}"))))
        if not self._write_trials(store, parent, children):
            return self._write(store)  # everything again, as a removed duplicate may have held some of it
        self._write_study(store, parent, news)
        self._pending, self._done = False, self._read
        self._recent, self._since = [], self._read
        return len(children) + 1

    def _parent(self, store: Store) -> Run:
        """The study's run, created if it does not exist."""
        key, state = (STUDY, self._uid), self._state
        runs = store.runs(self._experiment, key)
        if not runs:
            assert state.started is not None
            new = RunRecord(key=key, name=state.settings.name, start_ms=round(1000 * state.started.at))
            store.create(self._experiment, new, self.place.parent)
            runs = store.runs(self._experiment, key)
        first, *duplicates = runs
        if not duplicates:
            return first
        self._reset_offset(store, first)
        for duplicate in duplicates:
            store.drop(self._experiment, duplicate.info.run_id)
        return store.client.get_run(first.info.run_id)

    def _reset_offset(self, store: Store, parent: Run) -> None:
        """Reset the offset in the store, so that the next write sends everything again."""
        store.client.set_tag(parent.info.run_id, OFFSET, "0")

    def _write_trials(self, store: Store, parent: Run, records: Sequence[RunRecord]) -> bool:
        """Write the trials' records; return False if a trial had duplicate runs."""
        starts = [record.start_ms for record in records if record.whole and record.key[1] not in self._ids]
        if starts and not self._find_runs(store, parent, min(starts)):
            return False
        for record in records:
            run_id = self._run_of(store, parent, record)
            if run_id:
                store.fill(run_id, record)
        return not (starts and store.shared) or self._find_runs(store, parent, min(starts))

    def _find_runs(self, store: Store, parent: Run, since_ms: int) -> bool:
        """Look up the runs of trials that started since a time, and delete duplicates; return False if there were any."""
        duplicates = []
        run_ids: dict[str, str] = {}
        for run in store.runs(self._experiment, (PARENT, parent.info.run_id), since_ms):
            uid = run.data.tags.get(TRIAL, "")
            if run_ids.setdefault(uid, run.info.run_id) != run.info.run_id and uid:
                duplicates.append(run.info.run_id)
        self._ids |= run_ids
        if duplicates:
            self._reset_offset(store, parent)
        for duplicate in duplicates:
            store.drop(self._experiment, duplicate)
        return not duplicates

    def _run_of(self, store: Store, parent: Run, record: RunRecord) -> str | None:
        """The run of a trial, created if the record is whole; None for a change to a missing run."""
        uid = record.key[1]
        if uid not in self._ids and not record.whole:
            run = store.find([self._experiment], record.key)
            return str(run.info.run_id) if run else None
        if uid not in self._ids:
            self._ids[uid] = store.create(self._experiment, record, parent.info.run_id)
        return self._ids[uid]

    def _write_study(self, store: Store, parent: Run, news: Sequence[Event]) -> None:
        """Write the study's own record, with the new offset."""
        run_id, info = parent.info.run_id, parent.info
        first = not self._done or any(isinstance(event, HostBenchmarked) for event in news)  # which follows the start
        record = study_record(self._state, self._uid, news, self._read, first=first)
        if not self._done:
            store.log_dataset(run_id, dataset_record(self._state.settings.data))
        unchanged = record.status == info.status and record.end_ms in {None, info.end_time}
        points = tuple(point for at, point in self._points if self._done < at <= self._read)
        # A parameter cannot change, and an interrupted first record may have written some.
        params = {name: value for name, value in record.params.items() if name not in parent.data.params}
        changes: dict[str, Any] = {
            "status": "" if unchanged else record.status,
            "params": params,
            "metrics": (*record.metrics, *points),
        }
        store.fill(run_id, dataclasses.replace(record, **changes))

    def attach(
        self,
        files: Mapping[str, str | bytes],
        tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Write files and tables as artifacts of the study's run, replacing older ones.

        Args:
            files: Contents by artifact path, such as `"front.html"`.
            tables: Rows by name: `<name>.json`, which MLflow shows as a table, and `<name>.csv`.

        Raises:
            StudyError: MLflow cannot be written.
        """
        self.catch_up()
        with self._opened() as store:
            run_id = self._parent(store).info.run_id
            for path, content in files.items():
                store.attach(run_id, path, content)
            for name, rows in (tables or {}).items():
                store.attach_table(run_id, name, rows)

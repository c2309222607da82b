"""The tracker: a window on one study's journal that writes what it sees into MLflow.

Each study has an experiment of its own, `lepton/<study>`, so that MLflow's charts compare trials that share a metric and
hyperparameters; in it one parent run, and a child run for each ended trial.
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

BATCH = 50  # ended trials that are written at once: what a kill can cost, and how long others wait for the store
TURN = 0.05  # seconds between two batches, in which others of this home get at the store


class Tracker:
    """Keeps MLflow level with a journal.

    It may be stopped at any moment and started again, there may be several, on several machines: how far it has come stands
    in the parent run, and is written last, with all that goes before it written so that it may be written again. Each run is
    looked for by its tag before it is made. MLflow has no way to make a run only where there is none, so where others may
    write at the same time each run is looked for once more afterwards; of twins the one with the smallest id stays.

    Args:
        journal: The study's journal.
        home: The folder of all studies, with MLflow's `mlflow.db` and `artifacts`.
        uri: Another MLflow store than the study's own.

    Raises:
        ConfigError: The address bears a password.
    """

    def __init__(self, journal: Journal, home: str | Path, *, uri: str | None = None) -> None:
        self.journal, self.home = journal, Path(home)
        self._uri = None if uri is None else address(uri, home)
        self._state = StudyState()
        self._uid = ""
        self._read = 0  # how far the journal was read
        self._done = 0  # how far the store has it, when last seen
        self._recent: list[tuple[int, Event]] = []  # what was read since `_since`
        self._since = 0
        self._misfits: set[int] = set()  # offsets of lines that cannot follow those before
        self._owes = False  # whether the store lacks something of what was read
        self._points: list[tuple[int, Point]] = []  # the study's own curves, each point with its place in the journal
        self._experiment = ""
        self._ids: dict[str, str] = {}  # runs of trials, as far as they are known

    @property
    def place(self) -> Tracking:
        """Where the study is shown.

        Raises:
            StudyError: The journal holds no study.
        """
        tracking = self._state.settings.tracking
        other = self._uri is not None and self._uri != tracking.uri
        return Tracking(uri=self._uri or "", experiment=tracking.experiment) if other else tracking

    def catch_up(self) -> int:
        """Write whatever is new.

        Returns:
            Runs written. Reports of running trials wait for the trial's end: one batch a trial.

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
        """See whether each ended trial is there once, and tell everything again where it is not; such as after a run was deleted.

        Returns:
            Trials that are there.

        Raises:
            StudyError: As `catch_up`.
        """
        self.catch_up()
        ended = {trial.proposed.uid for trial in self._state.trials.values() if trial.result}
        with self._opened() as store:
            parent = self._parent(store)
            self._ids.clear()
            if not self._look(store, parent, 0) or not ended <= self._ids.keys():
                self._forget(store, parent)
                self._write(store)
        return len(ended)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Store]:
        try:
            with opened_store(self.home, self.place.uri) as store:
                self._experiment = self._experiment or store.experiment(self._state.settings.name, self.place)
                yield store
        except StudyError:
            self._experiment = ""  # what was known of the store may be no more
            self._ids.clear()
            raise

    def _read_on(self) -> bool:
        """Read the journal, up to a batch beyond what the store has; whether there is anything to write."""
        ended = 0
        for offset, event in () if self._owes else self.journal.read(self._read):
            self._read = offset
            self._recent.append((offset, event))
            if not self._state.apply(event):  # of a damaged journal
                self._misfits.add(offset)
                continue
            self._points += [(offset, point) for point in progress(self._state, event)]
            if isinstance(event, StudyStarted):
                self._uid = self._uid or study_uid(event)
            if isinstance(event, JournalRepaired) or (offset > self._done and not isinstance(event, TrialReported)):
                self._owes = True
                ended += isinstance(event, TrialEnded)
            if ended == BATCH:
                break
        return self._owes and bool(self._uid)

    def _write(self, store: Store) -> int:
        """Write what the store lacks of what was read: the trials, then the study itself, which says so."""
        parent = self._parent(store)
        tags = parent.data.tags
        # A journal that was repaired since is another file, of which the store has nothing yet.
        self._done = int(tags.get(OFFSET, 0)) if tags.get(REPAIRS, "0") == str(self._state.repairs) else 0
        if self._done >= self._read:
            self._owes = False
            return 0  # another tracker was here, and may have seen more
        read = self._recent if self._done >= self._since else self.journal.read(self._done)
        news = [event for at, event in read if self._done < at <= self._read and at not in self._misfits]
        children = list(trial_records(self._state, news, json.loads(tags.get(MARKS, "{}"))))
        if not self._write_trials(store, parent, children):
            return self._write(store)  # all of it: what a twin had may be lost
        self._write_study(store, parent, news)
        self._owes, self._done = False, self._read
        self._recent, self._since = [], self._read
        return len(children) + 1

    def _parent(self, store: Store) -> Run:
        """The study's run, which comes to be where it is not."""
        key, state = (STUDY, self._uid), self._state
        runs = store.runs(self._experiment, key)
        if not runs:
            assert state.started is not None
            begun = RunRecord(key=key, name=state.settings.name, start_ms=round(1000 * state.started.at))
            store.create(self._experiment, begun, self.place.parent)
            runs = store.runs(self._experiment, key)
        first, *twins = runs
        if not twins:
            return first
        self._forget(store, first)
        for twin in twins:
            store.drop(self._experiment, twin.info.run_id)
        return store.client.get_run(first.info.run_id)

    def _forget(self, store: Store, parent: Run) -> None:
        """Say in the store that nothing is there yet, so that whoever comes next tells everything."""
        store.client.set_tag(parent.info.run_id, OFFSET, "0")

    def _write_trials(self, store: Store, parent: Run, records: Sequence[RunRecord]) -> bool:
        """Write the trials' records; false where a trial was found twice."""
        begun = [record.start_ms for record in records if record.whole and record.key[1] not in self._ids]
        if begun and not self._look(store, parent, min(begun)):
            return False
        for record in records:
            run_id = self._run_of(store, parent, record)
            if run_id:
                store.fill(run_id, record)
        return not (begun and store.shared) or self._look(store, parent, min(begun))

    def _look(self, store: Store, parent: Run, since_ms: int) -> bool:
        """Note the runs of trials that began since then, by one search; false where some had twins, which are gone then."""
        twins = []
        run_ids: dict[str, str] = {}
        for run in store.runs(self._experiment, (PARENT, parent.info.run_id), since_ms):
            uid = run.data.tags.get(TRIAL, "")
            if run_ids.setdefault(uid, run.info.run_id) != run.info.run_id and uid:
                twins.append(run.info.run_id)
        self._ids |= run_ids
        if twins:
            self._forget(store, parent)
        for twin in twins:
            store.drop(self._experiment, twin)
        return not twins

    def _run_of(self, store: Store, parent: Run, record: RunRecord) -> str | None:
        """The run of a trial, which comes to be where the record is whole; None for a change to a run that is not there."""
        uid = record.key[1]
        if uid not in self._ids and not record.whole:
            run = store.find([self._experiment], record.key)
            return str(run.info.run_id) if run else None
        if uid not in self._ids:
            self._ids[uid] = store.create(self._experiment, record, parent.info.run_id)
        return self._ids[uid]

    def _write_study(self, store: Store, parent: Run, news: Sequence[Event]) -> None:
        """Write the study's own record, which says how far all has come."""
        run_id, info = parent.info.run_id, parent.info
        first = not self._done or any(
            isinstance(event, HostBenchmarked) for event in news
        )  # which comes a moment after the start
        record = study_record(self._state, self._uid, news, self._read, first=first)
        if not self._done:
            store.log_dataset(run_id, dataset_record(self._state.settings.data))
        stands = record.status == info.status and record.end_ms in {None, info.end_time}
        points = tuple(point for at, point in self._points if self._done < at <= self._read)
        # A parameter cannot change, and a first record that was cut off may have left some.
        params = {name: value for name, value in record.params.items() if name not in parent.data.params}
        changes: dict[str, Any] = {
            "status": "" if stands else record.status,
            "params": params,
            "metrics": (*record.metrics, *points),
        }
        store.fill(run_id, dataclasses.replace(record, **changes))

    def attach(
        self,
        files: Mapping[str, str | bytes],
        tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Files and tables as artifacts of the study's run, in place of older ones.

        Args:
            files: What is in each, by its path among the run's artifacts, such as `"front.html"`.
            tables: Rows, by a name: `<name>.json`, which MLflow shows as a table, and `<name>.csv`.

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

"""The tracker: a window on one study's journal that writes what it sees into MLflow.

Each study has an experiment of its own, `lepton/<study>`, so that MLflow's charts compare trials that share a metric and
knobs; in it one parent run, and a child run for each ended trial.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lepton_automl.errors import StudyError
from lepton_automl.events import Event, StudyStarted, TrialReported
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState

from .dataset import dataset_record
from .projector import MARKS, OFFSET, STUDY, RunRecord, study_record, study_uid, trial_records
from .store import Store, opened_store


class Tracker:
    """Keeps MLflow level with a journal.

    It may be stopped at any moment and started again, there may be several: how far it has come stands in the parent
    run, and each run is looked for by its tag before it is made.

    Args:
        journal: The study's journal.
        home: The folder of all studies, with MLflow's `mlflow.db` and `artifacts`.
        uri: Another MLflow store than that, such as a team's server.
    """

    def __init__(self, journal: Journal, home: str | Path, *, uri: str | None = None) -> None:
        self.journal, self.home, self.uri = journal, Path(home), uri
        self._state = StudyState()
        self._uid = ""
        self._read = 0
        self._pending: list[tuple[int, Event]] = []

    def catch_up(self) -> int:
        """Write whatever is new.

        Returns:
            Runs written. Reports of running trials wait for the trial's end: one batch a trial.

        Raises:
            StudyError: MLflow cannot be written. Nothing is lost; call again later.
        """
        for offset, event in self.journal.read(self._read):
            self._state.apply(event)
            self._pending.append((offset, event))
            self._read = offset
            if isinstance(event, StudyStarted):
                self._uid = self._uid or study_uid(event)
        if all(isinstance(event, TrialReported) for _, event in self._pending) or not self._uid:
            return 0
        with opened_store(self.home, self.uri) as store:
            written = self._write(store)
        self._pending.clear()
        return written

    def _write(self, store: Store) -> int:
        state, offset = self._state, self._pending[-1][0]
        experiment = store.experiment(state.settings.name)
        parent = store.find([experiment], (STUDY, self._uid))
        tags = parent.data.tags if parent else {}
        done = int(tags.get(OFFSET, 0))
        if done >= offset:
            return 0  # another tracker was here, and may have seen more
        # A store that holds nothing is told everything, not only what this tracker has not told it yet.
        told = self._pending if done else [(at, event) for at, event in self.journal.read() if at <= offset]
        news = [event for at, event in told if at > done]
        record = study_record(state, self._uid, news, offset, first=not done)
        run_id = parent.info.run_id if parent else self._begin(store, experiment, record)
        children = list(trial_records(state, news, json.loads(tags.get(MARKS, "{}"))))
        for child in children:
            store.write(experiment, child, run_id)
        store.write(experiment, record)  # last: it says how far all of this has come
        return len(children) + 1

    def _begin(self, store: Store, experiment: str, record: RunRecord) -> str:
        """The parent run, with nothing in it yet but the data's name."""
        run_id = store.write(experiment, RunRecord(key=record.key, name=record.name, start_ms=record.start_ms))
        assert run_id is not None
        store.log_dataset(run_id, dataset_record(self._state.settings.data))
        return run_id

    def attach(self, path: str, content: str | bytes) -> None:
        """A file as an artifact of the study's run, in place of an older one.

        Args:
            path: Where among the run's artifacts, such as `"front.html"`.
            content: What is in it.

        Raises:
            StudyError: MLflow cannot be written, or the study's run was deleted there.
        """
        self.catch_up()
        with opened_store(self.home, self.uri) as store:
            store.attach(self._run_id(store), path, content)

    def attach_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows as a table artifact of the study's run: `<name>.json`, which MLflow shows as a table, and `<name>.csv`.

        Raises:
            StudyError: As `attach`.
        """
        self.catch_up()
        with opened_store(self.home, self.uri) as store:
            store.attach_table(self._run_id(store), name, rows)

    def _run_id(self, store: Store) -> str:
        run = store.find([store.experiment(self._state.settings.name)], (STUDY, self._uid))
        if run is None:
            raise StudyError("the study's run is not in MLflow", where=store.uri, fix="It was deleted there; restore it.")
        return str(run.info.run_id)

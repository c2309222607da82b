"""A fake of MLflow's client: runs in memory by MLflow's rules, interrupted at any call that a test chooses."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from lepton_automl.errors import StudyError
from lepton_automl.tracking.store import Store


class Page(list):
    token = None


class MemoryStore:
    """The content of a server.

    `cut` is called before and after every call that writes, with the number of the call; it may raise, or let another
    tracker write meanwhile.
    """

    def __init__(self):
        self.runs, self.experiments, self.calls = {}, {}, 0
        self.cut = lambda number, done: None
        self._tracking_client = SimpleNamespace(store=self)

    def _writes(self, effect):
        self.calls += 1
        number = self.calls
        self.cut(number, False)
        found = effect()
        self.cut(number, True)
        return found

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name, artifact_location=None, tags=None):
        made = SimpleNamespace(experiment_id=str(len(self.experiments)), lifecycle_stage="active")
        return self._writes(lambda: self.experiments.setdefault(name, made)).experiment_id

    def create_run(self, experiment, start_time, tags, run_name):
        run_id = f"{(len(self.runs) * 7919 + 13) % 10007:05d}"  # in no order, as MLflow's
        run = SimpleNamespace(
            info=SimpleNamespace(run_id=run_id, experiment_id=experiment, start_time=start_time, end_time=None, status="RUNNING"),
            data=SimpleNamespace(tags=dict(tags), params={}, metrics=set()),
            texts={}, inputs=set(), deleted=False,
        )  # fmt: skip
        return self._writes(lambda: self.runs.setdefault(run_id, run))

    def search_runs(self, experiments, filter_string="", max_results=1000, page_token=None):
        tag = re.match(r"tags\.`([^`]+)` = '([^']*)'", filter_string)
        since = int((re.search(r"start_time >= (\d+)", filter_string) or ["", "0"])[1])
        found = (r for r in self.runs.values() if not r.deleted and r.info.experiment_id in experiments)
        return Page(r for r in found if r.info.start_time >= since and (not tag or r.data.tags.get(tag[1]) == tag[2]))

    def get_run(self, run_id):
        return self._alive(run_id)

    def _alive(self, run_id):
        run = self.runs[run_id]
        if run.deleted:
            raise RuntimeError(f"run {run_id} is deleted")
        return run

    def log_batch(self, run_id, metrics=(), params=(), tags=()):
        run = self._alive(run_id)

        def effect():
            for one in params:
                assert run.data.params.setdefault(one.key, one.value) == one.value, "a parameter cannot change"
            run.data.metrics |= {(m.key, m.step, m.timestamp, m.value) for m in metrics}
            run.data.tags |= {tag.key: tag.value for tag in tags}

        self._writes(effect)

    def set_tag(self, run_id, key, value):
        self._writes(lambda: self._alive(run_id).data.tags.update({key: value}))

    def log_text(self, run_id, text, path):
        self._writes(lambda: self._alive(run_id).texts.update({path: text}))

    def log_inputs(self, run_id, inputs):
        self._writes(lambda: self._alive(run_id).inputs.add(inputs[0].dataset.name))

    def delete_run(self, run_id):
        self._writes(lambda: setattr(self._alive(run_id), "deleted", True))

    def update_run_info(self, run_id, status, end_time, name):
        from mlflow.entities import RunStatus

        info = self._alive(run_id).info
        told = {"status": RunStatus.to_string(status)} | ({"end_time": end_time} if end_time is not None else {})
        self._writes(lambda: vars(info).update(told))

    @contextmanager
    def opened(self, home, uri=None):
        """In the place of `opened_store`: without its lock, as on another machine."""
        store = Store.__new__(Store)
        store.home, store.uri, store.client = Path(home), uri or "http://store", self
        try:
            yield store
        except ConnectionError as error:
            raise StudyError(str(error)) from error
        except RuntimeError as error:
            raise StudyError(str(error)) from error

    def holds(self, without=()):
        """Everything, in a form that two shelves can be compared by; of the trials named, metrics only as they last stood."""
        runs = [run for run in self.runs.values() if not run.deleted]
        names = {run.info.run_id: _key(run) for run in runs}
        assert len(set(names.values())) == len(names), "a run is there twice"
        return {names[run.info.run_id]: self._told(run, names, without) for run in runs}

    def _told(self, run, names, without):
        tags = {name: value for name, value in run.data.tags.items() if value}
        tags["mlflow.parentRunId"] = names.get(tags.get("mlflow.parentRunId"))
        metrics = sorted(run.data.metrics)
        if _key(run) in without:
            metrics = sorted({m[0]: m for m in sorted(metrics, key=lambda m: (m[1], m[2]))}.values())
        return tags, run.data.params, metrics, run.texts, run.inputs, run.info.status, run.info.start_time, run.info.end_time


def _key(run):
    return run.data.tags.get("lepton.trial_uid") or run.data.tags["lepton.study_uid"]

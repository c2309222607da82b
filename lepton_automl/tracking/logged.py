"""Bundles as MLflow's logged models: written once, linked to the run of their trial, with tags kept up to date."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.deployment.integrity import MANIFEST, model_files
from lepton_automl.deployment.runtime import get_runtime
from lepton_automl.errors import BundleError
from lepton_automl.modality import modality_named
from lepton_automl.variant import Variant

from .records import TRIAL, RunRecord
from .signature import example, signature
from .store import PARENT, Store, opened_store

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

KEY, ON_FRONT, VERSIONS, STUDY_NAME = "lepton.model_uid", "lepton.on_front", "mlflow.modelVersions", "lepton.study"
CODE = Path(__file__).with_name("pyfunc_model.py")
REQUEST_GUARD = Path(__file__).with_name("request_guard.py")
# Of one request to a served model. They can be overridden by MLFLOW_PYFUNC_INFERENCE_CONFIG='{"max_rows": 500}'.
LIMITS = {"max_rows": 10_000, "max_pixels": 64_000_000, "max_bytes": 16 << 20, "header_seconds": 10, "body_seconds": 30}


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A model to log.

    Args:
        bundle: The folder of its bundle.
        trial_uid: The trial that it comes from; by default from its provenance. Empty for none.
        tags: Its tags: scores, latency, limits, the data's digest.
        threads: Threads that one call may use.
    """

    bundle: Path
    trial_uid: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1

    @property
    def uid(self) -> str:
        """The unique id of its trial; empty for none."""
        path = self.bundle / "provenance.json"
        if self.trial_uid or not path.exists():
            return self.trial_uid
        return str(json.loads(path.read_text(encoding="utf-8")).get("uid", ""))

    @property
    def key(self) -> str:
        """The key of the model: its trial, and a hash of its bundle, which acceleration may change."""
        return f"{self.uid}:{hashlib.sha256((self.bundle / 'manifest.json').read_bytes()).hexdigest()[:16]}"

    @property
    def preprocess(self) -> dict[str, Any]:
        """The content of `preprocess.json`.

        Raises:
            BundleError: The folder is not a bundle.
        """
        for file in (*(file.name for file in model_files(self.bundle)), "predict.py", "preprocess.json", MANIFEST):
            if not (self.bundle / file).exists():
                fix = "Pass a folder written by export() or by a study."
                raise BundleError(f"there is no {file}", where=str(self.bundle), fix=fix)
        preprocess: dict[str, Any] = json.loads((self.bundle / "preprocess.json").read_text(encoding="utf-8"))
        return preprocess


def log_models(study: str, records: Iterable[ModelRecord], *, home: str | Path, uri: str | None = None) -> None:
    """Log the models of a study's front to MLflow, each at the run of its trial.

    A repeated call copies nothing and only updates changed tags of the models and their registered versions. A model that
    has left the front is kept, with its tag `lepton.on_front` set to false.

    Args:
        study: The study's name.
        records: The models of its front, whose runs are in MLflow.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own.

    Raises:
        StudyError: MLflow cannot be written.
    """
    on_front = {record.key: record for record in records}
    with opened_store(Path(home), uri) as store:
        runs = filter(None, (trial_run(store, record.uid) for record in on_front.values()))
        experiment = next((run.info.experiment_id for run in runs), None)
        if experiment is None:
            return
        known = {key: model for key, model in _known(store, experiment).items() if model.tags.get(STUDY_NAME) == study}
        for key, record in on_front.items():
            model = known.get(key)
            if model is None:
                run = trial_run(store, record.uid)
                model = None if run is None else _make(store, run, record)
            if model:
                set_model_tags(store, model, {**record.tags, ON_FRONT: "true"})
        for key in known.keys() - on_front.keys():
            set_model_tags(store, known[key], {ON_FRONT: "false"})


def logged_model(store: Store, record: ModelRecord, name: str) -> LoggedModel:
    """The logged model of a bundle, created if it does not exist.

    Args:
        store: The store.
        record: The model.
        name: The name of the run created for it if its trial is not in this store.
    """
    run = trial_run(store, record.uid)
    experiment = run.info.experiment_id if run else store.experiment(None)
    model = _known(store, experiment).get(record.key)
    if model is None:
        if run is None:
            run = store.client.create_run(experiment, run_name=name)
            began = run.info.start_time
            ended = RunRecord(key=(KEY, record.key), name=name, start_ms=began, status="FINISHED", end_ms=began)
            store.fill(run.info.run_id, ended)
        model = _make(store, run, record)
    set_model_tags(store, model, record.tags)
    return store.client.get_logged_model(model.model_id)


def set_model_tags(store: Store, model: LoggedModel, tags: Mapping[str, Any]) -> None:
    """Update the tags of a logged model and of its registered versions; unchanged tags need no request."""
    texts = {name: str(value) for name, value in tags.items()}
    changed = {name: value for name, value in texts.items() if model.tags.get(name) != value}
    if not changed:
        return
    for version in json.loads(model.tags.get(VERSIONS, "[]")):
        with _ignore_deleted():
            for name, value in changed.items():
                store.client.set_model_version_tag(version["name"], str(version["version"]), name, value)
    store.client.set_logged_model_tags(model.model_id, changed)  # last, as it marks the versions as updated


@contextlib.contextmanager
def _ignore_deleted() -> Iterator[None]:
    """Ignore that a version was deleted meanwhile."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def trial_run(store: Store, uid: str) -> Run | None:
    """The run of a trial; None if there is none."""
    if not uid:
        return None
    return store.find(store.experiments(), (TRIAL, uid))


def logged_models(store: Store, experiment: str) -> list[LoggedModel]:
    """All logged models of an experiment."""
    models: list[LoggedModel] = []
    token = None
    while True:
        page = store.client.search_logged_models([experiment], max_results=100, page_token=token)
        models += page
        token = page.token
        if not token:
            return models


def _known(store: Store, experiment: str) -> dict[str, LoggedModel]:
    """Our logged models by their keys; incomplete ones are skipped."""
    ready = (model for model in logged_models(store, experiment) if str(model.status) == "READY")
    return {model.tags[KEY]: model for model in ready if KEY in model.tags}


def _make(store: Store, run: Run, record: ModelRecord) -> LoggedModel:
    client, info = store.client, run.info
    preprocess = record.preprocess
    name = re.sub(r"[^\w-]", "-", info.run_name)  # a run's name may contain dots, a logged model's may not
    tags = _described(run) | {KEY: record.key}
    model = client.create_logged_model(info.experiment_id, name, info.run_id, tags, dict(run.data.params), model_type="lepton")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        _save(path, record, preprocess, model)
        client.log_model_artifacts(model.model_id, str(path))
    _link(store, run, model.model_id)
    return client.finalize_logged_model(model.model_id, "READY")  # last, as it marks the model as complete


def _described(run: Run) -> dict[str, str]:
    description = {
        name: run.data.tags[name] for name in ("lepton.study", "lepton.trial", "lepton.recipe") if name in run.data.tags
    }
    figures = {"score": "score", "latency_ms": "latency_ms.p50", "size_bytes": "size_bytes"}
    known = run.data.metrics
    return description | {name: f"{known[metric]:.6g}" for name, metric in figures.items() if metric in known}


def _save(path: Path, record: ModelRecord, preprocess: dict[str, Any], model: LoggedModel) -> None:
    """Write the model's folder: MLmodel, requirements, the code, and the unchanged bundle."""
    import mlflow.pyfunc
    from mlflow.models import Model

    described = Model(
        artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=model.source_run_id, model_id=model.model_id
    )
    with _no_progress_bar():
        mlflow.pyfunc.save_model(
            path=path,
            mlflow_model=described,
            python_model=CODE,
            artifacts={"bundle": str(record.bundle.absolute()), "request_guard": str(REQUEST_GUARD)},
            model_config={**LIMITS, "threads": record.threads},
            signature=signature(preprocess),
            input_example=example(preprocess),
            pip_requirements=_requirements(record.bundle, preprocess),  # inferring them would take MLflow ten seconds
        )


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Hide the progress bar for copying nine small files, which only an environment variable can do."""
    name = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _requirements(bundle: Path, preprocess: dict[str, Any]) -> list[str]:
    """The packages for serving, in the installed versions, with the runtime of the model."""
    noted = bundle / "runtime.json"
    how = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    needed = [*get_runtime(how.get("runtime", Variant.runtime)).packages]
    needed += modality_named(preprocess["input"]["modality"]).usage.packages
    packages = ["mlflow", "numpy", "pandas", *(re.split(r"[<>=!~ ]", package)[0] for package in needed)]
    return [f"{package}=={importlib.metadata.version(package)}" for package in dict.fromkeys(packages)]


def show_at_parent(store: Store, model: LoggedModel) -> None:
    """Link a registered model to the run of its study."""
    from mlflow.entities import LoggedModelOutput

    if not model.source_run_id:
        return
    parent = store.client.get_run(model.source_run_id).data.tags.get(PARENT, "")
    if not parent:
        return
    shown = store.client.get_run(parent).outputs
    if model.model_id not in {output.model_id for output in (shown.model_outputs if shown else ())}:
        store.client.log_outputs(parent, [LoggedModelOutput(model.model_id, step=0)])


def _link(store: Store, run: Run, model_id: str) -> None:
    """Link the model to its run, and copy the run's last metrics to the model."""
    from mlflow.entities import LoggedModelOutput, Metric

    store.client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step=0)])
    last = run.data.to_proto().metrics  # with their times and steps, so that no point is duplicated at the run
    metrics = [Metric(m.key, m.value, m.timestamp, m.step, model_id=model_id) for m in last]
    store.client.log_batch(run.info.run_id, metrics=metrics)

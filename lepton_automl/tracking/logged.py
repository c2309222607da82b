"""Bundles as MLflow's logged models: written once, linked to the run of their trial, told what becomes of them."""

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
# Of one request to a served model. MLflow lets them be set anew by MLFLOW_PYFUNC_INFERENCE_CONFIG='{"max_rows": 500}'.
LIMITS = {"max_rows": 10_000, "max_pixels": 64_000_000, "max_bytes": 16 << 20, "header_seconds": 10, "body_seconds": 30}


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What is to be written about one model.

    Args:
        bundle: Its folder.
        trial_uid: The trial that it comes from; by default what its provenance says. Empty for none.
        tags: What is known of it: scores, latency, limits, the data's digest.
        threads: Threads that one call may use.
    """

    bundle: Path
    trial_uid: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1

    @property
    def uid(self) -> str:
        """The trial that it comes from."""
        path = self.bundle / "provenance.json"
        if self.trial_uid or not path.exists():
            return self.trial_uid
        return str(json.loads(path.read_text(encoding="utf-8")).get("uid", ""))

    @property
    def key(self) -> str:
        """What it is found by: its trial, and what is in its bundle, which an accelerator may change."""
        return f"{self.uid}:{hashlib.sha256((self.bundle / 'manifest.json').read_bytes()).hexdigest()[:16]}"

    @property
    def preprocess(self) -> dict[str, Any]:
        """What goes in and what comes out.

        Raises:
            BundleError: The folder is no bundle.
        """
        for file in (*(file.name for file in model_files(self.bundle)), "predict.py", "preprocess.json", MANIFEST):
            if not (self.bundle / file).exists():
                fix = "Give the folder that export() or a study made."
                raise BundleError(f"there is no {file}", where=str(self.bundle), fix=fix)
        preprocess: dict[str, Any] = json.loads((self.bundle / "preprocess.json").read_text(encoding="utf-8"))
        return preprocess


def log_models(study: str, records: Iterable[ModelRecord], *, home: str | Path, uri: str | None = None) -> None:
    """Make MLflow show the models of a study's front, each at the run of its trial.

    Doing it again copies nothing and tells only what has changed, at the models and at their registered versions. One
    that has left the front stays, and its tag `lepton.on_front` says so.

    Args:
        study: The study's name.
        records: The models of its front, whose runs are in MLflow.
        home: The folder of all studies.
        uri: Another MLflow store than the home's own.

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
    """A bundle's logged model, which comes to be where it is not.

    Args:
        store: Where.
        record: The model.
        name: What a run is called that is made for it, where it comes from no trial of this store.
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
    """Tags of a logged model and of its registered versions; those that are as they should be cost nothing."""
    texts = {name: str(value) for name, value in tags.items()}
    changed = {name: value for name, value in texts.items() if model.tags.get(name) != value}
    if not changed:
        return
    for version in json.loads(model.tags.get(VERSIONS, "[]")):
        with _perhaps_deleted():
            for name, value in changed.items():
                store.client.set_model_version_tag(version["name"], str(version["version"]), name, value)
    store.client.set_logged_model_tags(model.model_id, changed)  # last: it says that the versions know


@contextlib.contextmanager
def _perhaps_deleted() -> Iterator[None]:
    """For a version that a person may have deleted since."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def trial_run(store: Store, uid: str) -> Run | None:
    """The run of a trial."""
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
    """Ours by their keys; one whose copying was cut off is none."""
    ready = (model for model in logged_models(store, experiment) if str(model.status) == "READY")
    return {model.tags[KEY]: model for model in ready if KEY in model.tags}


def _make(store: Store, run: Run, record: ModelRecord) -> LoggedModel:
    client, info = store.client, run.info
    preprocess = record.preprocess
    name = re.sub(r"[^\w-]", "-", info.run_name)  # a run's name may hold dots, a logged model's may not
    tags = _described(run) | {KEY: record.key}
    model = client.create_logged_model(info.experiment_id, name, info.run_id, tags, dict(run.data.params), model_type="lepton")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        _save(path, record, preprocess, model)
        client.log_model_artifacts(model.model_id, str(path))
    _link(store, run, model.model_id)
    return client.finalize_logged_model(model.model_id, "READY")  # last: it says that all else is there


def _described(run: Run) -> dict[str, str]:
    description = {
        name: run.data.tags[name] for name in ("lepton.study", "lepton.trial", "lepton.recipe") if name in run.data.tags
    }
    figures = {"score": "score", "latency_ms": "latency_ms.p50", "size_bytes": "size_bytes"}
    known = run.data.metrics
    return description | {name: f"{known[metric]:.6g}" for name, metric in figures.items() if metric in known}


def _save(path: Path, record: ModelRecord, preprocess: dict[str, Any], model: LoggedModel) -> None:
    """The model's folder: MLmodel, requirements, the code, and the bundle as it is."""
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
            pip_requirements=_requirements(record.bundle, preprocess),  # left to itself, MLflow infers them for ten seconds
        )


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Without a bar over the copying of nine small files; MLflow takes this from the environment alone."""
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
    """What serving needs, by the versions that are here; with the runtime that the model is fastest in."""
    noted = bundle / "runtime.json"
    how = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    needed = [*get_runtime(how.get("runtime", Variant.runtime)).packages]
    needed += modality_named(preprocess["input"]["modality"]).usage.packages
    packages = ["mlflow", "numpy", "pandas", *(re.split(r"[<>=!~ ]", package)[0] for package in needed)]
    return [f"{package}=={importlib.metadata.version(package)}" for package in dict.fromkeys(packages)]


def show_at_parent(store: Store, model: LoggedModel) -> None:
    """Show a registered model at the run of its study, where people look first."""
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
    """Show the model at its run, and the run's last figures at the model."""
    from mlflow.entities import LoggedModelOutput, Metric

    store.client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step=0)])
    last = run.data.to_proto().metrics  # with their times and steps: written again, they stay one point at the run
    metrics = [Metric(m.key, m.value, m.timestamp, m.step, model_id=model_id) for m in last]
    store.client.log_batch(run.info.run_id, metrics=metrics)

"""Bundles as versions in MLflow's model registry, loadable where neither this package nor torch is."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import BundleError, Complaints

from .place import tracking_uri
from .projector import TRIAL
from .remove import delete_study
from .signature import example, signature
from .store import LONGEST, Store, opened_store, ui_command

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

__all__ = ["delete_study", "register", "tracking_uri", "ui_command"]  # what the rest of the house needs, in one place

_CODE = Path(__file__).with_name("pyfunc_model.py")


def register(
    bundle: str | Path,
    name: str,
    *,
    home: str | Path,
    uri: str | None = None,
    trial_uid: str = "",
    alias: str = "champion",
    tags: Mapping[str, Any] | None = None,
) -> str:
    """Make a bundle the next version of a registered model.

    It is kept as models from code over the bundle's own `predict.py`, without a pickle:
    `mlflow.pyfunc.load_model("models:/NAME@champion").predict(rows)` needs what `requirements.txt` beside it lists.
    See https://mlflow.org/docs/latest/ml/model/models-from-code/. The run of the trial that the bundle comes from shows
    the model; so let a tracker catch up before.

    Args:
        bundle: The bundle's folder.
        name: The registered model; it comes to be with its first version.
        home: The folder of all studies.
        uri: Another MLflow store than the home's own.
        trial_uid: The trial that the bundle comes from; by default what its provenance says.
        alias: What the version is to be called; it passes from any earlier one. Empty for none.
        tags: Further tags of the version; its trial, score, latency and size are told anyway.

    Returns:
        The version.

    Raises:
        ConfigError: MLflow would not take the name or the alias.
        BundleError: The folder is no bundle.
        StudyError: MLflow cannot be written.
    """
    _check_names(name, alias)
    bundle = Path(bundle)
    preprocess = _preprocess(bundle)
    with opened_store(Path(home), uri) as store:
        client = store.client
        run = _run(store, trial_uid or _uid(bundle), name)
        described = _described(run) | {key: str(value) for key, value in (tags or {}).items()}
        run_id = run.info.run_id
        plain = re.sub(r"[^\w-]", "-", name)  # a version's name may hold dots, a logged model's may not
        params = dict(run.data.params)
        model = client.create_logged_model(run.info.experiment_id, plain, run_id, described, params, model_type="lepton")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            _save(path, bundle, preprocess, model)
            client.log_model_artifacts(model.model_id, str(path))
        client.finalize_logged_model(model.model_id, "READY")
        _link(store, run, model.model_id)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=f"Predicts {preprocess['output']['target']!r}; by lepton_automl.")
        # By its place and not as models:/<id>, which MLflow 3.17 looks up in the process's default store.
        place, text = model.artifact_location, _readme(bundle)
        made = client.create_model_version(name, place, run_id, described, description=text, model_id=model.model_id)
        versions = json.dumps([{"name": name, "version": made.version}])
        client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": versions})  # MLflow's pages link by this
        if alias:
            client.set_registered_model_alias(name, alias, made.version)
    return str(made.version)


def _check_names(name: str, alias: str) -> None:
    """What MLflow would refuse, before anything is made."""
    complaints = Complaints("register")
    fix = "Use letters, digits, dots, dashes, underscores and spaces."
    complaints.check(re.fullmatch(r"[\w .-]{1,250}", name), f"{name!r} cannot be a model's name", fix)
    reserved = re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE)
    good = not alias or (re.fullmatch(r"[\w.-]{1,250}", alias, re.ASCII) and not reserved)
    complaints.check(
        good, f"{alias!r} cannot be an alias", "Use letters, digits, dots, dashes and underscores, as in 'champion'."
    )
    complaints.raise_any()


def _preprocess(bundle: Path) -> dict[str, Any]:
    for file in ("model.onnx", "predict.py", "preprocess.json"):
        if not (bundle / file).exists():
            raise BundleError(f"there is no {file}", where=str(bundle), fix="Give the folder that export() or a study made.")
    preprocess: dict[str, Any] = json.loads((bundle / "preprocess.json").read_text(encoding="utf-8"))
    return preprocess


def _uid(bundle: Path) -> str:
    """The trial that a bundle comes from; empty where it does not say."""
    path = bundle / "provenance.json"
    return str(json.loads(path.read_text(encoding="utf-8")).get("uid", "")) if path.exists() else ""


def _described(run: Run) -> dict[str, str]:
    told = {name: run.data.tags[name] for name in ("lepton.study", "lepton.trial", "lepton.recipe") if name in run.data.tags}
    figures = {"score": "score", "latency_ms": "latency_ms.p50", "size_bytes": "size_bytes"}
    known = run.data.metrics
    return told | {name: f"{known[metric]:.6g}" for name, metric in figures.items() if metric in known}


def _readme(bundle: Path) -> str:
    path = bundle / "README.md"
    return path.read_text(encoding="utf-8")[:LONGEST] if path.exists() else ""


def _run(store: Store, trial_uid: str, name: str) -> Run:
    """The trial's run; a new one where the model comes from no trial of this store."""
    client = store.client
    if trial_uid:
        found = store.find(store.experiments(), (TRIAL, trial_uid))
        if found:
            return found
    run = client.create_run(store.experiment(None), run_name=name)
    client.set_terminated(run.info.run_id)
    return run


def _save(path: Path, bundle: Path, preprocess: dict[str, Any], model: LoggedModel) -> None:
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
            python_model=_CODE,
            artifacts={"bundle": str(bundle.absolute())},
            signature=signature(preprocess),
            input_example=example(preprocess),
            pip_requirements=_requirements(preprocess),  # left to itself, MLflow infers them for ten seconds
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


def _requirements(preprocess: dict[str, Any]) -> list[str]:
    packages = ["mlflow", "numpy", "onnxruntime", "pandas"] + ["pillow"] * (preprocess["input"]["modality"] == "image")
    return [f"{package}=={importlib.metadata.version(package)}" for package in packages]


def _link(store: Store, run: Run, model_id: str) -> None:
    """Show the model at its run, and the run's last figures at the model."""
    from mlflow.entities import LoggedModelOutput, Metric

    store.client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step=0)])
    last = [store.client.get_metric_history(run.info.run_id, name)[-1] for name in run.data.metrics]
    metrics = [Metric(m.key, m.value, m.timestamp, m.step, model_id=model_id) for m in last]
    store.client.log_batch(run.info.run_id, metrics=metrics)

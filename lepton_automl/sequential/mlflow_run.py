"""A training of a built network as a run in MLflow."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_automl.errors import StudyError
from lepton_automl.layers import layers_to_text
from lepton_automl.models.files import WEIGHTS
from lepton_automl.specs import Tracking
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.records import Point, RunRecord, ms
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracking_uri import requested_tracking

from .summary import summary

if TYPE_CHECKING:
    from .model import Model

EXPERIMENT = "lepton/networks"
UID = "lepton.network_uid"


def run_place(experiment: str) -> Tracking:
    """The store and the experiment of a run: those that MLflow is configured to use, or the home's own store.

    Args:
        experiment: The requested experiment; empty for MLflow's own choice, or `lepton/networks`.

    Raises:
        ConfigError: The name or MLflow's configuration cannot be used.
    """
    place = requested_tracking(StudyStore(None).folder, None, experiment or None)
    return place if place.experiment or place.experiment_id else place.replace(experiment=EXPERIMENT)


def log_run(model: Model, place: Tracking, started: float, batch_size: int) -> None:
    """Write the last training as a run: settings, layers, the scores of each epoch, and the saved network.

    If MLflow cannot be written, there is a warning, as the network is trained.

    Args:
        model: The network.
        place: Where to write it.
        started: When the training started, in seconds since the epoch.
        batch_size: Its batch size.
    """
    try:
        with opened_store(StudyStore(None).folder, place.uri or None) as store:
            record = _record(model, started, batch_size)
            run = store.create(store.experiment(None, place), record, place.parent)
            store.fill(run, record)
            with tempfile.TemporaryDirectory() as folder:
                for file in sorted(model.save(Path(folder) / "network").iterdir()):
                    content = file.read_bytes()
                    store.attach(run, f"network/{file.name}", content if file.name == WEIGHTS else content.decode())
    except StudyError as error:
        warnings.warn(f"The network is trained, but its run was not written: {error}", stacklevel=4)


def _record(model: Model, started: float, batch_size: int) -> RunRecord:
    settings, history = model.compiled, model.history
    assert settings is not None
    at, points = started, []
    for number, seconds in enumerate(history.seconds):
        at += seconds
        values = {name: each[number] for name, each in history.history.items()} | {"epoch_seconds": seconds}
        points += [Point(name, value, ms(at), number + 1) for name, value in values.items()]
    return RunRecord(
        key=(UID, uuid.uuid4().hex),
        name=type(model).__name__,
        start_ms=ms(started),
        status="FINISHED",
        end_ms=ms(at),
        params={
            "optimizer": settings.optimizer,
            "learning_rate": f"{settings.rate:g}",
            "schedule": settings.schedule,
            "loss": settings.loss,
            "batch_size": str(batch_size),
            "epochs": str(history.epochs),
            "seed": str(model.seed),
            "layers": layers_to_text([*model.recipe.layers, model.layers[-1]]),
            "multiply_accumulates": str(model.recipe.macs),
        },
        metrics=tuple(points),
        texts={"summary.txt": summary(model)},
    )

"""One fit: a search in this process that leaves nothing behind but the bundle of its chosen model."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.api import AutoML
from lepton_automl.configure import study_config
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.targets import read_targets
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import StudyError
from lepton_automl.execution.executor import Executor
from lepton_automl.refit import RefitResult
from lepton_automl.state import StudyState
from lepton_automl.study.refit_plan import refit_job, refit_obstacle
from lepton_automl.study.runner import jobs, search
from lepton_automl.study_store import model_folder
from lepton_automl.trial import Trial

from .pool import POOL
from .rows import TARGET

OPENED = 16  # models that stay open


def chosen_bundle(table: pd.DataFrame, request: AutoML, options: dict[str, Any], *, workers: int) -> bytes:
    """Search networks for a table, and return the bundle of the chosen one as a zip archive.

    Args:
        table: The rows, with the columns `TARGET` and perhaps `WEIGHT`.
        request: What to search.
        options: Options for the data.
        workers: Number of worker processes.

    Raises:
        LeptonError: The data cannot be used, or no network was finished.
    """
    began = time.time()
    with POOL.folder() as folder:
        spec = prepare(
            table,
            folder / "data",
            DataOptions(target=TARGET, seed=request.seed, class_weight=request.class_weight, **options),
            test=table.head(1),
        )
        config = study_config(request, spec, "estimator")
        with POOL.executor(workers) as executor:
            # Timings would make the choice of a runtime differ from fit to fit, where trials limit a search.
            timed = request.budget.minutes is not None
            state = search(config, folder, executor, since=began, finish=timed, chosen_only=True)
            if not timed and request.refit == "auto" and state.front():
                _refit(state, state.choose(), executor, folder)
        chosen = state.choose()
        return packed(model_folder(folder, chosen.number, refitted=chosen.refitted is not None))


@cache
def task_of_numbers() -> str:
    """The name of the task that a target of many different numbers has, also for targets that look like classes."""
    return read_targets(np.linspace(0.5, 99.7, 100).astype(object), DataOptions(), TARGET).task


def _refit(state: StudyState, chosen: Trial, executor: Executor, folder: Path) -> None:
    """Train the chosen model again on training and validation rows."""
    from lepton_automl.events import ModelRefitted

    if not refit_obstacle(state, chosen):
        try:
            result = executor.run(refit_job(state, chosen, jobs(state, folder)))
        except StudyError:  # it would be worse than its twin on rows that only it has learned from
            return
        assert isinstance(result, RefitResult)
        state.apply(ModelRefitted(at=executor.now(), result=result))


def packed(bundle: Path) -> bytes:
    """A folder as a zip archive, the same bytes for the same files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for path in sorted(bundle.iterdir()):
            files.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return archive.getvalue()


@lru_cache(maxsize=OPENED)
def opened(bundle: bytes) -> Predictor:
    """The model in a zipped bundle, ready to predict; it reads all of its files when it is opened."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(bundle)) as files:
            files.extractall(folder)
        return Predictor(folder)

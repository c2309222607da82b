"""A study from its configuration to its end: wires the rooms, decides nothing."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lepton_automl import families
from lepton_automl.errors import LimitError
from lepton_automl.events import Event, HostWeighed, Noted, StudyConfig, StudyStarted
from lepton_automl.execution.executor import Executor
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.home import trial_folder
from lepton_automl.journal import Journal
from lepton_automl.search.budget import Purse, affordable_epochs
from lepton_automl.search.loop import Loop
from lepton_automl.search.propose import Proposer
from lepton_automl.search.stopping import rungs
from lepton_automl.space import Config
from lepton_automl.state import StudyState
from lepton_automl.values import TrialJob, Weighed, WeighJob

from .own import checked, others

TOLD = ("lepton-automl", "torch", "pytorch-lightning", "optuna", "mlflow", "onnx", "onnxruntime", "torch-pruning", "numpy")


def run_study(config: StudyConfig, folder: Path, announce: Callable[[Event], None] = lambda _: None) -> StudyState:
    """Search, in this process, with worker processes of its own.

    Args:
        config: What was asked; its data is prepared.
        folder: The study's folder, which exists.
        announce: Told every event after it is written.

    Returns:
        The study at its end.

    Raises:
        LimitError: No network of the space keeps the hard limits; found before any training.
    """
    executor = LocalExecutor(config.workers, folder / "workers")
    try:
        return search(config, folder, executor, announce)
    finally:
        executor.close()


def search(config: StudyConfig, folder: Path, executor: Executor, announce: Callable[[Event], None]) -> StudyState:
    """The same on a given executor."""
    began = executor.now()
    config, notes = checked(config, folder, executor)
    weighed = weigh(config, folder, executor)
    trainings = config.data.folds + 1  # of one trial: each fold, and all rows
    epochs = affordable_epochs(config.train.epochs, weighed.epoch_seconds * trainings, config.budget, executor.slots)
    config = config.replace(train=config.train.replace(epochs=epochs))
    state, journal = StudyState(), Journal(folder / "journal.jsonl")
    loop = Loop(
        config,
        state=state,
        journal=journal,
        executor=executor,
        proposer=_proposer(config),
        purse=Purse(config.budget, began),
        job=_jobs(config, folder, weighed.reference.median),
        announce=announce,
    )
    loop.write(StudyStarted(at=began, config=config, versions=versions()))
    loop.write(HostWeighed(at=executor.now(), weighed=weighed, epochs=epochs))
    for note in notes:
        loop.write(Noted(at=executor.now(), text=note, level="warning"))
    return loop.run()


def weigh(config: StudyConfig, folder: Path, executor: Executor) -> Weighed:
    """Time the machine, and see at once whether anything can keep the limits."""
    errand = WeighJob(
        data=config.data,
        target=config.target,
        smallest=families.smallest(config.space),
        usual=config.space.defaults,
        train=config.train,
        lean=config.lean,
        folder=str(folder),
        gate=str(folder.parents[1] / "gate"),
        own=config.own,
        others=others(config),
    )
    weighed = executor.run(errand)
    assert isinstance(weighed, Weighed)
    broken = config.target.breaks(weighed.fastest)
    if broken:
        fastest = weighed.fastest
        fix = (
            f"The fastest network here takes {fastest.latency_ms:.3g} ms ({fastest.size_bytes} bytes) a call of "
            f"{config.target.batch_size} on {weighed.host}. Ask for no less, or for another target."
        )
        raise LimitError(f"no network can keep the limits: {broken}, even for the smallest", where="target", fix=fix)
    return weighed


def versions() -> dict[str, str]:
    """Versions of what made the study."""
    found = {"python": platform.python_version()}
    for package in TOLD:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _proposer(config: StudyConfig) -> Proposer:
    def identity(candidate: Config) -> object:
        recipe = families.final_recipe(candidate, config.data, config.lean, config.own).to_json()
        training = {name: setting for name, setting in candidate.items() if name.startswith("train.")}
        return json.dumps([recipe, training], sort_keys=True)

    designs = families.first_designs(config.space, config.data, config.own)
    return Proposer(config.space, config.objectives, first=designs, identity=identity, seed=config.seed)


def _jobs(config: StudyConfig, folder: Path, reference_ms: float) -> Callable[[int, str, Config], TrialJob]:
    epochs, folds = config.train.epochs, config.data.folds
    # Compared after the cut, where scores begin; across folds, after the first and the second.
    cut = config.lean.cut_epoch(epochs)
    marks = (epochs, 2 * epochs) if folds else rungs(cut + 1, epochs)

    def job(trial: int, uid: str, candidate: Config) -> TrialJob:
        return TrialJob(
            trial=trial,
            uid=uid,
            config=candidate,
            data=config.data,
            target=config.target,
            train=config.train.replace(seed=config.seed * 100_003 + trial),
            lean=config.lean,
            metric=config.metric,
            rungs=marks,
            folder=str(trial_folder(folder, trial)),
            gate=str(folder.parents[1] / "gate"),
            reference_ms=reference_ms,
            own=config.own,
        )

    return job

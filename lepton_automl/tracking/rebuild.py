"""A lost store made anew from the journals of a home: studies, models, versions and aliases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lepton_automl.errors import LeptonError
from lepton_automl.events import AliasMoved, ModelRegistered
from lepton_automl.state import StudyState
from lepton_automl.study_store import StudyStore, trial_folder

from .facts import model_facts
from .logged import ModelRecord, logged_model
from .making import REBUILD, is_complete
from .registry import add_version, model_names_in, set_alias
from .store import Store, opened_store
from .tracker import Tracker
from .tracking_uri import OWN

UNDER_WAY = "lepton.rebuilding"  # a registered model's tag, until it is whole


class StoredStudy(NamedTuple):
    """One study and what it was found in."""

    state: StudyState
    folder: Path


def rebuild_lost(home: str | Path) -> None:
    """See that a home's own store is there, and has what the journals tell where it had to be made anew.

    What the store itself knows is left as it is: where a registered model is there, the registry is the truth. It may be
    cut off anywhere, and goes on the next time.

    Args:
        home: The folder of all studies.

    Raises:
        StudyError: MLflow cannot be written.
    """
    home = Path(home)
    if not home.is_dir() or (not (home / REBUILD).exists() and _stands(home / OWN)):
        return
    with opened_store(home):
        pass  # it is made
    if not (home / REBUILD).exists():
        return
    studies = list(_studies(StudyStore(home)))
    for study in studies:
        Tracker(StudyStore(home).journal(study.state.settings.name), home).catch_up()
    with opened_store(home) as store:
        for study in studies:
            for trial in study.state.front():
                if (bundle := trial_folder(study.folder, trial.number) / "bundle").exists():
                    logged_model(store, _record(study, trial.number, bundle), study.state.settings.name)
        _register(store, studies)
        (home / REBUILD).unlink(missing_ok=True)


def _stands(path: Path) -> bool:
    """Whether there is a finished store, or one that is being written."""
    try:
        return path.exists() and is_complete(path, own=True)
    except sqlite3.OperationalError:
        return True


def _studies(home: StudyStore) -> Iterable[StoredStudy]:
    """Studies that are shown in the home's own store, as far as their journals can be read."""
    for name in home.studies:
        try:
            state = StudyState.replay(home.journal(name))
        except LeptonError:
            continue
        if state.config is not None and not state.settings.tracking.uri:
            yield StoredStudy(state, home.path(name))


def _record(study: StoredStudy, number: int, bundle: Path) -> ModelRecord:
    trial = study.state.trials[number]
    threads = study.state.settings.deployment.threads
    return ModelRecord(bundle=bundle, trial_uid=trial.proposed.uid, tags=model_facts(study.state, trial), threads=threads)


def _register(store: Store, studies: list[StoredStudy]) -> None:
    """Make the registered models that are missing, with the versions' old numbers and their aliases."""
    events: list[tuple[ModelRegistered | AliasMoved, StoredStudy]] = []
    for study in studies:
        events += [(event, study) for event in study.state.registered]
        events += [(event, study) for event in study.state.alias_moves]
    events.sort(key=lambda pair: pair[0].at)
    present = set(model_names_in(store))
    for name in dict.fromkeys(event.model for event, _ in events):
        if name in present and UNDER_WAY not in store.client.get_registered_model(name).tags:
            continue
        if name in present:
            store.client.delete_registered_model(name)
        store.client.create_registered_model(name, tags={UNDER_WAY: "true"}, description="By lepton_automl; rebuilt.")
        ours = [(event, study) for event, study in events if event.model == name]
        versions = _versions(store, name, ours)
        for alias, past in _aliases([event for event, _ in ours]).items():
            known = [version for version in past if version in versions]
            if known and known[-1] == past[-1]:
                set_alias(store, name, alias, known)
        store.client.delete_registered_model_tag(name, UNDER_WAY)


def _versions(store: Store, name: str, events: list[tuple[ModelRegistered | AliasMoved, StoredStudy]]) -> set[str]:
    """Make the versions in order; MLflow numbers them itself, so what is no more takes its number and is deleted."""
    wanted = {int(event.version): (event, study) for event, study in events if isinstance(event, ModelRegistered)}
    versions, gaps = set(), []
    for number in range(1, 1 + max(wanted, default=0)):
        event, study = wanted.get(number, (None, None))
        bundle = trial_folder(study.folder, event.trial) / "bundle" if event and study else None
        if event and study and bundle and bundle.exists():
            versions.add(add_version(store, name, logged_model(store, _record(study, event.trial, bundle), name), bundle))
        else:
            gaps.append(store.client.create_model_version(name, store.home.as_uri()).version)
    for version in gaps:
        store.client.delete_model_version(name, str(version))
    return versions


def _aliases(events: list[ModelRegistered | AliasMoved]) -> dict[str, list[str]]:
    """Each alias with the versions that bore it, the present one last."""
    called: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, AliasMoved):
            called[event.alias] = list(event.history)
        elif event.alias and called.setdefault(event.alias, [])[-1:] != [event.version]:
            called[event.alias].append(event.version)
    return called

"""Rebuild a lost store from the journals of a home: studies, models, versions and aliases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lepton_automl.errors import LeptonError
from lepton_automl.events import AliasMoved, ModelRegistered
from lepton_automl.state import StudyState
from lepton_automl.study_store import StudyStore, model_folder

from .facts import model_facts
from .logged import ModelRecord, logged_model
from .making import REBUILD, is_complete
from .registry import add_version, model_names_in, set_alias
from .store import Store, opened_store
from .tracker import Tracker
from .tracking_uri import OWN

REBUILDING = "lepton.rebuilding"  # tag of a registered model until its rebuild is complete


class StoredStudy(NamedTuple):
    """A study and its folder."""

    state: StudyState
    folder: Path


def rebuild_lost(home: str | Path) -> None:
    """Ensure that a home's own store exists, and fill a newly created one from the journals.

    Existing content is kept: for a registered model that exists, the registry is authoritative. An interrupted rebuild
    continues on the next call.

    Args:
        home: The folder of all studies.

    Raises:
        StudyError: MLflow cannot be written.
    """
    home = Path(home)
    if not home.is_dir() or (not (home / REBUILD).exists() and _is_usable(home / OWN)):
        return
    with opened_store(home):
        pass  # opening creates it
    if not (home / REBUILD).exists():
        return
    studies = list(_studies(StudyStore(home)))
    for study in studies:
        Tracker(StudyStore(home).journal(study.state.settings.name), home).catch_up()
    with opened_store(home) as store:
        for study in studies:
            for trial in study.state.front():
                if (bundle := _bundle(study, trial.number)).exists():
                    logged_model(store, _record(study, trial.number, bundle), study.state.settings.name)
        _register(store, studies)
        (home / REBUILD).unlink(missing_ok=True)


def _is_usable(path: Path) -> bool:
    """Whether there is a complete store, or one that is being written."""
    try:
        return path.exists() and is_complete(path, own=True)
    except sqlite3.OperationalError:
        return True


def _studies(home: StudyStore) -> Iterable[StoredStudy]:
    """Studies tracked in the home's own store whose journals are readable."""
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
    """Create the missing registered models, with their versions under the same numbers and their aliases."""
    events: list[tuple[ModelRegistered | AliasMoved, StoredStudy]] = []
    for study in studies:
        events += [(event, study) for event in study.state.registered]
        events += [(event, study) for event in study.state.alias_moves]
    events.sort(key=lambda pair: pair[0].at)
    present = set(model_names_in(store))
    for name in dict.fromkeys(event.model for event, _ in events):
        if name in present and REBUILDING not in store.client.get_registered_model(name).tags:
            continue
        if name in present:
            store.client.delete_registered_model(name)
        store.client.create_registered_model(
            name, tags={REBUILDING: "true"}, description="Created by lepton_automl; rebuilt from the journals."
        )
        ours = [(event, study) for event, study in events if event.model == name]
        versions = _versions(store, name, ours)
        for alias, past in _aliases([event for event, _ in ours]).items():
            known = [version for version in past if version in versions]
            if known and known[-1] == past[-1]:
                set_alias(store, name, alias, known)
        store.client.delete_registered_model_tag(name, REBUILDING)


def _versions(store: Store, name: str, events: list[tuple[ModelRegistered | AliasMoved, StoredStudy]]) -> set[str]:
    """Create the versions in order; MLflow assigns the numbers, so a missing version is created empty and deleted."""
    registrations = {int(event.version): (event, study) for event, study in events if isinstance(event, ModelRegistered)}
    versions, gaps = set(), []
    for number in range(1, 1 + max(registrations, default=0)):
        event, study = registrations.get(number, (None, None))
        bundle = _bundle(study, event.trial) if event and study else None
        if event and study and bundle and bundle.exists():
            versions.add(add_version(store, name, logged_model(store, _record(study, event.trial, bundle), name), bundle))
        else:
            gaps.append(store.client.create_model_version(name, store.home.as_uri()).version)
    for version in gaps:
        store.client.delete_model_version(name, str(version))
    return versions


def _bundle(study: StoredStudy, number: int) -> Path:
    """The folder of a trial's model."""
    trial = study.state.trials.get(number)
    return model_folder(study.folder, number, refitted=trial is not None and trial.refitted is not None)


def _aliases(events: list[ModelRegistered | AliasMoved]) -> dict[str, list[str]]:
    """Each alias with the versions that it belonged to, the current one last."""
    histories: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, AliasMoved):
            histories[event.alias] = list(event.history)
        elif event.alias and histories.setdefault(event.alias, [])[-1:] != [event.version]:
            histories[event.alias].append(event.version)
    return histories

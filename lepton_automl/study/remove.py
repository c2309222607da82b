"""Deleting a study, everywhere it left something."""

from __future__ import annotations

from lepton_automl.events import StudyStarted
from lepton_automl.specs import Tracking
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.projector import study_uid
from lepton_automl.tracking.registry import delete_study

from .launch import requested_config
from .salvage import salvage


def remove(name: str, home: StudyStore) -> None:
    """Delete a study's runs in MLflow, then its folder, whatever state that is in.

    Only the store that it was begun with is looked at; where it was synced to as well, it stays.
    """
    started = _started(name, home)
    place = started.config.tracking if started else _requested_tracking(name, home)
    delete_study(name, home=home.folder, place=place, uid=study_uid(started) if started else "")
    home.remove(name)


def _started(name: str, home: StudyStore) -> StudyStarted | None:
    """How the study began, as far as its journal can be read."""
    return salvage(home.path(name)).state.started


def _requested_tracking(name: str, home: StudyStore) -> Tracking:
    """Where it was to be shown, for one that never began."""
    config = requested_config(home.path(name))
    return config.tracking if config else Tracking()

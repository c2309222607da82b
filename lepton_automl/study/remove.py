"""Deleting a study: its runs in MLflow and its folder."""

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

    Only its runs in the store that it was started with are deleted; they stay in stores that it was synced to later.
    """
    started = _started(name, home)
    place = started.config.tracking if started else _requested_tracking(name, home)
    delete_study(name, home=home.folder, place=place, uid=study_uid(started) if started else "")
    home.remove(name)


def _started(name: str, home: StudyStore) -> StudyStarted | None:
    """The first event of the study, as far as its journal can be read."""
    return salvage(home.path(name)).state.started


def _requested_tracking(name: str, home: StudyStore) -> Tracking:
    """The tracking settings of a study that never began."""
    config = requested_config(home.path(name))
    return config.tracking if config else Tracking()

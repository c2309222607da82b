"""Deleting a study, everywhere it left something."""

from __future__ import annotations

import json

from lepton_automl.errors import LeptonError
from lepton_automl.events import StudyConfig, StudyStarted
from lepton_automl.home import ASKED, Home
from lepton_automl.tracking.projector import study_uid
from lepton_automl.tracking.registry import delete_study
from lepton_automl.values import Tracking


def remove(name: str, home: Home) -> None:
    """Delete a study's runs in MLflow, then its folder, whatever state that is in.

    Only the store that it was begun with is looked at; where it was synced to as well, it stays.
    """
    started = _started(name, home)
    place = started.config.tracking if started else _asked(name, home)
    delete_study(name, home=home.folder, place=place, uid=study_uid(started) if started else "")
    home.remove(name)


def _started(name: str, home: Home) -> StudyStarted | None:
    """How the study began, as far as its journal can be read."""
    try:
        first = next((event for _, event in home.journal(name).read()), None)
    except (LeptonError, OSError, ValueError, TypeError):
        return None
    return first if isinstance(first, StudyStarted) else None


def _asked(name: str, home: Home) -> Tracking:
    """Where it was to be shown, for one that never began."""
    try:
        return StudyConfig.from_json(json.loads((home.path(name) / ASKED).read_text())).tracking
    except (OSError, ValueError, TypeError):
        return Tracking()

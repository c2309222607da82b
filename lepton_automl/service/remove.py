"""Deleting a study, everywhere it left something."""

from __future__ import annotations

from lepton_automl.home import Home
from lepton_automl.tracking.registry import delete_study


def remove(name: str, home: Home) -> None:
    """Delete a study's runs in MLflow, then its folder, whatever state that is in."""
    delete_study(name, home=home.folder)
    home.remove(name)

"""Deleting a study, everywhere it left something."""

from __future__ import annotations

from lepton_automl.tracking.registry import delete_study

from .study import Study


def remove(study: Study) -> None:
    """Delete a study's runs in MLflow, then its folder."""
    delete_study(study.name, home=study.home.folder)
    study.home.remove(study.name)

"""Experiments that MLflow would refuse, or that a person has deleted there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from lepton_automl import AutoML
from lepton_automl.tracking.experiments import check_experiment
from lepton_automl.values import Tracking

from .case import case

REFUSED, DELETED = "B MLflow refuses the experiment", "B a deleted MLflow experiment comes back"


def store(folder: Path) -> None:
    """What is looked into of a home's store: its experiments."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as file:
        file.execute("create table experiments (experiment_id integer, name text, lifecycle_stage text)")
        rows = [(0, "Default", "active"), (1, "birds", "active"), (2, "bees", "deleted"), (3, "lepton/digits", "deleted")]
        file.executemany("insert into experiments values (?, ?, ?)", rows)
        file.commit()


def begin(folder: Path, place: Tracking, study: str = "flowers") -> None:
    store(folder)
    check_experiment(folder, study, place)


@case(REFUSED, "an id that does not exist", refused="there is no MLflow experiment with the id 999")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment_id="999"))


@case(REFUSED, "an id that is no number", refused="there is no MLflow experiment with the id birds")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment_id="birds"))


@case(REFUSED, "an id, and no store yet", refused="there is no MLflow experiment with the id 7")
def _(folder: Path) -> None:
    check_experiment(folder, "flowers", Tracking(experiment_id="7"))


@case(REFUSED, "a name of 600 letters", refused="has 600 characters")
def _(folder: Path) -> None:
    AutoML(experiment="x" * 600, home=folder)


@case(REFUSED, "a name over two lines", refused="cannot be an experiment's name")
def _(folder: Path) -> None:
    AutoML(experiment="birds\nbees", home=folder)


@case(REFUSED, "a name and an id that are there")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment="birds"))
    for place in (Tracking(experiment="new"), Tracking(experiment_id="1"), Tracking()):
        check_experiment(folder, "flowers", place)


@case(DELETED, "by its name", refused="'bees' is deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment="bees"))


@case(DELETED, "by its id", refused="'bees' is deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment_id="2"))


@case(DELETED, "the study's own", refused="'lepton/digits' is deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(), "digits")


@case(DELETED, "in a team's store", refused="'bees' is deleted")
def _(folder: Path) -> None:
    store(folder)
    check_experiment(folder / "home", "flowers", Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="bees"))

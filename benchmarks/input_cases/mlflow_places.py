"""MLflow experiments that are invalid, or that were deleted in MLflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from lepton_automl import AutoML
from lepton_automl.events import Noted, StudyStarted
from lepton_automl.families import space_for
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.objective import Objective
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.reporting.status import status_json, status_lines
from lepton_automl.specs import Budget, DataSpec, Deployment, Tracking
from lepton_automl.state import StudyState
from lepton_automl.study_config import StudyConfig
from lepton_automl.tasks.classification import BinaryOutput
from lepton_automl.tracking.experiments import check_experiment
from lepton_automl.widgets.protocols import StudySnapshot
from lepton_automl.widgets.run import run_html

from .case import case

REFUSED, DELETED = "B MLflow rejects the experiment", "B a deleted MLflow experiment comes back"


def store(folder: Path) -> None:
    """Create the experiments table of a home's MLflow store."""
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


@case(REFUSED, "an id that is not a number", refused="there is no MLflow experiment with the id birds")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment_id="birds"))


@case(REFUSED, "an id, and no store yet", refused="there is no MLflow experiment with the id 7")
def _(folder: Path) -> None:
    check_experiment(folder, "flowers", Tracking(experiment_id="7"))


@case(REFUSED, "a name of 600 letters", refused="has 600 characters")
def _(folder: Path) -> None:
    AutoML(experiment="x" * 600, home=folder)


@case(REFUSED, "a name over two lines", refused="is not a valid experiment name")
def _(folder: Path) -> None:
    AutoML(experiment="birds\nbees", home=folder)


@case(REFUSED, "a name and an id that exist")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment="birds"))
    for place in (Tracking(experiment="new"), Tracking(experiment_id="1"), Tracking()):
        check_experiment(folder, "flowers", place)


@case(DELETED, "by its name", refused="'bees' was deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment="bees"))


@case(DELETED, "by its id", refused="'bees' was deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(experiment_id="2"))


@case(DELETED, "the study's own", refused="'lepton/digits' was deleted")
def _(folder: Path) -> None:
    begin(folder, Tracking(), "digits")


@case(DELETED, "in a shared store", refused="'bees' was deleted")
def _(folder: Path) -> None:
    store(folder)
    check_experiment(folder / "home", "flowers", Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="bees"))


SILENT = "B MLflow rejects the experiment without a message"
WHY = "MLflow refuses the experiment: Could not find experiment with ID 999"


def standing(folder: Path, *news: Noted) -> dict[str, str]:
    """What `lepton status`, the dashboard and the state show after these events."""
    spec = DataSpec(
        name="x", folder=str(folder), target="y", input=TableInput(numeric=2), output=BinaryOutput(labels=(0, 1)), train=9,
        validation=3, test=3, digest="d",
    )  # fmt: skip
    ends = (Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize"))
    config = StudyConfig(
        name="flowers", data=spec, deployment=Deployment(), budget=Budget(trials=4), metric="accuracy", objectives=ends,
        space=space_for(spec), train=TrainPlan(epochs=8), prune=PrunePlan(),
    )  # fmt: skip
    state = StudyState().feed([StudyStarted(at=0.0, config=config), *news])
    return {
        "status": "\n".join(status_lines(state, "running")),
        "json": str(status_json(state, "running")["mlflow"]),
        "dashboard": run_html(StudySnapshot(state=state, status="running", now=1.0)),
        "state": state.mlflow_trouble,
    }


def refusal(text: str = WHY, level: str = "warning") -> Noted:
    return Noted(at=1.0, level=level, text=text, subject="mlflow")


@case(SILENT, "status, its JSON and the dashboard give the reason")
def _(folder: Path) -> None:
    shown = standing(folder, refusal())
    assert all(WHY in text for text in shown.values()), shown


@case(SILENT, "the latest reason is shown, and none once MLflow is up to date")
def _(folder: Path) -> None:
    shown = standing(folder, refusal("the server does not answer", "error"), refusal())
    assert all(WHY in text and "does not answer" not in text for text in shown.values()), shown
    shown = standing(folder, refusal(), refusal("MLflow shows all of the study", "info"))
    assert not any("behind" in text or WHY in text for text in shown.values()) and not shown["state"], shown


@case(SILENT, "a note on something else does not concern MLflow")
def _(folder: Path) -> None:
    shown = standing(folder, Noted(at=1.0, level="warning", text="a worker was replaced", subject="worker"))
    assert not shown["state"] and "behind" not in shown["status"] + shown["dashboard"], shown


@case(SILENT, "markup and colour codes in a reason are harmless")
def _(folder: Path) -> None:
    shown = standing(folder, refusal("<script>alert(1)</script> \x1b[31mred\x1b[0m"))
    assert "<script" not in shown["dashboard"] and "\x1b" not in shown["dashboard"] + shown["status"], shown

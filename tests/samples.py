"""Small values that tests are written with, and a way to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from lepton_automl import families
from lepton_automl.events import (
    AliasMoved,
    CommandReceived,
    HostBenchmarked,
    HyperparametersRanked,
    JournalRepaired,
    ModelRegistered,
    Noted,
    ReferencesScored,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialResumed,
    TrialRetried,
    UserNote,
)
from lepton_automl.jobs import Decision, HostBenchmark, Report, TrialJob, TrialResult
from lepton_automl.modalities.image.spec import ImageInput
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.objective import Objective
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.profile import Measurement, Profile
from lepton_automl.reference_scores import Reference, ReferenceScores
from lepton_automl.space import Space
from lepton_automl.specs import Budget, DataSpec, Deployment
from lepton_automl.study_config import StudyConfig
from lepton_automl.tasks.classification import BinaryOutput, MulticlassOutput


def image_spec(side: int = 8, channels: int = 1, **changes: object) -> DataSpec:
    """Ten classes of square pictures, with some fields changed, those of the input and the output among them."""
    spec = DataSpec(
        name="pictures",
        folder="/nowhere",
        target="label",
        input=ImageInput(shape=(channels, side, side), pixel_mean=(100.0,) * channels, pixel_std=(50.0,) * channels),
        output=MulticlassOutput(labels=tuple(range(10))),
        train=1000,
        validation=200,
        test=200,
        digest="0",
    )
    return with_fields(spec, **changes)


def two_classes(rows: int = 500) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows [N, 6] and their classes [N], which no linear model separates."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(scale=0.5, size=rows) > 0).astype(np.int64)


def trial_job(trial: int, spec: DataSpec, folder: object, **changes: object) -> TrialJob:
    """A job with default plans, with some fields changed."""
    job = TrialJob(
        trial=trial,
        uid=str(trial),
        config={},
        data=spec,
        deployment=Deployment(),
        train=TrainPlan(),
        prune=PrunePlan(),
        metric="accuracy",
        folder=str(folder),
        measurement_lock="",
    )
    return job.replace(**changes)


def table_spec(**changes: object) -> DataSpec:
    """Two classes of rows: seven numeric columns, two of them plain, and two categorical ones. Fields change as above."""
    spec = DataSpec(
        name="rows",
        folder="/nowhere",
        target="y",
        input=TableInput(numeric=7, plain=2, cardinalities=(3, 11)),
        output=BinaryOutput(labels=("no", "yes")),
        train=1000,
        validation=200,
        test=200,
        digest="0",
    )
    return with_fields(spec, **changes)


def with_fields(spec: DataSpec, **changes: object) -> DataSpec:
    """A spec with some fields changed: its own, and those of its input and its output, by their names."""
    for part in ("input", "output"):
        value = changes.pop(part, getattr(spec, part))
        names = [field.name for field in fields(value) if field.name in changes]
        changes[part] = value.replace(**{name: changes.pop(name) for name in names})
    return spec.replace(**changes)


def measured(value: float, unit: str = "ms") -> Measurement:
    """A figure with a narrow interval."""
    return Measurement(
        name="latency",
        unit=unit,
        median=value,
        low=value * 0.98,
        high=value * 1.02,
        p5=value,
        p95=value,
        n=9,
        clock="thread_cpu",
    )


def profile(latency_ms: float, size_bytes: int = 1000) -> Profile:
    """A profile of this latency."""
    return Profile(latency=measured(latency_ms), wall=measured(latency_ms), size_bytes=size_bytes, parameters=100)


def benchmarked_host(fastest_ms: float = 0.01, epoch_seconds: float = 1.0) -> HostBenchmark:
    """A host that was benchmarked."""
    return HostBenchmark(host="here", reference=measured(0.2), fastest=profile(fastest_ms), epoch_seconds=epoch_seconds)


UNUSED = tuple(f"train.{name}" for name in ("crop", "operation", "colour", "erase", "cutmix"))


def sample_space(spec: DataSpec) -> Space:
    """The usual space without some augmentations, as recorded searches do not depend on these."""
    space = families.space_for(spec)
    return Space(hyperparameters={name: parameter for name, parameter in space.items() if name not in UNUSED})


def config(spec: DataSpec | None = None, **changes: object) -> StudyConfig:
    """A study of small images."""
    spec = spec or image_spec()
    asked = StudyConfig(
        name="sample",
        data=spec,
        deployment=Deployment(),
        budget=Budget(trials=4),
        metric="accuracy",
        objectives=(Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize")),
        space=sample_space(spec),
        train=TrainPlan(epochs=8),
        prune=PrunePlan(),
    )
    return asked.replace(**changes)


def trial_events(
    number: int, score: float, latency_ms: float, at: float = 0.0
) -> list[TrialProposed | TrialReported | TrialEnded]:
    """A completed trial's life."""
    drawn = families.initial_designs(image_spec())[0]
    recipe = families.final_recipe(drawn, image_spec(), PrunePlan()).to_json()
    weigh = Report(trial=number, epoch=0, profile=profile(latency_ms), waits=True)
    learnt = Report(trial=number, epoch=1, scores={"accuracy": score / 2, "train_loss": 1.5}, seconds=2.5)
    result = TrialResult(
        trial=number,
        status="complete",
        scores={"accuracy": score, "log_loss": 0.1},
        profile=profile(latency_ms),
        recipe=recipe,
        folder=f"/nowhere/{number}",
        epochs=8,
        seconds=3.0,
        cpu_seconds=2.9,
    )
    return [
        TrialProposed(at=at, trial=number, uid=f"uid-{number}", config=drawn, recipe=recipe, origin="first_design"),
        TrialReported(at=at + 1, report=weigh, decision=Decision()),
        TrialReported(at=at + 2, report=learnt, decision=Decision()),
        TrialEnded(at=at + 3, result=result),
    ]


def events() -> list[object]:
    """One event of every kind."""
    failed = TrialResult(trial=1, status="failed", reason="it diverged", traceback="Traceback ...")
    return [
        StudyStarted(at=1.0, config=config(), versions={"torch": "2"}),
        HostBenchmarked(at=2.0, benchmark=benchmarked_host(), epochs=8),
        *trial_events(0, 0.9, 1.0, at=3.0),
        TrialProposed(at=3.0, trial=1, uid="uid-1", config={"model.width": 8}, recipe={}, origin="sampler", parent=0),
        TrialRetried(at=3.5, trial=1, reason="its worker died"),
        TrialEnded(at=9.0, result=failed),
        CommandReceived(at=9.2, uid="a", what="pause"),
        StudyPaused(at=9.3, reason="a person asked for it"),
        StudyResumed(at=9.4, reason="a person asked for it"),
        TrialResumed(at=9.5, trial=1, epoch=2),
        Noted(at=10.0, text="said"),
        UserNote(at=10.2, text="worth another look", trial=1),
        HyperparametersRanked(at=10.5, shares={"score": {"model.width": 1.0}}, trials={"score": 9}, ends=9),
        ReferencesScored(
            at=10.7, result=ReferenceScores(references=(Reference(name="constant", scores={"accuracy": 0.1}, seconds=0.1),))
        ),
        StudyEnded(at=11.0, reason="done", chosen=0),
        TestOpened(at=12.0, scores={0: {"accuracy": 0.9}}),
        ModelRegistered(at=13.0, trial=0, model="sample", version="1", alias="champion"),
        AliasMoved(at=13.5, model="sample", version="1", alias="champion", history=("1",)),
        JournalRepaired(at=14.0, whole=20, restored=2, lost=1, kept="journal.damaged"),
    ]


def until(true: Callable[[], object], what: str = "it does not come to that", seconds: float = 20.0) -> None:
    """Wait for something that comes by itself."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.01)

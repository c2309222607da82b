"""Studies without data and with simulated trials, to measure only the search."""

from __future__ import annotations

import math
from typing import Any

from lepton_automl import families
from lepton_automl.execution.simulated import Recording
from lepton_automl.jobs import HostBenchmark, TrialJob
from lepton_automl.modalities.image.spec import ImageAugmentation, ImageInput
from lepton_automl.objective import Objective
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.profile import Measurement, Profile
from lepton_automl.specs import Budget, DataSpec, Deployment
from lepton_automl.study_config import StudyConfig
from lepton_automl.tasks.classification import MulticlassOutput


def study(budget: Budget, *, side: int = 28, epochs: int = 18, **changes: Any) -> StudyConfig:
    """A study of square images with the objectives accuracy and latency.

    Args:
        budget: The budget.
        side: Width and height of the images in pixels.
        epochs: Epochs of a full training.
            **changes: Other fields of the configuration.
    """
    spec = DataSpec(
        name="pictures",
        folder="/nowhere",
        target="label",
        input=ImageInput(shape=(1, side, side)),
        output=MulticlassOutput(labels=tuple(range(10))),
        train=8_000,
        validation=2_000,
        test=2_000,
        digest="0",
    )
    goals = (Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize"))
    config = StudyConfig(
        name="virtual",
        data=spec,
        deployment=Deployment(),
        budget=budget,
        metric="accuracy",
        objectives=goals,
        space=families.space_for(spec),
        train=TrainPlan(epochs=epochs, augment=ImageAugmentation()),
        prune=PrunePlan(),
    )
    return config.replace(**changes)


def measured(value: float) -> Measurement:
    """A measurement without spread, in milliseconds."""
    edges = {"median": value, "low": value, "high": value, "p5": value, "p95": value}
    return Measurement(name="latency", unit="ms", n=9, clock="thread_cpu", host="none", **edges)  # type: ignore[arg-type]  # floats


def profile(latency_ms: float) -> Profile:
    """A profile of this latency."""
    latency = measured(latency_ms)
    return Profile(latency=latency, wall=latency, size_bytes=int(1e5 * latency_ms), parameters=1000)


def weighed(epoch_seconds: float, *, reference_ms: float = 1.0) -> HostBenchmark:
    """A host benchmark with these times."""
    return HostBenchmark(host="none", reference=measured(reference_ms), fastest=profile(0.01), epoch_seconds=epoch_seconds)


def recorded(job: TrialJob) -> Recording:
    """A simulated training: large networks score higher, and a learning rate far from the best one costs about as much as size gains."""
    macs = families.final_recipe(job.config, job.data, job.prune).macs
    off = abs(math.log(float(job.config["train.lr"]) / 0.02)) + float(job.config["train.mixup"])
    final = 0.95 - 2.0 / math.log(macs) ** 2 - 0.03 * off + 0.002 * math.sin(job.trial)
    curve = tuple({"accuracy": final * (1 - 0.6 ** (epoch + 1))} for epoch in range(job.train.epochs))
    return Recording(profile=profile(macs / 1e7 + 0.01), curve=curve, epoch_seconds=macs / 1e6, final={"accuracy": final})

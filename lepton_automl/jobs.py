"""What the search and its workers send one another: jobs, reports, decisions and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value
from .factory import Factory
from .objective import Objective
from .plans import PrunePlan, TrainPlan
from .profile import Measurement, Profile
from .request import Request, Response
from .space import Config
from .specs import DataSpec, Deployment
from .variant import Variant
from .workspace import Ref

Status = Literal["complete", "stopped", "infeasible", "failed"]
Fault = Literal["candidate", "worker", "machine", "place"]


@dataclass(frozen=True, kw_only=True)
class TrialJob(Value):
    """All that a worker needs to know to walk one candidate through the house.

    Args:
        trial: Number in the study, from 0.
        uid: Unique over all studies.
        config: Settings of the hyperparameters.
        data: The prepared data.
        deployment: The device and its limits.
        train: The plan that the hyperparameters then change.
        prune: Likewise.
        metric: The score to report.
        rungs: Epochs at which the worker waits for a decision.
        folder: Where to leave what is made.
        measurement_lock: A file that measuring locks.
        since: When the trial was handed out, by the executor's clock.
        done: Epochs that it had behind it then.
        reference_ms: The reference network's own quiet time on this host; None to use what is measured alongside.
        parent: Bundle of a finished trial to inherit weights from: its network is cut to this one's final shape, and the
            plan's epochs are all recovery.
        factory: What makes the network, where it is a person's own.
        costs: Costs that are measured beside latency and size.
        contents: What lies in `folder` already, such as a checkpoint, for a worker that does not see the search's folder.
    """

    trial: int
    uid: str
    config: Config
    data: DataSpec
    deployment: Deployment
    train: TrainPlan
    prune: PrunePlan
    metric: str
    rungs: tuple[int, ...] = ()
    folder: str
    measurement_lock: str
    since: float | None = None
    done: int = 0
    reference_ms: float | None = None
    parent: str | None = None
    factory: Factory | None = None
    costs: tuple[Objective, ...] = ()
    contents: tuple[Ref, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmarkJob(Request):
    """A request before the search: time the reference network, and the smallest network of the space beside it.

    Args:
        data: The prepared data.
        deployment: The device.
        smallest: Settings of the hyperparameters that give the fastest network.
        usual: Settings that give a network of ordinary size; its training speed tells how many epochs can be afforded.
        train: The plan of the usual network's timed steps.
        prune: How the smallest network is cut.
        folder: Where to leave temporary files.
        measurement_lock: A file that measuring locks.
        factory: What makes the networks, where they are a person's own.
        costs: Costs that are measured beside latency and size.
        others: Of a person's own networks nobody knows which is the fastest: settings to try, one hyperparameter after the other, should the
            smallest break a limit.
    """

    data: DataSpec
    deployment: Deployment
    smallest: Config
    usual: Config
    train: TrainPlan
    prune: PrunePlan
    folder: str
    measurement_lock: str
    factory: Factory | None = None
    costs: tuple[Objective, ...] = ()
    others: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FactoryCheckJob(Request):
    """A request before all others: whether a person's own networks can be built, taught, cut and exported.

    Args:
        data: The prepared data.
        factory: What makes the networks.
        usual: Settings of the hyperparameters to build one with.
        train: The plan of its first steps.
        ratio: The share of the channels to cut, on trial; 0 for none.
        folder: Where to leave temporary files.
    """

    data: DataSpec
    factory: Factory
    usual: Config
    train: TrainPlan
    ratio: float
    folder: str


@dataclass(frozen=True, kw_only=True)
class FactoryCheck(Response):
    """The answer to a `FactoryCheckJob`.

    Args:
        wrong: What stands in the way of any trial, each with its remedy.
        uncuttable: Why channels cannot be cut; empty where they can.
        notes: What a person may want to know.
    """

    wrong: tuple[tuple[str, str], ...] = ()
    uncuttable: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmark(Response):
    """The answer to a `HostBenchmarkJob`.

    Args:
        host: What machine it is.
        reference: The reference network's own time when the machine is quiet.
        fastest: The smallest network's profile.
        epoch_seconds: Seconds that one epoch of the usual network takes one worker.
    """

    host: str
    reference: Measurement
    fastest: Profile
    epoch_seconds: float


@dataclass(frozen=True, kw_only=True)
class ResourceProfileJob(Request):
    """A request: what a finished model costs beside its latency.

    Args:
        trial: The trial that made it.
        bundle: Its bundle's folder.
    """

    trial: TrialJob
    bundle: str


@dataclass(frozen=True, kw_only=True)
class BottleneckJob(Request):
    """A request after the search: say where the time of a finished model goes, and what a change would gain.

    Args:
        trial: The job that the model came from.
        bundle: The folder of its bundle.
        tries: How many changes are made and timed.
    """

    trial: TrialJob
    bundle: str
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class ScoreJob(Request):
    """A request after the search: score finished models on the sealed test split.

    Args:
        data: The prepared data.
        bundles: Folder of each trial's bundle.
        threads: Threads of the runtime.
    """

    data: DataSpec
    bundles: dict[int, str]
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class ModelScores(Response):
    """The answer to a `ScoreJob`: test scores of each trial."""

    scores: dict[int, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class AccelerateJob(Request):
    """A request after the search: find the fastest way to run a finished model.

    Args:
        job: The trial that made it.
        scores: Its scores, as it was packed.
    """

    job: TrialJob
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class VariantResult(Value):
    """One way to run a network, tried.

    Args:
        variant: The way.
        latency: Its time beside all others; None where it could not be run.
        scores: Those of the file, as it runs there; empty where a faster one was good enough, so that nobody asked.
        size_bytes: Size of the file.
        outcome: What became of it: `"chosen"`, or why not, in words.
    """

    variant: Variant
    latency: Measurement | None = None
    scores: dict[str, float] = field(default_factory=dict)
    size_bytes: int = 0
    outcome: str = ""


@dataclass(frozen=True, kw_only=True)
class AccelerationResult(Response):
    """The answer to an `AccelerateJob`: the fastest way whose score is good enough, and all that was tried.

    Args:
        trial: The trial's number.
        variant: The way that was chosen.
        scores: The scores of the artifact as it runs now.
        profile: What it costs.
        tried: The evidence, fastest first.
    """

    trial: int
    variant: Variant
    scores: dict[str, float]
    profile: Profile
    tried: tuple[VariantResult, ...]


@dataclass(frozen=True, kw_only=True)
class Report(Value):
    """What a running trial says at the end of an epoch; epoch 0 is its weight before any training.

    Args:
        trial: Number of the trial.
        epoch: Epochs done.
        scores: Validation scores, and the training loss as `train_loss`; empty at epoch 0.
        profile: What it will cost; at epoch 0 only.
        seconds: Wall seconds since the trial began.
        waits: Whether the worker waits for the decision.
    """

    trial: int
    epoch: int
    scores: dict[str, float] = field(default_factory=dict)
    profile: Profile | None = None
    seconds: float = 0.0
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision(Value):
    """What the search answers to a report."""

    stop: bool = False
    status: Status = "stopped"
    reason: str = ""


CONTINUE = Decision()
NO_TRIAL = -1  # the trial of a failed request's result


@dataclass(frozen=True, kw_only=True)
class TrialResult(Value):
    """How a trial ended.

    Args:
        trial: Number of the trial.
        status: `"complete"` trials alone can stand on the front.
        scores: Scores of the exported artifact on the validation split (of the folds' networks when cross-validated).
        profile: What the artifact costs on the target.
        recipe: The final shape, as JSON.
        folder: The bundle's folder; empty unless complete.
        epochs: Epochs trained, over all folds.
        seconds: Wall seconds.
        cpu_seconds: CPU seconds.
        reason: Why it stopped or failed, in a sentence.
        traceback: Of a failure.
        fault: Whose failure it is: the candidate's own; its worker's, which died, hung or ran out of memory; the machine's,
            whose disk is full, say; or that of its place, which is gone.
        printed: The end of what its process printed meanwhile; ours print nothing, a person's own network may.
    """

    trial: int
    status: Status
    scores: dict[str, float] = field(default_factory=dict)
    profile: Profile | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    epochs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reason: str = ""
    traceback: str = ""
    fault: Fault = "candidate"
    printed: str = ""

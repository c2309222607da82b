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
from .resampled import ResampledScores
from .space import Config
from .specs import DataSpec, Deployment, InputSpec
from .variant import Variant
from .workspace import Ref

Status = Literal["complete", "stopped", "infeasible", "failed"]
Fault = Literal["candidate", "worker", "machine", "place"]


@dataclass(frozen=True, kw_only=True)
class Teacher(Value):
    """What a network may learn from besides the targets: the mean answers of finished models, or answers in a file.

    Args:
        bundles: The models' bundles.
        inputs: The input of each of their networks.
        answers: A NumPy file of the task's answers for the stored rows, [N] or [N, K]; empty for none.
    """

    bundles: tuple[str, ...] = ()
    inputs: tuple[InputSpec, ...] = ()
    answers: str = ""

    @property
    def networks(self) -> tuple[tuple[str, InputSpec], ...]:
        """Each bundle with the input of its network."""
        return tuple(zip(self.bundles, self.inputs, strict=True))


@dataclass(frozen=True, kw_only=True)
class TrialJob(Value):
    """Everything that a worker needs to run one trial.

    Args:
        trial: Number in the study, from 0.
        uid: Unique over all studies.
        config: Settings of the hyperparameters.
        data: The prepared data.
        deployment: The device and its limits.
        train: The training plan, before hyperparameters change it.
        prune: The pruning plan; likewise.
        metric: The score to report.
        rungs: Epochs at which the worker waits for a decision.
        folder: The folder for the trial's files.
        measurement_lock: The file that is locked while something is measured.
        since: When the trial was sent out, by the executor's clock.
        done: Epochs that it had completed then.
        reference_ms: The reference network's latency when this host is quiet; None to use the one measured alongside.
        parent: Bundle of a finished trial to inherit weights from: its network is pruned to this one's final shape, and the
            plan's epochs are all recovery.
        teacher: What the network also learns from; None for the targets alone.
        factory: The factory of a user-defined network.
        costs: Costs that are measured besides latency and size.
        contents: What `folder` already contains, such as a checkpoint, for a worker that does not see the search's folder.
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
    teacher: Teacher | None = None
    factory: Factory | None = None
    costs: tuple[Objective, ...] = ()
    contents: tuple[Ref, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmarkJob(Request):
    """A request before the search: time the reference network, and the smallest network of the space alongside it.

    Args:
        data: The prepared data.
        deployment: The device.
        smallest: Settings of the hyperparameters that give the fastest network.
        usual: Settings that give a network of ordinary size; its training speed decides how many epochs the budget allows.
        train: The plan of the usual network's timed steps.
        prune: How the smallest network is pruned.
        folder: A folder for temporary files.
        measurement_lock: The file that is locked while something is measured.
        factory: The factory of user-defined networks.
        costs: Costs that are measured besides latency and size.
        others: For user-defined networks, of which the fastest is unknown: settings to try, one hyperparameter after the other,
            if the smallest network exceeds a limit.
        time_epoch: Whether an epoch of the usual network is timed; Lightning is imported for that, which takes seconds.
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
    time_epoch: bool = True


@dataclass(frozen=True, kw_only=True)
class FactoryCheckJob(Request):
    """A request before all others: check that user-defined networks can be built, trained, pruned and exported.

    Args:
        data: The prepared data.
        factory: The factory of the networks.
        usual: Settings of the hyperparameters to build one with.
        train: The plan of its first steps.
        ratio: The share of the channels to prune as a test; 0 for none.
        folder: A folder for temporary files.
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
        wrong: Problems that would make every trial fail, each with its fix.
        unprunable_reason: Why channels cannot be pruned; empty if they can.
        notes: Notes for the user.
    """

    wrong: tuple[tuple[str, str], ...] = ()
    unprunable_reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmark(Response):
    """The answer to a `HostBenchmarkJob`.

    Args:
        host: A description of the machine.
        reference: The reference network's latency when the machine is quiet.
        fastest: The smallest network's profile.
        epoch_seconds: Seconds that one epoch of the usual network takes one worker; 0 if it was not timed.
    """

    host: str
    reference: Measurement
    fastest: Profile
    epoch_seconds: float


@dataclass(frozen=True, kw_only=True)
class ResourceProfileJob(Request):
    """A request: measure what a finished model costs besides its latency.

    Args:
        trial: The trial that made it.
        bundle: Its bundle's folder.
    """

    trial: TrialJob
    bundle: str


@dataclass(frozen=True, kw_only=True)
class BottleneckJob(Request):
    """A request after the search: analyze where the time of a finished model goes, and what changes would gain.

    Args:
        trial: The job that the model came from.
        bundle: The folder of its bundle.
        tries: Number of changes to make and time.
    """

    trial: TrialJob
    bundle: str
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class ScoreJob(Request):
    """A request after the search: score finished models on the test split.

    Args:
        data: The prepared data.
        bundles: Folder of each trial's bundle.
        inputs: The input of each trial's network, if it differs from that of the data.
        threads: Threads of the runtime.
    """

    data: DataSpec
    bundles: dict[int, str]
    inputs: dict[int, InputSpec] = field(default_factory=dict)
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class ModelScores(Response):
    """The answer to a `ScoreJob`.

    Args:
        scores: The test scores of each trial.
        intervals: Their 95 % intervals.
    """

    scores: dict[int, dict[str, float]]
    intervals: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AccelerateJob(Request):
    """A request after the search: find the fastest way to run a finished model.

    Args:
        job: The trial that made it.
        scores: Its scores when it was packed.
        resampled: Likewise on the study's resamples.
        seconds: How long it may take: costly attempts that would come late are left out. None for no limit.
    """

    job: TrialJob
    scores: dict[str, float]
    resampled: ResampledScores | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class VariantResult(Value):
    """The result of one way to run a network.

    Args:
        variant: The way.
        latency: Its latency, timed alongside all others; None if it could not be run.
        scores: The scores of the file in this variant; empty if they were not needed, as a faster one was good enough.
        size_bytes: Size of the file.
        outcome: `"chosen"`, or why it was not chosen, in words.
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
        variant: The chosen way.
        scores: The scores of the artifact in this variant.
        profile: Its costs.
        tried: The results of all ways, fastest first.
        resampled: The artifact's scores on the study's resamples; None if its rows are not there.
    """

    trial: int
    variant: Variant
    scores: dict[str, float]
    profile: Profile
    tried: tuple[VariantResult, ...]
    resampled: ResampledScores | None = None


@dataclass(frozen=True, kw_only=True)
class Report(Value):
    """A running trial's report at the end of an epoch; the one at epoch 0 gives its costs before any training.

    Args:
        trial: Number of the trial.
        epoch: Epochs done.
        scores: Validation scores, and the training loss as `train_loss`; empty at epoch 0.
        profile: Its costs; at epoch 0 only.
        seconds: Wall-clock seconds since the trial started.
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
    """The search's answer to a report.

    Args:
        stop: Whether the training ends here.
        status: How the trial ends then; `"complete"` packs the network, as after all epochs of its plan.
        reason: Why, in a sentence.
    """

    stop: bool = False
    status: Status = "stopped"
    reason: str = ""

    @property
    def ends_trial(self) -> bool:
        """Whether the trial ends without a model."""
        return self.stop and self.status != "complete"

    @property
    def packs(self) -> bool:
        """Whether the training ends here and the network is packed."""
        return self.stop and self.status == "complete"


CONTINUE = Decision()
NO_TRIAL = -1  # the trial of a failed request's result


@dataclass(frozen=True, kw_only=True)
class TrialResult(Value):
    """How a trial ended.

    Args:
        trial: Number of the trial.
        status: Only `"complete"` trials can be on the front.
        scores: Scores of the exported artifact on the validation split (of the folds' networks when cross-validated).
        profile: What the artifact costs on the device.
        recipe: The final network, as JSON.
        folder: The bundle's folder; empty unless complete.
        epochs: Epochs trained, over all folds.
        seconds: Wall-clock seconds.
        cpu_seconds: CPU seconds.
        reason: Why it stopped or failed, in a sentence.
        traceback: The traceback of a failure.
        fault: What failed: the candidate itself; its worker, which died, hung or ran out of memory; the machine,
            for example with a full disk; or its place, which is gone.
        printed: The end of what its process printed meanwhile; built-in networks print nothing, user-defined ones may.
        resampled: The scores on the study's resamples of the rows; None if there is no artifact, or its rows were not saved.
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
    resampled: ResampledScores | None = None

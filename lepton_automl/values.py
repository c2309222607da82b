"""The values that walk through the house: frozen, keyword-only, JSON-able, and without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ._json import Value
from .errors import Complaints, ConfigError, one_of
from .factory import Factory
from .space import Config
from .variant import RUNTIMES, Variant

Modality = Literal["image", "table"]
Task = Literal["binary", "multiclass", "regression"]
Direction = Literal["maximize", "minimize"]
Device = Literal["cpu", "cuda"]
Status = Literal["complete", "stopped", "infeasible", "failed"]
Fault = Literal["candidate", "worker", "machine"]

CLASSIFICATION: dict[str, Direction] = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "f1": "maximize",
    "auroc": "maximize",
    "log_loss": "minimize",
}
REGRESSION: dict[str, Direction] = {"rmse": "minimize", "mae": "minimize", "r2": "maximize"}
METRICS: dict[str, Direction] = {**CLASSIFICATION, **REGRESSION}


def drop(metric: str, before: float, after: float) -> float:
    """How much worse a score became: the difference of shares; of an error, the share by which it grew."""
    return before - after if METRICS[metric] == "maximize" else (after - before) / max(abs(before), 1e-12)


def metrics_of(task: Task) -> dict[str, Direction]:
    """The scores that are computed for a task, the usual one first."""
    return REGRESSION if task == "regression" else CLASSIFICATION


@dataclass(frozen=True, kw_only=True)
class Objective(Value):
    """One thing a search tries to make better.

    Args:
        name: `"score"` (the study's metric), `"latency_ms"` or `"size_bytes"`.
        direction: Whether more or less of it is better.
    """

    name: str
    direction: Direction

    def cost(self, value: float) -> float:
        """The value as something to minimise."""
        return -value if self.direction == "maximize" else value


@dataclass(frozen=True, kw_only=True)
class Deployment(Value):
    """The device that a model must run on, and what it must keep to there.

    Args:
        device: `"cpu"` or `"cuda"`.
        threads: Threads that one call may use.
        batch_size: Rows in one call.
        runtimes: The runtimes that may be used, of `"onnxruntime"`, `"openvino"` and `"torch"`; by default ONNX Runtime, and
            OpenVINO where it is installed.
        max_drop: How much of its score a model may lose to a faster precision: points of a share (0.005 is half a percent
            of the rows), or the share by which an error may grow.
        max_latency_ms: Hard limit on the time of one call, in milliseconds.
        max_size_bytes: Hard limit on the exported model file, in bytes.

    Raises:
        ConfigError: Something is out of range; all of it is listed.
    """

    device: Device = "cpu"
    threads: int = 1
    batch_size: int = 1
    runtimes: tuple[str, ...] = ()
    max_drop: float = 0.005
    max_latency_ms: float | None = None
    max_size_bytes: int | None = None

    def __post_init__(self) -> None:
        complaints = Complaints("Deployment")
        devices = get_args(Device)
        complaints.check(self.device in devices, f"there is no device {self.device!r}", one_of(str(self.device), devices))
        for runtime in self.runtimes:
            complaints.check(runtime in RUNTIMES, f"there is no runtime {runtime!r}", one_of(str(runtime), RUNTIMES))
        for name in ("threads", "batch_size"):
            number = getattr(self, name)
            whole = isinstance(number, int) and not isinstance(number, bool) and number >= 1
            complaints.check(whole, f"{name} is {number!r}; it must be a whole number of at least 1")
        complaints.check(
            self.max_drop == 0 or _positive(self.max_drop), f"max_drop is {self.max_drop!r}; it must be a number of at least 0"
        )
        for name in ("max_latency_ms", "max_size_bytes"):
            limit = getattr(self, name)
            complaints.check(limit is None or _positive(limit), f"{name} is {limit!r}; a limit must be a number above 0")
        complaints.raise_any()

    def breaks(self, profile: Profile) -> str:
        """Which hard limit a profile breaks, in words; empty when it keeps them all."""
        if self.max_latency_ms is not None and profile.latency_ms > self.max_latency_ms:
            return f"latency {profile.latency_ms:.3g} ms is above the limit of {self.max_latency_ms:g} ms"
        if self.max_size_bytes is not None and profile.size_bytes > self.max_size_bytes:
            return f"size {profile.size_bytes} bytes is above the limit of {self.max_size_bytes} bytes"
        return ""

    def excess(self, profile: Profile) -> float:
        """By how much a hard limit is broken, as the logarithm of the ratio; 0 or less where all are kept."""
        ratios = (getattr(profile, name) / limit for name, limit in self.limits.items())
        return max((math.log(max(ratio, 1e-12)) for ratio in ratios), default=0.0)

    @property
    def limits(self) -> dict[str, float]:
        """The hard limits that there are, by the name of what they are on."""
        given = {"latency_ms": self.max_latency_ms, "size_bytes": self.max_size_bytes}
        return {name: limit for name, limit in given.items() if limit is not None}


@dataclass(frozen=True, kw_only=True)
class Precedent(Value):
    """A network that an earlier study tried.

    Args:
        study: That study's name.
        config: Its knobs, as far as the new study has them.
        standing: Where its score stood among all that the study tried, from 0, the best, to 1.
        on_front: Whether it stood on that study's front.
    """

    study: str
    config: Config
    standing: float
    on_front: bool = False


@dataclass(frozen=True, kw_only=True)
class Budget(Value):
    """How much may be spent; the first of these to run out ends the search.

    Args:
        minutes: Wall-clock minutes, from weighing the machine to the registration of the chosen model; pauses do not count.
        trials: Candidates, whatever becomes of them.
        epochs: Training epochs over all candidates; no trial is started after them, one that runs may end.
        cost: Money, in the currency of `prices`.
        prices: What an hour of one worker's device costs, by the device's name: `{"cpu": 0.04, "cuda": 2.5}`.

    Raises:
        ConfigError: Nothing is given, or something is not above zero.
    """

    minutes: float | None = None
    trials: int | None = None
    epochs: int | None = None
    cost: float | None = None
    prices: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        complaints = Complaints("Budget")
        given = {name: value for name, value in vars(self).items() if value is not None and name != "prices"}
        complaints.check(bool(given), "nothing is given", "Say Budget(minutes=10), Budget(trials=50) or Budget(epochs=500).")
        for name, value in given.items():
            complaints.check(_positive(value), f"{name} is {value!r}; it must be a number above 0")
            whole = name in {"minutes", "cost"} or (isinstance(value, int) and not isinstance(value, bool))
            complaints.check(whole, f"{name} is {value!r}; it must be a whole number")
        priced = self.cost is None or bool(self.prices)
        complaints.check(priced, "a cost is given, and no prices", 'Say Budget(cost=1.0, prices={"cpu": 0.04}).')
        for device, price in self.prices.items():
            devices = get_args(Device)
            complaints.check(device in devices, f"there is no device {device!r}", one_of(str(device), devices))
            complaints.check(_positive(price), f"the price of {device!r} is {price!r}; it must be a number above 0")
        complaints.raise_any()

    @property
    def units(self) -> tuple[str, ...]:
        """The units that it limits."""
        return tuple(unit for unit in ("minutes", "trials", "epochs", "cost") if getattr(self, unit) is not None)

    def seconds(self, device: str, workers: int) -> float | None:
        """Seconds of search on so many workers: those of the minutes, or what the cost buys if that is less; None without."""
        limits = [] if self.minutes is None else [self.minutes * 60]
        if self.cost is not None:
            limits.append(self.cost / (self.prices[device] * workers) * 3600)
        return min(limits, default=None)


def _positive(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0


@dataclass(frozen=True, kw_only=True)
class Tracking(Value):
    """Where in MLflow a study is shown; it stands in the journal, so it bears no password.

    Args:
        uri: The store's address; empty for the home's own, a SQLite file.
        experiment: The name of the experiment; empty for one of the study's own.
        experiment_id: Its id, in place of a name.
        parent: The run that the study's run nests under; empty for none.
    """

    uri: str = ""
    experiment: str = ""
    experiment_id: str = ""
    parent: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSpec(Value):
    """What a prepared data set is. The arrays themselves lie in `folder`.

    Args:
        name: A short name for people.
        folder: The absolute folder that holds the arrays and `preprocess.json`.
        modality: What one example is.
        task: What is to be predicted.
        target: The name of what is predicted (a column, or `"label"`).
        classes: Labels in the order of the network's outputs; empty for regression.
        shape: One example: (channels, height, width) of an image, (numeric columns,) of a table.
        plain: How many numeric columns, the last ones, are helpers that a network takes as they are.
        cardinalities: For each categorical column of a table, how many codes it has, the unknown one included.
        pixel_mean: Mean of each channel over the training images, in 0 to 255.
        pixel_std: Standard deviation of each, likewise.
        target_mean: Mean of a regression target over the training rows; the stored targets are standardised by it.
        target_scale: Its standard deviation.
        train: Rows to learn from.
        validation: Rows to choose by; 0 when scores are cross-validated.
        test: Rows in the sealed split.
        folds: Number of cross-validation folds; 0 where there is a validation split.
        digest: Fingerprint of the source's content.
        counts: Training rows of each class; empty for regression.
        columns: Name and kind (`"number"`, `"time"`, `"category"`) of each column that a model of a table reads.
        class_weight: One weight a class in the loss; empty for none.
        notes: What was inferred, and why.
        warnings: What looks wrong with the data.
    """

    name: str
    folder: str
    modality: Modality
    task: Task
    target: str
    classes: tuple[Any, ...]
    shape: tuple[int, ...]
    plain: int = 0
    cardinalities: tuple[int, ...] = ()
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()
    target_mean: float = 0.0
    target_scale: float = 1.0
    train: int
    validation: int
    test: int
    folds: int = 0
    digest: str
    counts: tuple[int, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    class_weight: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for one example."""
        return len(self.classes) or 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One example as a person's own network takes it, float32.

        Of an image (channels, height, width), standardised by channel. Of a table (columns,): the scaled numbers, then a one
        or a zero for each code of each categorical column.
        """
        return self.shape if self.modality == "image" else (self.shape[0] + sum(self.cardinalities),)


@dataclass(frozen=True, kw_only=True)
class TrainPlan(Value):
    """How to train one network: schedule-free AdamW, whose scores are those of averaged weights and need no horizon.

    Args:
        epochs: Passes over the training rows, the recovery after the cut included.
        batch_size: Rows in one optimiser step.
        lr: The learning rate after the warm-up.
        weight_decay: Decoupled weight decay of weight matrices and kernels.
        beta2: Memory of AdamW's second moment.
        warmup: Steps in which the rate rises, two epochs at most.
        label_smoothing: Share of the target mass spread over all classes.
        clip: Largest norm of the gradient.
        flip: Whether images may be mirrored (never for digits or text).
        shift: Largest random shift of an image, as a share of its side.
        cutout: Side of the square that is blanked, as a share of the image's side.
        mixup: Parameter of the Beta distribution that mixes pairs; 0 for none.
        precision: On a GPU, `"bf16"` (mixed) or `"32"`; a CPU computes in 32 bits anyway.
        seed: Seeds everything.
    """

    epochs: int = 10
    batch_size: int = 128
    lr: float = 1e-2
    weight_decay: float = 1e-2
    beta2: float = 0.999
    warmup: int = 200
    label_smoothing: float = 0.0
    clip: float = 1.0
    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    precision: Literal["32", "bf16"] = "bf16"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LeanPlan(Value):
    """How a network is made smaller on its way.

    Args:
        ratio: Share of the channels to remove, from 0 (none) to below 1.
        cut_at: Share of the epochs after which the cut falls; the rest recovers.
        multiple: Channel counts are rounded to multiples of this.
        recovery: Epochs of a child, which is cut out of a trained parent, as a share of a whole training's.
    """

    ratio: float = 0.0
    cut_at: float = 0.05
    multiple: int = 8
    recovery: float = 1 / 3

    def recovery_epochs(self, epochs: int) -> int:
        """The number of epochs that a child gets, at least one."""
        return max(1, round(self.recovery * epochs))

    def cut_epoch(self, epochs: int) -> int:
        """The number of epochs before the cut, so that at least one is left to recover."""
        return max(1, min(round(self.cut_at * epochs), epochs - 1))


@dataclass(frozen=True, kw_only=True)
class Measurement(Value):
    """A number that carries its own doubt.

    Args:
        name: What was measured.
        unit: Its unit.
        median: The figure to use.
        low: Lower end of the 95 % bootstrap interval of the median.
        high: Upper end of it.
        p5: 5th percentile of the samples.
        p95: 95th percentile of the samples.
        n: Samples (rounds of many calls).
        clock: Which clock or meter: `"thread_cpu"`, `"wall"`, `"device"`; `"wall_with_core"` where waiting for a core is left
            out; `"rapl"`, `"nvml"`; empty where none is needed.
        ratio: Median ratio to the reference network, where one ran alongside.
        busy: Whether the call often had to wait for a core, as the machine was busy with other work.
        host: Where it was measured.
        warnings: What the reader should know.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    p5: float
    p95: float
    n: int
    clock: str
    ratio: float | None = None
    busy: bool = False
    host: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Profile(Value):
    """What an artifact costs on the target.

    Args:
        latency: Time of one call in milliseconds, from decoded rows to probabilities, in the reference's quiet time.
        wall: The same by the wall clock, as it was.
        size_bytes: Size of the exported model file.
        parameters: Number of weights.
        macs: Multiply-accumulates of one example; 0 where not counted.
    """

    latency: Measurement
    wall: Measurement
    size_bytes: int
    parameters: int
    macs: int = 0

    @property
    def latency_ms(self) -> float:
        """The figure that fronts and limits use."""
        return self.latency.median


@dataclass(frozen=True, kw_only=True)
class ResourceProfile(Value):
    """What an artifact costs beside its latency.

    Args:
        size_bytes: Size on disk.
        memory: Bytes that loading and answering take at most, above what the runtime's imports left.
        imports: Time of the runtime's imports in a fresh process, in ms.
        cold_start: Time of loading and the first answer after them, in ms.
        energy: Energy of one call in mJ, above the idle machine's.
        batches: Latency of one call in ms, by its rows.
        absent: Why something could not be measured, by its name here.
    """

    size_bytes: int
    memory: Measurement | None
    imports: Measurement
    cold_start: Measurement
    energy: Measurement | None
    batches: dict[int, Measurement]
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def throughput(self) -> dict[int, float]:
        """Rows a second, by the rows of one call."""
        return {rows: 1000 * rows / latency.median for rows, latency in self.batches.items()}

    @property
    def best_rows(self) -> int:
        """The rows of one call that give the highest throughput."""
        return max(self.throughput, key=self.throughput.__getitem__)

    def __str__(self) -> str:
        """For people, a line each."""
        memory = f"{self.memory.median / 1e6:.1f} MB" if self.memory else "not measured"
        energy = f"{self.energy.median:.3g} mJ a call" if self.energy else "not measured"
        curve = ", ".join(f"{rows}: {latency.median:.3g} ms" for rows, latency in self.batches.items())
        lines = [
            f"size on disk  {self.size_bytes / 1e3:.1f} kB",
            f"peak memory   {memory}, above the runtime's own",
            f"cold start    {self.cold_start.median:.3g} ms to load and answer, after {self.imports.median:.3g} ms of imports",
            f"energy        {energy}",
            f"rows a call   {curve}; most a second at {self.best_rows}: {self.throughput[self.best_rows]:,.0f}",
        ]
        return "\n".join([*lines, *(f"{name}: {reason}" for name, reason in self.absent.items())])


@dataclass(frozen=True, kw_only=True)
class TrialJob(Value):
    """All that a worker needs to know to walk one candidate through the house.

    Args:
        trial: Number in the study, from 0.
        uid: Unique over all studies.
        config: Settings of the knobs.
        data: The prepared data.
        target: The device and its limits.
        train: The plan that the knobs then change.
        lean: Likewise.
        metric: The score to report.
        rungs: Epochs at which the worker waits for a decision.
        folder: Where to leave what is made.
        gate: A file that measuring locks.
        since: When the trial was handed out, by the executor's clock.
        done: Epochs that it had behind it then.
        reference_ms: The reference network's own quiet time on this host; None to use what is measured alongside.
        parent: Folder of a finished trial to inherit weights from: its network is cut to this one's final shape, and the
            plan's epochs are all recovery.
        own: What makes the network, where it is a person's own.
    """

    trial: int
    uid: str
    config: Config
    data: DataSpec
    target: Deployment
    train: TrainPlan
    lean: LeanPlan
    metric: str
    rungs: tuple[int, ...] = ()
    folder: str
    gate: str
    since: float | None = None
    done: int = 0
    reference_ms: float | None = None
    parent: str | None = None
    own: Factory | None = None


@dataclass(frozen=True, kw_only=True)
class WeighJob(Value):
    """An errand before the search: time the reference network, and the smallest network of the space beside it.

    Args:
        data: The prepared data.
        target: The device.
        smallest: Settings of the knobs that give the fastest network.
        usual: Settings that give a network of ordinary size; its training speed tells how many epochs can be afforded.
        train: The plan of the usual network's timed steps.
        lean: How the smallest network is cut.
        folder: Where to leave temporary files.
        gate: A file that measuring locks.
        own: What makes the networks, where they are a person's own.
        others: Of a person's own networks nobody knows which is the fastest: settings to try, knob by knob, should the
            smallest break a limit.
    """

    data: DataSpec
    target: Deployment
    smallest: Config
    usual: Config
    train: TrainPlan
    lean: LeanPlan
    folder: str
    gate: str
    own: Factory | None = None
    others: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckJob(Value):
    """An errand before all others: whether a person's own networks can be built, taught, cut and exported.

    Args:
        data: The prepared data.
        own: What makes the networks.
        usual: Settings of the knobs to build one with.
        train: The plan of its first steps.
        ratio: The share of the channels to cut, on trial; 0 for none.
        folder: Where to leave temporary files.
    """

    data: DataSpec
    own: Factory
    usual: Config
    train: TrainPlan
    ratio: float
    folder: str


@dataclass(frozen=True, kw_only=True)
class Checked(Value):
    """The answer to a `CheckJob`.

    Args:
        wrong: What stands in the way of any trial, each with its remedy.
        uncuttable: Why channels cannot be cut; empty where they can.
        notes: What a person may want to know.
    """

    wrong: tuple[tuple[str, str], ...] = ()
    uncuttable: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Weighed(Value):
    """The answer to a `WeighJob`.

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
class PortraitJob(Value):
    """An errand: what a finished model costs beside its latency.

    Args:
        trial: The trial that made it.
        bundle: Its bundle's folder.
    """

    trial: TrialJob
    bundle: str


@dataclass(frozen=True, kw_only=True)
class ProfileJob(Value):
    """An errand after the search: say where the time of a finished model goes, and what a change would gain.

    Args:
        trial: The job that the model came from.
        bundle: The folder of its bundle.
        tries: How many changes are made and timed.
    """

    trial: TrialJob
    bundle: str
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class ScoreJob(Value):
    """An errand after the search: score finished models on the sealed test split.

    Args:
        data: The prepared data.
        bundles: Folder of each trial's bundle.
        threads: Threads of the runtime.
    """

    data: DataSpec
    bundles: dict[int, str]
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Scored(Value):
    """The answer to a `ScoreJob`: test scores of each trial."""

    scores: dict[int, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class AccelerateJob(Value):
    """An errand after the search: find the fastest way to run a finished model.

    Args:
        job: The trial that made it.
        scores: Its scores, as it was packed.
    """

    job: TrialJob
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Tried(Value):
    """One way to run a network, tried.

    Args:
        variant: The way.
        latency: Its time beside all others; None where it could not be run.
        scores: Those of the file, as it runs there; empty where a faster one was good enough, so that nobody asked.
        size_bytes: Size of the file.
        said: What became of it: `"chosen"`, or why not, in words.
    """

    variant: Variant
    latency: Measurement | None = None
    scores: dict[str, float] = field(default_factory=dict)
    size_bytes: int = 0
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Accelerated(Value):
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
    tried: tuple[Tried, ...]


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


GO_ON = Decision()
NOBODY = -1  # the trial of a failed errand's result


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
        fault: Whose failure it is: the candidate's own; its worker's, which died, hung or ran out of memory; or the
            machine's, whose disk is full, say.
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


def check_metric(metric: str, task: Task) -> Direction:
    """The direction of a metric.

    Raises:
        ConfigError: The task has no such metric.
    """
    known = metrics_of(task)
    if metric not in known:
        raise ConfigError(f"there is no metric {metric!r} for a {task} task", where="metric", fix=one_of(metric, known))
    return known[metric]

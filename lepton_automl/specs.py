"""What a study is asked: the data, the device that the model must run on, the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from . import plugins
from ._json import Value
from .errors import Complaints, one_of
from .profile import Profile
from .space import Config
from .task import Task

Modality = Literal["image", "table"]


@dataclass(frozen=True, kw_only=True)
class Deployment(Value):
    """The device that a model must run on, and what it must keep to there.

    Args:
        device: The device's name: `"cpu"`, `"cuda"`, or that of a plug-in (`plugins.names("devices")`).
        threads: Threads that one call may use.
        batch_size: Rows in one call.
        runtimes: The runtimes that may be used, of `"onnxruntime"`, `"openvino"`, `"torch"` and those of plug-ins; by
            default ONNX Runtime, and OpenVINO where it is installed.
        max_drop: How much of its score a model may lose to a faster precision: points of a share (0.005 is half a percent
            of the rows), or the share by which an error may grow.
        max_latency_ms: Hard limit on the time of one call, in milliseconds.
        max_size_bytes: Hard limit on the exported model file, in bytes.

    Raises:
        ConfigError: Something is out of range; all of it is listed.
    """

    device: str = "cpu"
    threads: int = 1
    batch_size: int = 1
    runtimes: tuple[str, ...] = ()
    max_drop: float = 0.005
    max_latency_ms: float | None = None
    max_size_bytes: int | None = None

    def __post_init__(self) -> None:
        complaints = Complaints("Deployment")
        _check_plugin("devices", self.device, complaints)
        for runtime in self.runtimes:
            _check_plugin("runtimes", runtime, complaints)
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

    def broken_limit(self, profile: Profile) -> str:
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
class PriorTrial(Value):
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
            _check_plugin("devices", device, complaints)
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


def _check_plugin(kind: str, name: object, complaints: Complaints) -> None:
    """Complain of a name that no plug-in of a kind has."""
    if not (isinstance(name, str) and plugins.is_known(kind, name)):
        complaints.add(f"there is no {plugins.KINDS[kind]} {name!r}", one_of(str(name), plugins.names(kind)))


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

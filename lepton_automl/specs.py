"""The specification of a study: the data, the device that the model must run on, the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ._json import Value
from .errors import Complaints
from .objective import CustomMetric, Objective, known_costs
from .plugin_value import PluginValue
from .plugins import check_plugin
from .profile import Profile
from .space import Config

SHORT_FORMS = {"latency_ms": "max_latency_ms", "size_bytes": "max_size_bytes"}  # of limits


@dataclass(frozen=True, kw_only=True)
class Deployment(Value):
    """The device that a model must run on, and its limits there.

    Args:
        device: The device's name: `"cpu"`, `"cuda"`, or that of a plug-in (`plugins.names("devices")`).
        threads: Threads that one call may use.
        batch_size: Rows in one call.
        runtimes: The allowed runtimes: `"onnxruntime"`, `"openvino"`, `"torch"` and those of plug-ins; by default ONNX
            Runtime, and OpenVINO if it is installed.
        max_score_drop: Maximum loss of the score for a faster precision: absolute for a share (0.005 is half a percent of the
            rows), relative for an error.
        max_latency_ms: Hard limit on the time of one call, in milliseconds.
        max_size_bytes: Hard limit on the exported model file, in bytes.
        limits: Hard limits on any cost, by the name of its objective: `{"memory_bytes": 5e6}`. Those on `latency_ms` and
            `size_bytes` are the two above.

    Raises:
        ConfigError: Some values are out of range; all are listed.
    """

    device: str = "cpu"
    threads: int = 1
    batch_size: int = 1
    runtimes: tuple[str, ...] = ()
    max_score_drop: float = 0.005
    max_latency_ms: float | None = None
    max_size_bytes: int | None = None
    limits: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        complaints = Complaints("Deployment")
        self._sort_limits(complaints)
        check_plugin("devices", self.device, complaints)
        for runtime in self.runtimes:
            check_plugin("runtimes", runtime, complaints)
        for name in ("threads", "batch_size"):
            number = getattr(self, name)
            valid = isinstance(number, int) and not isinstance(number, bool) and number >= 1
            complaints.check(valid, f"{name} is {number!r}; it must be an integer of at least 1")
        complaints.check(
            self.max_score_drop == 0 or _positive(self.max_score_drop),
            f"max_score_drop is {self.max_score_drop!r}; it must be a number of at least 0",
        )
        for name in ("max_latency_ms", "max_size_bytes"):
            limit = getattr(self, name)
            complaints.check(limit is None or _positive(limit), f"{name} is {limit!r}; a limit must be a number above 0")
        complaints.raise_any()

    def _sort_limits(self, complaints: Complaints) -> None:
        """Move limits on latency and size to their own fields, and check the others."""
        if not isinstance(self.limits, dict):
            complaints.add(f"limits is {self.limits!r}", 'Pass a dict, such as {"memory_bytes": 5e6}.')
            object.__setattr__(self, "limits", {})
        remaining = dict(self.limits)
        for name, short in SHORT_FORMS.items():
            if name in remaining:
                limit, short_limit = remaining.pop(name), getattr(self, short)
                complaints.check(
                    short_limit in (None, limit), f"{short} is {short_limit!r}, and limits has {limit!r} for {name}"
                )
                object.__setattr__(self, short, limit)
        for name, limit in remaining.items():
            complaints.check(_positive(limit), f"the limit on {name} is {limit!r}; a limit must be a number above 0")
        object.__setattr__(self, "limits", remaining)

    def exceeded_limit(self, profile: Profile) -> str:
        """Which hard limit a profile exceeds, in words; empty if it meets all."""
        for name, limit in self.hard_limits.items():
            value, cost = profile.value(name), known_costs().get(name, Objective(name=name, direction="minimize"))
            if math.isnan(value):
                return f"{cost.title} is not known, and there is a limit on it"
            if value > limit:
                return f"{cost.title} {cost.show(value)} is above the limit of {limit:g} {cost.unit}".rstrip()
        return ""

    def excess(self, profile: Profile) -> float:
        """By how much hard limits are exceeded at most, as the logarithm of the ratio; 0 or less if all are met."""
        ratios = (profile.value(name) / limit for name, limit in self.hard_limits.items())
        return max((math.log(max(ratio, 1e-12)) for ratio in ratios if not math.isnan(ratio)), default=0.0)

    @property
    def hard_limits(self) -> dict[str, float]:
        """All hard limits, by the name of the objective that they are on."""
        short = {name: getattr(self, field) for name, field in SHORT_FORMS.items()}
        return {name: limit for name, limit in short.items() if limit is not None} | self.limits


@dataclass(frozen=True, kw_only=True)
class PriorTrial(Value):
    """A network that an earlier study tried.

    Args:
        study: That study's name.
        config: Its hyperparameters, as far as the new study has them.
        standing: The rank of its score among all trials of that study, from 0, the best, to 1.
        on_front: Whether it was on that study's front.
    """

    study: str
    config: Config
    standing: float
    on_front: bool = False


@dataclass(frozen=True, kw_only=True)
class Budget(Value):
    """The budget of a search; the first of these to run out ends it.

    Args:
        minutes: Wall-clock minutes, from the call of `fit` to the registration of the chosen model. Pauses do not count, and preparing
            the data uses up at most a quarter of them.
        trials: Number of trials, whatever their outcome.
        epochs: Training epochs of all trials; after them no trial is started, and running ones may finish.
        cost: Money, in the currency of `prices`.
        prices: What an hour of one worker's device costs, by the device's name: `{"cpu": 0.04, "cuda": 2.5}`.

    Raises:
        ConfigError: No budget is given, or a value is not above zero.
    """

    minutes: float | None = None
    trials: int | None = None
    epochs: int | None = None
    cost: float | None = None
    prices: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        complaints = Complaints("Budget")
        amounts = {name: value for name, value in vars(self).items() if value is not None and name != "prices"}
        complaints.check(bool(amounts), "nothing is given", "Use Budget(minutes=10), Budget(trials=50) or Budget(epochs=500).")
        for name, value in amounts.items():
            complaints.check(_positive(value), f"{name} is {value!r}; it must be a number above 0")
            valid = name in {"minutes", "cost"} or (isinstance(value, int) and not isinstance(value, bool))
            complaints.check(valid, f"{name} is {value!r}; it must be an integer")
        priced = self.cost is None or bool(self.prices)
        complaints.check(priced, "cost is given without prices", 'Use Budget(cost=1.0, prices={"cpu": 0.04}).')
        for device, price in self.prices.items():
            check_plugin("devices", device, complaints)
            complaints.check(_positive(price), f"the price of {device!r} is {price!r}; it must be a number above 0")
        complaints.raise_any()

    @property
    def units(self) -> tuple[str, ...]:
        """The units that it limits."""
        return tuple(unit for unit in ("minutes", "trials", "epochs", "cost") if getattr(self, unit) is not None)

    def seconds(self, device: str, workers: int) -> float | None:
        """Seconds of search on this many workers: the minutes, or what the cost pays for if that is less; None without either."""
        limits = [] if self.minutes is None else [self.minutes * 60]
        if self.cost is not None:
            limits.append(self.cost / (self.prices[device] * workers) * 3600)
        return min(limits, default=None)


def _positive(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0


@dataclass(frozen=True, kw_only=True)
class Tracking(Value):
    """Where in MLflow a study is shown; it is stored in the journal, so it must not contain a password.

    Args:
        uri: The store's address; empty for the SQLite file in the home folder.
        experiment: The name of the experiment; empty for the study's own.
        experiment_id: Its id, in place of a name.
        parent: The run that the study's run nests under; empty for none.
    """

    uri: str = ""
    experiment: str = ""
    experiment_id: str = ""
    parent: str = ""


@dataclass(frozen=True, kw_only=True)
class Query(Value):
    """The SQL query whose rows a study's data are; it is stored in the journal, so it must not contain a password.

    Args:
        sql: The query.
        connection: The database's SQLAlchemy URL without secrets; empty if it is not known.
    """

    sql: str
    connection: str = ""


@dataclass(frozen=True, kw_only=True)
class InputSpec(PluginValue):
    """What one example is: the part of a `DataSpec` that belongs to its modality."""

    group = "modalities"
    role = "Input"

    @property
    def network_shape(self) -> tuple[int, ...]:
        """The shape of one example as a user-defined network takes it, float32."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class OutputSpec(PluginValue):
    """What is predicted: the part of a `DataSpec` that belongs to its task."""

    group = "tasks"
    role = "Output"

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels in the order of the network's outputs; empty if numbers are predicted."""
        return ()

    @property
    def size(self) -> int:
        """The number of outputs of a network for one example."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the targets, for the user."""
        return ()

    def undefined(self, metric: str) -> str:
        """Why a metric of the task is not defined for these targets; empty if it is defined."""
        del metric
        return ""

    def shipped(self) -> dict[str, Any]:
        """What a bundle's decoder needs to know, as JSON."""
        return {"classes": list(self.classes)}


@dataclass(frozen=True, kw_only=True)
class DataSpec(Value):
    """The description of a prepared data set. The arrays themselves are in `folder`.

    Args:
        name: A short name to show.
        folder: The absolute folder that holds the arrays and `preprocess.json`.
        target: The name of what is predicted (a column, or `"label"`).
        input: What one example is, by its modality.
        output: What is predicted, by its task.
        train: Number of training rows.
        validation: Number of validation rows; 0 if scores are cross-validated.
        test: Number of rows in the held-out test split.
        folds: Number of cross-validation folds; 0 if there is a validation split.
        digest: Fingerprint of the source's content.
        notes: What was inferred, and why.
        warnings: What looks wrong with the data.
        metric: The user-defined score, which is computed besides those of the task.
    """

    name: str
    folder: str
    target: str
    input: InputSpec
    output: OutputSpec
    train: int
    validation: int
    test: int
    folds: int = 0
    digest: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metric: CustomMetric | None = None

    @property
    def modality(self) -> str:
        """The name of the modality, such as `"image"`."""
        return self.input.kind

    @property
    def task(self) -> str:
        """The name of the task, such as `"regression"`."""
        return self.output.kind

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels in the order of the network's outputs; empty if numbers are predicted."""
        return self.output.classes

    @property
    def outputs(self) -> int:
        """The number of outputs of a network for one example."""
        return self.output.size

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as a user-defined network takes it, float32.

        Of an image (channels, height, width), standardised by channel. Of a table (columns,): the scaled numbers, then a one
        or a zero for each code of each categorical column.
        """
        return self.input.network_shape

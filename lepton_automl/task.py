"""The protocol of a task, its metrics, and how to look one up.

A task is a plug-in of the group `lepton_automl.tasks`. This module imports neither torch nor pandas, and an implementation's own
module must not either: it imports them in its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from . import plugins
from ._json import Value
from .arrays import Array, Json
from .errors import ConfigError, one_of
from .metric import Metric, Scorer
from .modality import Claim
from .objective import Direction
from .plans import TrainPlan
from .specs import DataSpec, OutputSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


class TargetColumn(Protocol):
    """The targets of a source; `data.targets.TargetCells` is one."""

    @property
    def cells(self) -> Array: ...  # noqa: D102  # one per row, of any type, [N]
    @property
    def known(self) -> Array: ...  # noqa: D102  # rows whose cell is not missing
    @property
    def learnt(self) -> Array: ...  # noqa: D102  # those of them that are not test rows: nothing is inferred from test rows
    @property
    def name(self) -> str: ...  # noqa: D102  # the target's name
    @property
    def most_classes(self) -> int: ...  # noqa: D102  # integers with more distinct values are treated as quantities

    @property
    def numbers(self) -> Array | None:
        """The `learnt` cells as numbers, without those that are not numbers; None if the cells are labels."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Targets of the rows that have one.

    Args:
        task: The name of the task.
        classes: Labels in the order of their indices; empty if numbers are predicted.
        encoded: As the task stores them, [N] or [N, K]: class indices int64, or float64.
        rows: The source's rows that they belong to.
        notes: What was inferred.
        warnings: What looks wrong.
    """

    task: str
    classes: tuple[Any, ...]
    encoded: Array
    rows: Array
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClassPreview(Value):
    """A class in a preview.

    Args:
        label: As the user wrote it.
        rows: Number of its training and validation rows.
        first: Index of one of them among the stored rows; -1 if there is none.
        picture: That row, as a PNG in base64; empty if rows are not images.
    """

    label: Any
    rows: int
    first: int = -1
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class TargetPreview(Value):
    """A preview of the targets.

    Args:
        classes: The most frequent ones.
        histogram: For numbers: the rows in each of several bins of equal width.
        ends: Where the histogram begins and ends, in the target's own unit.
        summary: A summary of the numbers for the heading, such as `"31.2 on average"`.
    """

    classes: tuple[ClassPreview, ...] = ()
    histogram: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    summary: str = ""


class Decoder(Protocol):
    """Converts a model's outputs to answers; it is shipped with every model, so it needs only NumPy.

    Attributes:
        classes: Labels in the order of the outputs; empty if numbers are predicted.
        columns: Names of the columns of `table`.
        region_columns: Names of the columns of `regions` in a table: one for sets, two for the ends of intervals; empty for none.
    """

    classes: list[Any]
    columns: tuple[str, ...]
    region_columns: tuple[str, ...]

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of a model's outputs for this many rows."""

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """Answers [N] or [N, K].

        Args:
            outputs: The model's outputs, [N] or [N, K].
            context: What decoding needs from the input; see `Preprocess.context`.
        """

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """Sets of labels, a list for each row [N]; or the ends of intervals [N, 2].

        Args:
            outputs: The model's outputs, [N] or [N, K].
            context: What decoding needs from the input.
            coverage: The share of rows whose set or interval holds the truth, between 0 and 1.

        Raises:
            ConfigError: The task has none, or the model was not calibrated for this coverage.
        """

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities [N, classes], calibrated.

        Raises:
            ConfigError: The task has none.
        """

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The columns of a response over HTTP, as JSON values."""

    def types(self) -> list[str]:
        """The type of each column: `"boolean"`, `"long"`, `"string"`, `"double"` or `"any"`."""


class Task(Protocol):
    """What is to be predicted.

    Attributes:
        name: Its name, such as `"regression"`.
        Output: Its part of a `DataSpec`.
        metrics: Its scores by name, the usual one first.
        holds: Whether its targets are labels or numbers.
        probabilities: Whether answers have probabilities.
        share_metric: The metric, a share, in which the loss of a smaller network is measured.
        decoder_modules: The modules that a bundle ships, in the order of their imports; they need NumPy alone.
        decoder_class: The class among them that `load_decoder` reads.
    """

    name: str
    Output: type[OutputSpec]
    metrics: Mapping[str, Metric]
    holds: Literal["labels", "numbers"]
    probabilities: bool
    share_metric: str
    decoder_modules: tuple[str, ...]
    decoder_class: str

    # The data

    def infer(self, column: TargetColumn) -> Claim | None:
        """A claim that targets are of this task; None if they are not."""

    def encode(self, column: TargetColumn, options: Any, reason: str) -> Targets:
        """The targets as numbers.

        Args:
            column: The targets.
            options: The user's options for the data.
            reason: Why this task was chosen, for the notes.

        Raises:
            DataError: They cannot be used as they are.
        """

    def check_train(self, targets: Targets, train: Array) -> None:
        """Check that the training rows contain everything to be predicted, such as each class.

        Raises:
            DataError: They do not.
        """

    def strata(self, targets: Targets) -> Array | None:
        """The strata whose proportions a split keeps, int64 [N]; None for none."""

    def output(self, targets: Targets, train: Array, options: Any) -> OutputSpec:
        """The task's part of the spec, from the training rows' targets."""

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """Targets as training reads them."""

    def decode_targets(self, targets: Array, output: OutputSpec) -> Array:
        """Targets in their own unit and in the form of the data, like the answers of `Decoder.decode`."""

    def fits_tensor(self, targets: Array) -> bool:
        """Whether bare targets [N], of a user's own arrays, are of this task."""

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> OutputSpec:
        """The same as `output`, for bare targets and a network with this many outputs."""

    # Training

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """A module that computes the mean loss of outputs [N, K] and stored targets.

        For weighted rows it is called with their weights [N], which are 1 on average, as a third argument.
        """

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """How far outputs are from a teacher's, a scalar."""

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """A module that makes answers from a network's outputs.

        Args:
            output: The task's part of the spec.
            members: Whether outputs have an axis of ensemble members, [N, members, K].
            unit: Whether answers are in the target's own unit; else in that of stored targets.
        """

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """Stored targets, or answers like them, in the target's own unit."""

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Outputs [N, ...] of a user's own network, in the target's own unit, as outputs [N, K] like stored targets."""

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """How each metric is computed from answers and targets in the target's own unit.

        Args:
            output: The task's part of the spec.
            decoder: What `fit_decoder` returned, such as thresholds.
        """

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """The values of all scorers, NaN where undefined; a task may compute the same values in a faster way."""

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The score that shows when training should have ended, as a loss."""

    def untrained_loss(self, output: OutputSpec) -> float:
        """The loss of a network that has learned nothing."""

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """What the decoder learns from validation rows, such as thresholds: JSON that is shipped; {} for nothing."""

    def fit_regions(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json) -> Json:
        """What `Decoder.regions` needs, from validation rows (see `calibration.fit_regions`); {} for nothing.

        Args:
            answers: The task's answers for the rows.
            targets: Their targets in the target's own unit.
            output: The task's part of the spec.
            decoder: What `fit_decoder` returned. The result is shipped beside it as `regions`.
        """

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """An analysis of the errors in answers."""

    # Texts

    def title(self, spec: DataSpec) -> str:
        """The kind of task, such as `"regression"`; the target's name follows."""

    def what(self, spec: DataSpec, target: str) -> str:
        """What is predicted, with the target's name as shown: `"the number 'price'"`."""

    def extent(self, spec: DataSpec) -> str:
        """The possible targets, for the report: names of classes, or the range of numbers."""

    def limits(self, spec: DataSpec) -> str:
        """What a model was trained to predict, in a sentence for its card: its labels, or the range of its targets."""

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """What a user-defined network must return, and its targets: `("[N, 3]: a logit for each class", "int64 targets [N]")`."""

    def schema(self, spec: DataSpec) -> str:
        """The target's type, as MLflow's page shows it."""

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Facts about the targets to show in MLflow."""

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """A preview of the targets.

        Args:
            stored: Targets as they are stored.
            output: The task's part of the spec.
            most: Maximum number of classes to show.
        """

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The largest value of a metric if nothing is learned: where the axis of an empty plot ends."""


class Trees(Protocol):
    """Gradient-boosted trees; `data.boosted_trees.BoostedTrees` is one."""

    def fit(self, rows: Array, targets: Array, seconds_left: Callable[[], float]) -> int:
        """Learn from rows [N, F] and targets in their own unit while there is time; returns the number of rounds."""

    def answers(self, rows: Array) -> Array:
        """Answers as those of a network, [N] or [N, K]."""


@runtime_checkable
class TreeTask(Protocol):
    """A task for which gradient-boosted trees are a reference."""

    def boosted_trees(self, output: OutputSpec, settings: Mapping[str, Any]) -> Trees:
        """New trees; the settings are arguments of scikit-learn's estimators."""


@runtime_checkable
class TeachableTask(Protocol):
    """A task whose networks can learn from answers."""

    def outputs_of(self, answers: Tensor, output: OutputSpec) -> Tensor:
        """The outputs [N, K] of a network without members that gives these answers, [N] or [N, K]."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """An analysis of errors; parts that do not apply to a task stay empty.

    Args:
        worst: Rows with the worst answers, worst first, each with the fields of its `Example`.
        parts: The other fields of an `ErrorAnalysis`.
    """

    worst: Sequence[tuple[int, Mapping[str, Any]]]
    parts: Mapping[str, Any]


def task_named(name: str) -> Task:
    """A task by its name.

    Raises:
        ConfigError: No such plug-in is installed.
    """
    task: Task = plugins.instance("tasks", name)
    return task


def task_of(spec: DataSpec) -> Task:
    """The task of prepared data."""
    return task_named(spec.task)


def metrics_of(spec: DataSpec) -> dict[str, Metric]:
    """The metrics of prepared data by name: the task's, the usual one first, and the user's own."""
    custom = {spec.metric.name: Metric(direction=spec.metric.direction, unit="")} if spec.metric else {}
    return {**task_of(spec).metrics, **custom}


def all_metrics() -> dict[str, Metric]:
    """The metrics of all tasks by name."""
    return {name: metric for task in plugins.names("tasks") for name, metric in task_named(task).metrics.items()}


def direction_of(metric: str) -> Direction:
    """Whether a higher or a lower value of a task's metric is better."""
    return all_metrics()[metric].direction


def drop(direction: Direction, before: float, after: float) -> float:
    """How much worse a score became: the difference of shares; of an error, the share by which it grew."""
    return before - after if direction == "maximize" else (after - before) / max(abs(before), 1e-12)


def check_metric(metric: str, spec: DataSpec) -> Direction:
    """The direction of a metric.

    Raises:
        ConfigError: There is no such metric for the data, or it is not defined for their targets.
    """
    known = metrics_of(spec)
    if metric not in known:
        what = f"there is no metric {metric!r} for a {spec.task} task"
        raise ConfigError(what, where="metric", fix=one_of(metric, known))
    if reason := spec.output.undefined(metric):
        others = [name for name in known if not spec.output.undefined(name)]
        fix = f"Choose another: {', '.join(others)}."
        raise ConfigError(f"the metric {metric!r} is not defined for this target: {reason}", where="metric", fix=fix)
    return known[metric].direction

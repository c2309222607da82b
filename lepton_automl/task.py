"""What every task brings: the protocol of a task, its metrics, and how one is found.

A task is a plug-in of the group `lepton_automl.tasks`. What is here loads neither torch nor pandas, and an implementation's own module
must not either: it imports what it needs in its methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

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
    def cells(self) -> Array: ...  # noqa: D102  # one a row, of any type, [N]
    @property
    def known(self) -> Array: ...  # noqa: D102  # rows whose cell holds something
    @property
    def learnt(self) -> Array: ...  # noqa: D102  # those of them that are no test rows: nothing is inferred from test rows
    @property
    def name(self) -> str: ...  # noqa: D102  # the target's name
    @property
    def most_classes(self) -> int: ...  # noqa: D102  # whole numbers with more different values are taken for quantities

    @property
    def numbers(self) -> Array | None:
        """The learnt cells as numbers, those that hold none left out; None where the cells are labels."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Targets of the rows that have one.

    Args:
        task: The name of the task.
        classes: Labels in the order of their indices; empty where numbers are predicted.
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
    """A class.

    Args:
        label: As the user wrote it.
        rows: How many there are to learn and choose from.
        first: Place of one of them among the stored rows; -1 where there is none.
        picture: That row, as a PNG in base64; empty where there are no pictures.
    """

    label: Any
    rows: int
    first: int = -1
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class TargetPreview(Value):
    """What the targets look like.

    Args:
        classes: The most frequent ones.
        histogram: Of numbers: how many rows in each of some equal steps.
        ends: Where the histogram begins and ends, in the target's own unit.
        summary: What its heading says of the numbers, such as `"31.2 on average"`.
    """

    classes: tuple[ClassPreview, ...] = ()
    histogram: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    summary: str = ""


class Decoder(Protocol):
    """From a model's outputs to answers; it travels with every model, so it needs NumPy alone.

    Attributes:
        classes: Labels in the order of the outputs; empty where numbers are predicted.
        columns: Names of the columns of `table`.
    """

    classes: list[Any]
    columns: tuple[str, ...]

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of a model's outputs for so many rows."""

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """Answers [N] or [N, K].

        Args:
            outputs: What the model gave, [N] or [N, K].
            context: What decoding needs of the input; see `Preprocess.context`.
        """

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities [N, classes].

        Raises:
            ConfigError: The task has none.
        """

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The columns of an answer over HTTP, as JSON can hold them."""

    def types(self) -> list[str]:
        """The type of each column: `"boolean"`, `"long"`, `"string"`, `"double"` or `"any"`."""


class Task(Protocol):
    """What is to be predicted.

    Attributes:
        name: `"regression"`.
        Output: Its part of a `DataSpec`.
        metrics: Its scores by name, the usual one first.
        holds: Whether its targets are labels or numbers.
        probabilities: Whether answers have probabilities.
        share_metric: The metric that is a share, in which a smaller network's loss is counted.
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
        """Whether targets are of this task."""

    def encode(self, column: TargetColumn, options: Any, reason: str) -> Targets:
        """The targets as numbers.

        Args:
            column: The targets.
            options: What the user said about their data.
            reason: Why this task was chosen, for the notes.

        Raises:
            DataError: They cannot be used as they are.
        """

    def check_train(self, targets: Targets, train: Array) -> None:
        """Make sure that the training rows hold what can be predicted.

        Raises:
            DataError: They do not.
        """

    def strata(self, targets: Targets) -> Array | None:
        """What a split keeps in proportion, int64 [N]; None for nothing."""

    def output(self, targets: Targets, train: Array, options: Any) -> OutputSpec:
        """The task's part of the spec, from the training rows' targets."""

    def stored(self, encoded: Array, output: OutputSpec) -> Array:
        """Targets as training reads them."""

    def truths(self, targets: Array, output: OutputSpec) -> Array:
        """Targets in their own unit in the form that the data have them, as `Decoder.decode` gives answers."""

    def fits_tensor(self, targets: Array) -> bool:
        """Whether bare targets [N], of a user's own arrays, are of this task."""

    def output_of_tensor(self, targets: Array, outputs: int, *, standardise: bool) -> OutputSpec:
        """The same as `output`, for bare targets and a network with so many outputs."""

    # Training

    def criterion(self, spec: DataSpec, plan: TrainPlan) -> nn.Module:
        """The mean loss of outputs [N, K] and stored targets."""

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """How far outputs are from a teacher's, a scalar."""

    def answers(self, output: OutputSpec, *, members: bool, unit: bool) -> nn.Module:
        """What makes answers of a network's outputs.

        Args:
            output: The task's part of the spec.
            members: Whether outputs have an axis of ensemble members, [N, members, K].
            unit: Whether answers are in the target's own unit; else as stored targets are.
        """

    def to_unit(self, values: Tensor, output: OutputSpec) -> Tensor:
        """Stored targets, or answers like them, in the target's own unit."""

    def from_unit(self, outputs: Tensor, output: OutputSpec) -> Tensor:
        """Outputs [N, ...] of a user's own network, in the target's own unit, as outputs [N, K] like stored targets."""

    def scorers(self, output: OutputSpec, decoder: Json | None = None) -> Mapping[str, Scorer]:
        """How each metric is computed of answers and targets in the target's own unit.

        Args:
            output: The task's part of the spec.
            decoder: What decoding has learnt, such as thresholds.
        """

    def scores(self, answers: Tensor, targets: Tensor, output: OutputSpec, decoder: Json | None = None) -> dict[str, float]:
        """The values of all scorers, NaN where one is not defined; a task may have a quicker way to the same values."""

    def validation_loss(self, scores: Mapping[str, float], output: OutputSpec) -> float:
        """The score that tells when training should have ended, as a loss."""

    def ignorant_loss(self, output: OutputSpec) -> float:
        """The loss of a network that knows nothing."""

    def fit_decoder(self, answers: Array, targets: Array, output: OutputSpec) -> Json:
        """What decoding learns from validation rows, such as thresholds; JSON that is shipped, {} for nothing."""

    def analyze(self, answers: Array, targets: Array, output: OutputSpec, decoder: Json, worst: int) -> Analysis:
        """What the answers get wrong."""

    # Words

    def title(self, spec: DataSpec) -> str:
        """What is to be learnt: `"regression"`; the target's name follows."""

    def what(self, spec: DataSpec, target: str) -> str:
        """What is predicted, by the name that the target is shown with: `"the number 'price'"`."""

    def extent(self, spec: DataSpec) -> str:
        """What the targets can be, for the report: classes by name, or where numbers lie."""

    def limits(self, spec: DataSpec) -> str:
        """What a model of these data knows, in a sentence for its card."""

    def wanted(self, spec: DataSpec) -> tuple[str, str]:
        """What a user's own network must give, and the targets that it gets: `("[N, 3]: a logit for each class", "int64 targets [N]")`."""

    def schema(self, spec: DataSpec) -> str:
        """The target's type, as MLflow's page shows it."""

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """What MLflow shows of the targets."""

    def preview(self, stored: Array, output: OutputSpec, most: int) -> TargetPreview:
        """What the targets look like.

        Args:
            stored: Targets as they are stored.
            output: The task's part of the spec.
            most: Classes to show.
        """

    def score_range(self, metric: str, output: OutputSpec) -> float:
        """The largest value of a metric where nothing is learnt: how far the axis of a picture without points reaches."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What answers get wrong; the parts that a task does not have stay empty.

    Args:
        worst: Rows with the worst answers, worst first, and what is known of each: the fields of an `Example`.
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
    own = {spec.metric.name: Metric(direction=spec.metric.direction, unit="")} if spec.metric else {}
    return {**task_of(spec).metrics, **own}


def all_metrics() -> dict[str, Metric]:
    """The metrics of all tasks by name."""
    return {name: metric for task in plugins.names("tasks") for name, metric in task_named(task).metrics.items()}


def direction_of(metric: str) -> Direction:
    """Whether more or less of a task's metric is better."""
    return all_metrics()[metric].direction


def drop(direction: Direction, before: float, after: float) -> float:
    """How much worse a score became: the difference of shares; of an error, the share by which it grew."""
    return before - after if direction == "maximize" else (after - before) / max(abs(before), 1e-12)


def check_metric(metric: str, spec: DataSpec) -> Direction:
    """The direction of a metric.

    Raises:
        ConfigError: The data have no such metric.
    """
    known = metrics_of(spec)
    if metric not in known:
        what = f"there is no metric {metric!r} for a {spec.task} task"
        raise ConfigError(what, where="metric", fix=one_of(metric, known))
    return known[metric].direction

"""The protocol of a modality, which is a kind of data.

A modality is a plug-in of the group `lepton_automl.modalities`. This module imports neither torch nor pandas nor Pillow, and an
implementation's own module must not either: it imports them in its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from . import plugins
from ._json import Value
from .arrays import Array, Json
from .plans import Augmentation, TrainPlan
from .specs import DataSpec, InputSpec

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Progress = Callable[[int, int], None]  # called with the number of examples read, and of all examples


@dataclass(frozen=True, kw_only=True)
class Claim:
    """How sure a plug-in is that it should handle something.

    Args:
        confidence: From 0 to 1; the highest claim wins, and a tie is an error that names the option to decide it.
        reason: Why, in a sentence that a user reads.
    """

    confidence: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How a model of this modality is used, in words and commands.

    Args:
        article: The kind of model: `"An image"`.
        example: What one example is: `"an image"`.
        plural: Several examples: `"images"`.
        file: A file that the shell takes: `"photo.jpg"`.
        python: The argument of `predict` in Python: `'"photo.jpg"'`.
        files: The files that the command line accepts.
        request: The body of a request over HTTP.
        takes: What such a request accepts, in words.
        packages: Optional packages that reading files needs, as pip names them with their bounds.
        packages_for: What they are for.
        install: What follows `pip install -r requirements.txt` if files are read.
    """

    article: str
    example: str
    plural: str
    file: str
    python: str
    files: str
    request: str
    takes: str
    packages: tuple[str, ...] = ()
    packages_for: str = ""
    install: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnPreview(Value):
    """A column that models learn from.

    Args:
        name: Its name.
        kind: `"number"`, `"time"`, `"text"` or `"category"`.
        details: Further information on it.
        example: One of its cells.
    """

    name: str
    kind: str
    details: str = ""
    example: Any = None


class Preprocess(Protocol):
    """Converts raw examples to a network's arrays; it is shipped with every model, so it needs only NumPy."""

    output: Json

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The columns of a request over HTTP or of MLflow's signature."""

    def to_json(self) -> Json:
        """The whole preprocessing; `load_preprocess` reads it back."""

    def arrays(self, raw: Any) -> dict[str, Array]:
        """The network's arrays of one raw example or of many, each [N, ...].

        Raises:
            InputError: Something does not match the training data.
        """

    def context(self, raw: Any) -> dict[str, Any]:
        """What decoding needs from the input, such as a last value or a scale: by name, one value per row; usually empty."""

    def is_single(self, raw: Any) -> bool:
        """Whether an input with one example is the example itself rather than a list of one."""

    def read(self, source: str) -> Any:
        """The raw examples of a command-line argument: a file, a folder, or the example itself as text.

        Raises:
            InputError: It is none of these, or cannot be read.
        """

    def from_request(self, rows: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> Any:
        """The raw examples of a request over HTTP; nothing in it is ever treated as a path.

        Args:
            rows: One mapping of `request_columns` per example.
            limits: `max_pixels` and the like.

        Raises:
            ValueError: A row does not fit the model, or exceeds a limit.
        """

    def sample_request(self) -> dict[str, Any]:
        """One made-up row of a request; never a user's own data."""


class TableRequests(Protocol):
    """An optional method of a `Preprocess`, if whole columns are faster than rows; else a table is read row by row."""

    def from_table(self, columns: Mapping[str, Array], limits: Mapping[str, int]) -> Any:
        """Like `from_request`, for the table that MLflow passes.

        Args:
            columns: The cells of each column, [N]; there may be more than `request_columns`.
            limits: As for `from_request`.

        Raises:
            ValueError: As for `from_request`, with the same messages.
        """


@dataclass(kw_only=True)
class Prepared:
    """Examples as arrays, made by preprocessing that was fitted on the training rows.

    Args:
        input: The modality's own part of the `DataSpec`.
        preprocess: The fitted preprocessing.
        arrays: The network's inputs [N, ...] of every row that is kept, by name.
        hashes: One number per row, equal for equal examples.
        examples: A few raw training examples, as a user passes them to `predict`.
        notes: What was inferred.
        warnings: What looks wrong.
        weights: The weight of each row in the loss and in scores, float64 [N]; None if all count alike.
    """

    input: InputSpec
    preprocess: Preprocess
    arrays: dict[str, Array]
    hashes: Array
    examples: Any
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    weights: Array | None = None


class SplitRows(Protocol):
    """Which rows have a target, and which of these are training rows; `data.split_dataset.SplitDataset` is one."""

    @property
    def rows(self) -> Array: ...  # noqa: D102  # of the source's rows, int64 [N]
    @property
    def train(self) -> Array: ...  # noqa: D102  # among them
    @property
    def train_targets(self) -> Array | None: ...  # noqa: D102  # None if fitting must not use them
    @property
    def output(self) -> Json: ...  # noqa: D102  # what a model of these data predicts


class Examples(Protocol):
    """Raw examples with their targets; nothing is learned from them yet.

    Attributes:
        target: What the targets are called.
        targets: One cell per example, test examples last, [N].
        roles: The role that the source itself gives each, int8 [N]; see `data.splits`.
        most_classes: Integers with more distinct values are treated as quantities.
        decimal: The decimal sign of numbers that can be read with either.
        notes: What was detected about the source.
        warnings: What looks wrong with it.
    """

    target: str
    targets: Array
    roles: Array
    most_classes: int
    decimal: str
    notes: list[str]
    warnings: list[str]

    def split_by(self, rows: Array) -> dict[str, Array]:
        """What the split of the kept rows is based on: `groups` or `times`, each [len(rows)], or nothing."""

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Fit the preprocessing on the training rows, and make arrays from all rows."""


class Augment(Protocol):
    """Changes training rows at random, a batch at a time."""

    def __call__(self, inputs: dict[str, Tensor], chance: Any) -> tuple[dict[str, Tensor], Tensor | None, float]:
        """Changed rows; the rows that each is mixed with, [N], or None; and its own share of the mixture.

        Args:
            inputs: By the network's input names; they are not modified.
            chance: The torch.Generator to draw from.
        """


class Modality(Protocol):
    """A kind of data.

    Attributes:
        name: Its name, such as `"image"`.
        extra: The pip extra that it needs; empty if none.
        Options: Its options of `fit`, with those of all modalities.
        Input: Its part of a `DataSpec`.
        Augmentation: Its part of a `TrainPlan`; None if rows are never augmented.
        usage: How models of it are used.
        preprocess_modules: The modules that a bundle ships, in the order of their imports; they need NumPy alone.
        preprocess_class: The class among them that `load_preprocess` reads.
        family: The network family that is searched by default.
        baseline: The family whose solved network is the first trial of a study by default; empty if there is none.
    """

    name: str
    extra: str
    Options: type[Any]
    Input: type[InputSpec]
    Augmentation: type[Augmentation] | None
    usage: Usage
    preprocess_modules: tuple[str, ...]
    preprocess_class: str
    family: str
    baseline: str

    def recognize(self, source: Any) -> Claim | None:
        """Whether a source is of this kind; the source exists and is not opened for long."""

    def examples(
        self, source: Any, test: Any, folder: Path, options: Any, progress: Progress | None
    ) -> AbstractContextManager[Examples]:
        """Open a source, and a separate test source, while they are read.

        Args:
            source: What the user passed.
            test: Test data of the same kind; None if there is none.
            folder: An empty folder for large arrays meanwhile.
            options: Of the type `Options`.
            progress: Called with the number of examples read, and of all examples.

        Raises:
            DataError: The data cannot be used as they are.
            ConfigError: An option does not fit the source.
        """

    def augment(self, plan: TrainPlan, spec: DataSpec) -> Augment | None:
        """What changes training rows at random, by a plan; None if nothing does."""

    def entry(self, spec: DataSpec) -> nn.Module:
        """A module that makes one float32 tensor [N, *spec.input_shape] from stored rows, for a user-defined network."""

    def call(self, examples: Sequence[Any]) -> Any:
        """Several raw examples as one call of `predict` takes them."""

    def describe(self, spec: DataSpec) -> str:
        """A description of the data for users: `"images of 28 x 28, grey"`."""

    def row(self, spec: DataSpec) -> str:
        """A description of one example for users: `"an image of 28 x 28 pixels in grey"`."""

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """Facts about the data to show in MLflow, besides the numbers of rows."""

    def schema(self, spec: DataSpec) -> list[tuple[str, str]]:
        """Name and type of each column, as MLflow's page shows them."""

    def columns(self, spec: DataSpec) -> tuple[ColumnPreview, ...]:
        """The columns that models learn from, if the data has columns."""

    def thumbnail(self, inputs: Mapping[str, Array]) -> str:
        """One stored row as a PNG in base64; empty if there is nothing to see."""

    def original(self, preprocess: Preprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
        """Stored rows in the units of their source, one mapping per row; empty mappings if `thumbnail` shows them."""


@runtime_checkable
class ScalableModality(Protocol):
    """A modality whose networks may take a smaller form of the stored examples; `spec.input` of a trial says which."""

    def scaled_inputs(self, spec: DataSpec, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Stored rows as the spec's networks take them; unchanged if they are stored so."""

    def scaled_preprocess(self, spec: DataSpec, preprocess: Preprocess) -> Preprocess:
        """The preprocessing of the stored rows, for the spec's networks."""

    def scaled_examples(self, spec: DataSpec, examples: list[Any]) -> list[Any]:
        """Raw examples in the form that the spec's networks take without further scaling."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of an example whose importance can be measured.

    Args:
        names: Their names: columns, or regions of an image, row by row.
        permuted: Whether values are permuted among rows, so that repeats differ; else what replaces a part is fixed.
        grid: Rows and columns of the regions; empty for columns.
        picture: What the regions are parts of, as a PNG in base64; empty for columns.
    """

    names: tuple[str, ...]
    permuted: bool = True
    grid: tuple[int, ...] = ()
    picture: str = ""


@runtime_checkable
class PerturbableModality(Protocol):
    """A modality whose examples have parts, so that their importance can be measured; for others it is not available."""

    def parts(self, spec: DataSpec, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The parts of stored rows, which are given as the spec's networks take them."""

    def perturbed(
        self,
        spec: DataSpec,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        parts: Sequence[int],
        rng: np.random.Generator,
    ) -> dict[str, Array]:
        """Stored rows without the information in some of their parts; the given arrays are not changed.

        Args:
            spec: The data as the networks take them.
            preprocess: Their preprocessing.
            inputs: The stored rows.
            parts: Indices of the parts, which are perturbed together: columns get the values of the same other row.
            rng: What draws that row.
        """


def modality_named(name: str) -> Modality:
    """A modality by its name.

    Raises:
        ConfigError: No such plug-in is installed.
    """
    modality: Modality = plugins.instance("modalities", name)
    return modality


def modality_of(spec: DataSpec) -> Modality:
    """The modality of prepared data."""
    return modality_named(spec.modality)

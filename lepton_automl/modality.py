"""What every kind of data brings: the protocol of a modality.

A modality is a plug-in of the group `lepton_automl.modalities`. What is here loads neither torch nor pandas nor Pillow, and an
implementation's own module must not either: it imports what it needs in its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from . import plugins
from ._json import Value
from .arrays import Array, Json
from .plans import Augmentation, TrainPlan
from .specs import DataSpec, InputSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Progress = Callable[[int, int], None]  # so many of so many examples are read


@dataclass(frozen=True, kw_only=True)
class Claim:
    """How sure a plug-in is that something is its own.

    Args:
        confidence: From 0 to 1; the highest claim wins, and a tie is an error that names the option which decides.
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
        files: What files the command line takes.
        request: The body of a request over HTTP.
        takes: What such a request takes, in words.
        packages: Optional packages that reading files needs, as pip names them with their bounds.
        packages_for: What they are for.
        install: What follows `pip install -r requirements.txt` where files are read.
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
    """A column that is learnt from.

    Args:
        name: Its name.
        kind: `"number"`, `"time"` or `"category"`.
        details: What else is known of it.
        example: A cell of it.
    """

    name: str
    kind: str
    details: str = ""
    example: Any = None


class Preprocess(Protocol):
    """From raw examples to a network's arrays; it travels with every model, so it needs NumPy alone."""

    output: Json

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The columns of a request over HTTP or of MLflow's signature."""

    def to_json(self) -> Json:
        """All of it; `load_preprocess` reads it back."""

    def arrays(self, raw: Any) -> dict[str, Array]:
        """The network's arrays of one raw example or of many, each [N, ...].

        Raises:
            InputError: Something does not fit what was learnt from.
        """

    def context(self, raw: Any) -> dict[str, Any]:
        """What decoding needs of the input, such as a last value or a scale: one value a row by each name; mostly nothing."""

    def is_single(self, raw: Any) -> bool:
        """Whether an input that holds one example is that example, and not a list of one."""

    def read(self, source: str) -> Any:
        """What a command line names: a file, a folder, or the example itself as text.

        Raises:
            InputError: It is none of these, or cannot be read.
        """

    def from_request(self, rows: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> Any:
        """The raw examples of a request over HTTP; nothing in it is ever taken for a path.

        Args:
            rows: One mapping of `request_columns` an example.
            limits: `max_pixels` and the like.

        Raises:
            ValueError: A row does not fit the model, or there is too much of it.
        """

    def sample_request(self) -> dict[str, Any]:
        """One made-up row of a request; never a user's own data."""


class TableRequests(Protocol):
    """What a `Preprocess` may offer besides, where whole columns are faster than rows; else a table is read row by row."""

    def from_table(self, columns: Mapping[str, Array], limits: Mapping[str, int]) -> Any:
        """As `from_request`, of the table that MLflow passes.

        Args:
            columns: The cells of each column, [N]; more than `request_columns` perhaps.
            limits: As for `from_request`.

        Raises:
            ValueError: As for `from_request`, with the same messages.
        """


@dataclass(kw_only=True)
class Prepared:
    """Examples that have become arrays, by what was learnt from the training rows.

    Args:
        input: The modality's own part of the `DataSpec`.
        preprocess: What was learnt.
        arrays: The network's inputs [N, ...] of every row that is kept, by name.
        hashes: One number a row, equal for equal examples.
        examples: A few raw training examples, as a user hands them to `predict`.
        notes: What was inferred.
        warnings: What looks wrong.
    """

    input: InputSpec
    preprocess: Preprocess
    arrays: dict[str, Array]
    hashes: Array
    examples: Any
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class SplitRows(Protocol):
    """Which rows have a target, and which of these are training rows; `data.split_dataset.SplitDataset` is one."""

    @property
    def rows(self) -> Array: ...  # noqa: D102  # of the source's rows, int64 [N]
    @property
    def train(self) -> Array: ...  # noqa: D102  # among them
    @property
    def train_targets(self) -> Array | None: ...  # noqa: D102  # None where fitting may not look at them
    @property
    def output(self) -> Json: ...  # noqa: D102  # what a model of these data answers


class Examples(Protocol):
    """Raw examples with their targets; nothing is learned from them yet.

    Attributes:
        target: What the targets are called.
        targets: One cell an example, test examples last, [N].
        roles: The role that the source itself gives each, int8 [N]; see `data.splits`.
        most_classes: Whole numbers with more different values are taken for quantities.
        decimal: The decimal sign of numbers that can be read with either.
        notes: What was found out about the source.
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
        """What the split goes by, of the rows that are kept: `groups` or `times`, each [len(kept)], or nothing."""

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Learn the preprocessing from the training rows, and make arrays of all."""


class Augment(Protocol):
    """Changes training rows at random, a batch at a time."""

    def __call__(self, inputs: dict[str, Tensor], chance: Any) -> tuple[dict[str, Tensor], Tensor | None, float]:
        """Changed rows; the rows that each is mixed with, [N], or None; and its own share of the mixture.

        Args:
            inputs: By the network's input names; they are not written to.
            chance: A torch.Generator, where chance comes from.
        """


class Modality(Protocol):
    """A kind of data.

    Attributes:
        name: `"image"`.
        extra: The pip extra that it needs; empty if none.
        Options: Its options of `fit`, with those of all modalities.
        Input: Its part of a `DataSpec`.
        Augmentation: Its part of a `TrainPlan`; None where rows are never changed.
        usage: How models of it are used.
        preprocess_modules: The modules that a bundle ships, in the order of their imports; they need NumPy alone.
        preprocess_class: The class among them that `load_preprocess` reads.
        family: The network family that is searched where none is named.
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

    def recognize(self, source: Any) -> Claim | None:
        """Whether a source is of this kind; the source exists and is not opened for long."""

    def examples(
        self, source: Any, test: Any, folder: Path, options: Any, progress: Progress | None
    ) -> AbstractContextManager[Examples]:
        """Open a source, and a test source that is kept apart, for as long as they are read.

        Args:
            source: What the user gave.
            test: Test data of the same kind; None if there is none.
            folder: Exists and is empty; large arrays may lie there meanwhile.
            options: Of the type `Options`.
            progress: Called with how many of how many examples are read.

        Raises:
            DataError: The data cannot be used as they are.
            ConfigError: An option does not fit the source.
        """

    def augment(self, plan: TrainPlan, spec: DataSpec) -> Augment | None:
        """What changes training rows, as a plan has it."""

    def entry(self, spec: DataSpec) -> nn.Module:
        """What makes one float32 tensor [N, *spec.input_shape] of the stored rows, for a user's own network."""

    def call(self, examples: Sequence[Any]) -> Any:
        """Several raw examples as one call of `predict` takes them."""

    def describe(self, spec: DataSpec) -> str:
        """What the data are, for people: `"images of 28 x 28, grey"`."""

    def row(self, spec: DataSpec) -> str:
        """What one example is, for people: `"a picture of 28 x 28 pixels in grey"`."""

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """What MLflow shows of the data, beside their rows."""

    def schema(self, spec: DataSpec) -> list[tuple[str, str]]:
        """Name and type of each column, as MLflow's page shows them."""

    def columns(self, spec: DataSpec) -> tuple[ColumnPreview, ...]:
        """The columns that are learnt from, where there are such."""

    def thumbnail(self, inputs: Mapping[str, Array]) -> str:
        """One stored row as a PNG in base64; empty where there is nothing to see."""

    def original(self, preprocess: Preprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
        """Stored rows in the units of their source, one mapping a row; empty mappings where `thumbnail` shows them."""


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

"""Batches for training: whole slices of tensors, no per-example work and no loader processes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor

from lepton_automl.modality import modality_of
from lepton_automl.plans import SEEDS, TrainPlan
from lepton_automl.specs import DataSpec

from .open import Split

SCORING_BYTES = 16 << 20  # of the inputs of one batch for scoring
SCORING_ROWS = 2048


class Batch(NamedTuple):
    """A batch of rows.

    Args:
        inputs: Tensors by the network's input names.
        targets: [N].
        other: Targets [N] of the rows that these are mixed with; None without mixing.
        share: Share of the row itself in the mixture.
        weights: The weight of each row in the loss, [N]; None if all count alike.
        teacher: A teacher's outputs for these rows, [N, K]; None without a teacher.
        other_teacher: Its outputs for the rows that these are mixed with; None without mixing.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    other: Tensor | None = None
    share: float = 1.0
    weights: Tensor | None = None
    teacher: Tensor | None = None
    other_teacher: Tensor | None = None


class Rows(Protocol):
    """The rows that a network is trained on, such as a `Data`."""

    @property
    def spec(self) -> DataSpec: ...  # noqa: D102  # as in a `Data`
    @property
    def train(self) -> Split: ...  # noqa: D102  # likewise
    @property
    def validation(self) -> Split: ...  # noqa: D102  # likewise


def epoch_order(rows: int, seed: int, epoch: int) -> Tensor:
    """The order of the training rows: a function of seed and epoch alone."""
    return torch.randperm(rows, generator=_generator(seed, epoch, stream=0))


def _generator(seed: int, epoch: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(((seed * 1_000_003 + epoch) * 2 + stream) % SEEDS)


class Chunks:
    """One epoch's batches, several at a time, so that the Trainer's overhead is paid per chunk and not per batch.

    Args:
        module: The module with the training rows and the epoch.
    """

    def __init__(self, module: DataModule) -> None:
        self.module = module

    def __len__(self) -> int:
        return math.ceil(self.module.batches / self.module.chunk)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = self.module.epoch_batches()
        for _ in range(len(self)):
            yield list(itertools.islice(batches, self.module.chunk))


class DataModule(pl.LightningDataModule):
    """The rows of a `Data` in the form that Lightning takes: each item of a loader is a list of batches.

    Args:
        data: The rows, such as a `Data`.
        plan: Batch size, augmentation and seed.
        chunk: Batches in one item.
    """

    def __init__(self, data: Rows, plan: TrainPlan, chunk: int = 16) -> None:
        super().__init__()
        self.data, self.plan, self.chunk, self.epoch = data, plan, chunk, 0
        self.augment = modality_of(data.spec).augment(plan, data.spec) if plan.augment is not None else None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order and the augmentation of the next pass."""
        self.epoch = epoch

    @property
    def batch_size(self) -> int:
        """Rows in one training batch."""
        return min(self.plan.batch_size, len(self.data.train))

    @property
    def batches(self) -> int:
        """Batches in one epoch; an incomplete last batch is left out unless it is the only one."""
        return max(1, len(self.data.train) // self.batch_size)

    def train_dataloader(self) -> Chunks:
        """Chunks of training batches, in the order of the epoch that is set when iteration starts."""
        return Chunks(self)

    def val_dataloader(self) -> list[list[Batch]]:
        """Chunks of large validation batches, in order."""
        return self._in_order(self.data.validation)

    def epoch_batches(self) -> Iterator[Batch]:
        """The batches of one epoch."""
        order = epoch_order(len(self.data.train), self.plan.seed, self.epoch)
        generator = _generator(self.plan.seed, self.epoch, stream=1)
        for number in range(self.batches):
            rows = self.data.train.rows(order[number * self.batch_size : (number + 1) * self.batch_size])
            yield self._augmented(rows, generator)

    def _augmented(self, rows: Split, generator: torch.Generator) -> Batch:
        if self.augment is None:
            return Batch(rows.inputs, rows.targets, weights=rows.weights, teacher=rows.teacher)
        inputs, partner, share = self.augment(rows.inputs, generator)
        other = None if partner is None else rows.targets[partner]
        other_teacher = None if partner is None or rows.teacher is None else rows.teacher[partner]
        return Batch(inputs, rows.targets, other, share, rows.weights, rows.teacher, other_teacher)

    def _in_order(self, split: Split) -> list[list[Batch]]:
        size = max(1, sum(part[:1].nbytes for part in split.inputs.values()))
        step = max(1, min(SCORING_ROWS, SCORING_BYTES // size))
        starts = range(0, len(split), step)
        batches = [
            Batch(rows.inputs, rows.targets, weights=rows.weights)
            for rows in (split.rows(slice(at, at + step)) for at in starts)
        ]
        return [batches[at : at + self.chunk] for at in range(0, len(batches), self.chunk)]

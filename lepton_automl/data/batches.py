"""Training batches one by one, for a plain Trainer or a loop of one's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from lepton_automl.plans import TrainPlan

from .datamodule import Batch, DataModule, Rows


class Batches:
    """The training batches of an epoch, in the order and with the augmentation that a study trains with.

    Args:
        data: The rows, such as a `Data`.
        plan: Batch size, augmentation and seed.
    """

    def __init__(self, data: Rows, plan: TrainPlan) -> None:
        self._module = DataModule(data, plan)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, from 0, which determines the order and the augmentation of the next pass."""
        self._module.set_epoch(epoch)

    def __len__(self) -> int:
        return self._module.batches

    def __iter__(self) -> Iterator[Batch]:
        return self._module.epoch_batches()

    def first(self, count: int) -> list[Batch]:
        """The first batches of the epoch, at most `count`."""
        return list(itertools.islice(self, count))

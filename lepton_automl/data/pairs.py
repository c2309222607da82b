"""Batches as Lightning users know them: `(inputs, targets)`, one per step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from lepton_automl.plans import TrainPlan

from .datamodule import Batch, DataModule, Rows

Pair = tuple[Tensor, Tensor]


class PairModule(DataModule):
    """The rows for a user's own module: the same rows in the same order, with the same augmentation.

    Args:
        data: The rows.
        plan: Batch size, augmentation and seed.
        enter: Converts a batch's inputs by name to one tensor [N, ...].
    """

    def __init__(self, data: Rows, plan: TrainPlan, enter: Callable[[dict[str, Tensor]], Tensor]) -> None:
        super().__init__(data, plan, chunk=1)
        self.enter = enter

    def train_dataloader(self) -> Pairs:  # type: ignore[override]  # pairs, not chunks
        """Training pairs, in the order of the epoch that is set when iteration starts."""
        return Pairs(self)

    def val_dataloader(self) -> list[Pair]:  # type: ignore[override]  # likewise
        """Validation pairs in order."""
        return [self.pair(batch) for chunk in super().val_dataloader() for batch in chunk]

    def pair(self, batch: Batch) -> Pair:
        """A batch as `(inputs, targets)`."""
        return self.enter(batch.inputs), batch.targets


class Pairs:
    """One epoch's training pairs.

    Args:
        module: The module with the training rows and the epoch.
    """

    def __init__(self, module: PairModule) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.batches

    def __iter__(self) -> Iterator[Pair]:
        return (self.module.pair(batch) for batch in self.module.epoch_batches())

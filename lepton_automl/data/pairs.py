"""Batches as Lightning users know them: `(inputs, targets)`, one a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from lepton_automl.plans import TrainPlan

from .datamodule import Batch, DataModule, Rows

Pair = tuple[Tensor, Tensor]


class PairModule(DataModule):
    """The rows for a person's own module: the same rows in the same order, with the same augmentation.

    Args:
        data: The rows.
        plan: Batch size, augmentation and seed.
        enter: Makes one tensor [N, ...] of a batch's inputs by name.
    """

    def __init__(self, data: Rows, plan: TrainPlan, enter: Callable[[dict[str, Tensor]], Tensor]) -> None:
        super().__init__(data, plan, chunk=1)
        self.enter = enter

    def train_dataloader(self) -> Pairs:  # type: ignore[override]  # pairs, not chunks
        """Training pairs, in the order of the epoch that is set when the pass begins."""
        return Pairs(self)

    def val_dataloader(self) -> list[Pair]:  # type: ignore[override]  # likewise
        """Validation pairs in order."""
        return [self.pair(batch) for chunk in super().val_dataloader() for batch in chunk]

    def pair(self, batch: Batch) -> Pair:
        """A batch as Lightning users know it."""
        return self.enter(batch.inputs), batch.targets


class Pairs:
    """One epoch's training pairs.

    Args:
        module: Whose training rows and epoch.
    """

    def __init__(self, module: PairModule) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.batches

    def __iter__(self) -> Iterator[Pair]:
        return (self.module.pair(batch) for batch in self.module.epoch_batches())

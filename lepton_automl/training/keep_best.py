"""The epochs of a plain Trainer: scored with the weights that the optimiser averages, and ended with the best of them."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pytorch_lightning as pl
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn

from .averaging import averaged_weights, load_averaged
from .epochs import STATISTICS_BATCHES, seed_epoch
from .loss import Batch


class EpochBatches(Protocol):
    """Batches whose order and augmentation depend on the epoch, such as `data.batches.Batches`."""

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, from 0."""

    def first(self, count: int) -> Sequence[Batch]:
        """The first batches of the epoch."""


class KeepBest(pl.Callback):
    """Scores a network after every epoch, as a study does, and ends the training with the weights of the lowest loss.

    Where the optimiser is schedule-free, its averaged weights are scored and kept, with the normalisation statistics that fit
    them. To load them and go back rounds the weights, and training amplifies that; a study does so only where it scores, and so does
    this. Equal seeds give equal random numbers in each epoch.

    Args:
        network: The network that is trained.
        batches: The training batches.
        score: Returns the scores of the network, `val_loss` among them; None to score nothing and keep the last epoch.
        seed: The seed of an epoch's random numbers, such as those of dropout.
        first: Epochs that are done already.
    """

    def __init__(
        self,
        network: nn.Module,
        batches: EpochBatches,
        score: Callable[[], Mapping[str, float]] | None,
        *,
        seed: int = 0,
        first: int = 0,
    ) -> None:
        self.network, self.batches, self.score = network, batches, score
        self.seed, self.first = seed, first
        self.lowest = math.inf
        self.best: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Let schedulers that monitor a score wait where nothing is scored, as before pruning."""
        for scheduler in trainer.lr_scheduler_configs:
            scheduler.strict = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed the epoch, and train the optimiser's own weights."""
        epoch = self.first + trainer.current_epoch
        self.batches.set_epoch(epoch)
        seed_epoch(self.seed, epoch, pl_module.device)
        for optimizer in _schedule_free(trainer):
            optimizer.train()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score the network, and print the scores."""
        scores = self._scored(trainer) if self.score is not None else {}
        pl_module.log_dict(dict(scores))
        shown = ", ".join(f"{name} {score:.4f}" for name, score in list(scores.items())[:3])
        print(f"epoch {self.first + trainer.current_epoch + 1}: {shown or 'not scored'}")  # noqa: T201  # what its user watches

    def _scored(self, trainer: pl.Trainer) -> Mapping[str, float]:
        """The scores of the averaged weights, which are kept if their loss is the lowest so far."""
        assert self.score is not None
        with contextlib.ExitStack() as averaged:
            for optimizer in _schedule_free(trainer):
                averaged.enter_context(averaged_weights(self.network, optimizer, self.batches.first(STATISTICS_BATCHES)))
            scores = self.score()
            if scores["val_loss"] < self.lowest:
                self.lowest = scores["val_loss"]
                self.best = {name: copy.deepcopy(state) for name, state in self.network.state_dict().items()}
        return scores

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Load the best weights, or the last ones if nothing was scored."""
        for optimizer in _schedule_free(trainer):
            if self.best:
                optimizer.eval()
            else:
                load_averaged(self.network, optimizer, self.batches.first(STATISTICS_BATCHES))
        if self.best:
            self.network.load_state_dict(self.best)


def _schedule_free(trainer: pl.Trainer) -> list[Any]:
    return [optimizer for optimizer in trainer.optimizers if isinstance(optimizer, AdamWScheduleFree)]

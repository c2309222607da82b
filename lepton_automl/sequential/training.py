"""Training of a sequential network, with this package's training core."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lepton_automl.data.datamodule import Batch, DataModule
from lepton_automl.data.labelled import labelled
from lepton_automl.data.number_task import scale_of
from lepton_automl.jobs import CONTINUE, Decision
from lepton_automl.models.plain import Plain
from lepton_automl.models.sequential import RowsNet
from lepton_automl.plans import TrainPlan
from lepton_automl.training.diverged import Diverged
from lepton_automl.training.fit import fit
from lepton_automl.training.optimizers import optimizer_named

from .compiled import ACCURACY, SQUARED, Compiled, loss_of, right
from .history import History
from .scoring import Pairs, outputs_of, scores_of

UNCLIPPED = 1e9  # a norm of the gradient that no step reaches


class CountedLoss(nn.Module):
    """A loss that also counts how many classes were right since the last reset.

    Args:
        name: The loss.
        counts: Whether it counts.
    """

    def __init__(self, name: str, *, counts: bool) -> None:
        super().__init__()
        self.name, self.counts = name, counts
        self.reset()

    def reset(self) -> None:
        """Count anew."""
        self.right, self.rows = torch.zeros(()), 0

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of a batch."""
        if self.counts:
            self.right = self.right + right(outputs.detach(), batch.targets)
            self.rows += len(batch.targets)
        return loss_of(self.name, outputs, batch.targets)


@dataclass(frozen=True, kw_only=True)
class Training:
    """One call of `fit`.

    Args:
        net: The network.
        compiled: Optimiser, loss and metrics.
        train: The training rows and their targets.
        validation: The rows that are scored after each epoch; None for none.
        batch_size: Rows in one step.
        epochs: Passes over the training rows.
        done: Epochs of earlier calls, so that the order of the rows is another one.
        seed: The seed of everything random.
        report: Called after each epoch with its number, its values and its seconds.
    """

    net: RowsNet
    compiled: Compiled
    train: Pairs
    validation: Pairs | None
    batch_size: int
    epochs: int
    done: int
    seed: int
    report: Callable[[int, dict[str, float], float], None]

    def run(self) -> History:
        """Train the network in place; it ends with the weights of the last epoch.

        Raises:
            Diverged: The loss is not finite; the network has the weights from before.
        """
        compiled, history = self.compiled, History()
        splits = labelled(self.train, (self.train[0][:0], self.train[1][:0]), outputs_of(self.net, self.train[0][:1]).shape[1])
        plan = TrainPlan(
            epochs=self.done + self.epochs,
            batch_size=self.batch_size,
            lr=compiled.rate,
            clip=UNCLIPPED,
            precision="32",
            seed=self.seed,
        )
        batches = DataModule(splits, plan)
        steps = self.epochs * batches.batches if compiled.schedule == "linear" else 0
        before = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        loss = CountedLoss(compiled.loss, counts=ACCURACY in compiled.metrics)
        scale = scale_of(splits.spec.output)[1] if compiled.answer == "number" else 1.0  # training sees standardised values
        unit = scale**2 if compiled.loss == SQUARED else scale
        started = time.perf_counter()

        def on_epoch(epoch: int, values: dict[str, float]) -> Decision:
            nonlocal started
            seconds = time.perf_counter() - started
            found = {"loss": values["train_loss"] * unit}
            if loss.counts:
                found[ACCURACY] = float(loss.right) / max(1, loss.rows)
            if self.validation is not None:
                scored = scores_of(self.net, self.validation, compiled)
                found |= {f"val_{name}": value for name, value in scored.items()}
            history.add(found, seconds)
            self.report(epoch - self.done, found, seconds)
            loss.reset()
            self.net.train()
            started = time.perf_counter()
            return CONTINUE

        try:
            fit(
                Plain(self.net, splits.spec),
                batches,
                plan,
                spec=splits.spec,
                first_epoch=self.done,
                on_epoch=on_epoch,
                score=False,
                loss=loss,
                optimizer=optimizer_named(compiled.optimizer, compiled.learning_rate, steps=steps),
            )
        except Diverged as error:
            self.net.cpu().load_state_dict(before)
            fix = f"Lower the learning rate (it is {compiled.rate:g}): compile(..., learning_rate={compiled.rate / 10:g})."
            raise Diverged(error.what, where=error.where, fix=fix) from None
        finally:
            self.net.cpu().eval()
        return history

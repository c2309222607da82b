"""Fine-tune a pruned network, with this package's training or with the module's own steps."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from lepton_automl.data.datamodule import DataModule, epoch_order
from lepton_automl.data.labelled import ROWS, LabelledSplits
from lepton_automl.data.open import Split
from lepton_automl.data.pairs import PairModule
from lepton_automl.jobs import CONTINUE, Decision
from lepton_automl.models.plain import Plain
from lepton_automl.plans import TrainPlan
from lepton_automl.training.averaging import batch_norms, refresh_batch_norms
from lepton_automl.training.custom import fit_custom, without_trainer
from lepton_automl.training.distill import Distillation, DistillationLoss
from lepton_automl.training.epochs import STATISTICS_BATCHES, OnEpoch, predict_rows
from lepton_automl.training.fit import fit
from lepton_automl.training.loss import Loss
from lepton_automl.training.scores import in_target_unit, scores
from lepton_automl.training.sensitivity import sensitivity

from .copies import detach_computed

FEW = 16  # rows per batch when the sensitivity is computed


def usual_rate(model: nn.Module) -> float:
    """A learning rate for schedule-free AdamW.

    On Fashion-MNIST, networks with batch normalisation recovered best with 2e-2 to 3e-2, a vision transformer with 3e-3;
    with 3e-2 the transformer lost more than a point.
    """
    return 2e-2 if batch_norms(model) else 5e-3


class RecoveryTrainer:
    """Fine-tunes and scores networks.

    Args:
        rows: The rows.
        plan: Seed, batch size and learning rate.
        own_steps: Whether to train a LightningModule with its own steps and optimisers.
        distill: Whether to distill from the parent after `record_parent`.
    """

    def __init__(self, rows: LabelledSplits, plan: TrainPlan, *, own_steps: bool, distill: bool) -> None:
        self.rows, self.plan, self.own_steps, self.distill = rows, plan, own_steps, distill
        self.loss: nn.Module = Loss(rows.spec, plan, ensemble=False)

    def sample(self, count: int) -> Tensor:
        """`count` random training rows, as the data may be sorted by class."""
        return self._random_rows(count).inputs[ROWS]

    def _random_rows(self, count: int) -> Split:
        return self.rows.train.rows(epoch_order(len(self.rows.train), self.plan.seed, 0)[:count])

    def record_parent(self, parent: nn.Module) -> None:
        """Store the parent's outputs for all training rows as distillation targets."""
        if not self.distill or self.own_steps:
            return
        wrapped = Plain(parent, self.rows.spec).eval()
        with torch.no_grad():
            outputs = torch.cat([wrapped(rows) for rows in torch.split(self.rows.train.inputs[ROWS], 512)])
        self.rows = replace(self.rows, train=replace(self.rows.train, teacher=outputs))
        loss = Loss(self.rows.spec, self.plan, ensemble=False)
        self.loss = DistillationLoss(loss, spec=self.rows.spec, distillation=Distillation())

    def recover(self, model: nn.Module, epochs: int, progress: Callable[[int], None]) -> None:
        """Train in place; with 0 epochs only the normalisation statistics are recomputed."""
        plan = self.plan.replace(epochs=epochs)
        wrapped = Plain(model, self.rows.spec)

        def on_epoch(epoch: int, epoch_scores: dict[str, float]) -> Decision:
            del epoch_scores
            progress(epoch)
            return CONTINUE

        if not epochs:
            refresh_batch_norms(
                wrapped, list(itertools.islice(DataModule(self.rows, plan).epoch_batches(), STATISTICS_BATCHES))
            )
        elif self.own_steps:
            self._train_with_own_steps(wrapped, plan, on_epoch)
        else:
            # No epoch is chosen by score: the validation rows only report the result.
            fit(wrapped, DataModule(self.rows, plan), plan, spec=self.rows.spec, on_epoch=on_epoch, score=False, loss=self.loss)
        detach_computed(model)
        model.eval()

    def _train_with_own_steps(self, wrapped: Plain, plan: TrainPlan, on_epoch: OnEpoch) -> None:
        """Train with the module's own steps and optimisers."""
        with tempfile.TemporaryDirectory() as folder, without_trainer(wrapped.module):
            fit_custom(
                wrapped.module,
                PairModule(self.rows, plan, lambda inputs: inputs[ROWS]),
                plan,
                spec=self.rows.spec,
                first_epoch=0,
                last_epoch=plan.epochs,
                on_epoch=on_epoch,
                wait=lambda: None,
                score=False,
                folder=folder,
            )

    def sensitivity(self, model: nn.Module, count: int) -> dict[str, Tensor]:
        """The sensitivity of the task's loss to each weight, by name."""
        subset = LabelledSplits(self.rows.spec, self._random_rows(count), self._random_rows(0))
        batches = DataModule(subset, self.plan.replace(batch_size=FEW)).epoch_batches()
        sensitivities = sensitivity(Plain(model, self.rows.spec), batches, Loss(self.rows.spec, self.plan, ensemble=False))
        return {name.removeprefix("module."): tensor for name, tensor in sensitivities.items()}

    def score(self, model: nn.Module) -> dict[str, float]:
        """Scores on the validation rows."""
        spec, feed = self.rows.spec, DataModule(self.rows, self.plan)
        answers, targets = predict_rows(Plain(model, spec).eval(), feed.val_dataloader(), torch.device("cpu"), spec)
        return scores(in_target_unit(answers, spec), in_target_unit(targets, spec), spec)

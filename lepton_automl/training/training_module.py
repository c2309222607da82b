"""The steps of training: a LightningModule with manual optimisation and a chunk of batches per call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec

from .averaging import adamw
from .diverged import check_divergence
from .joined import JoinedAdamW
from .loss import Batch, Loss
from .optimizers import MakeOptimizer


class TrainingModule(pl.LightningModule):
    """Runs the steps of a plan. One call takes a chunk of batches, as Lightning's overhead per call is about half a small step.

    Attributes:
        optimizer: The optimiser.
        averaging: The optimiser, if it keeps averaged weights.

    Args:
        model: The network, trained in place.
        plan: The training plan.
        spec: The task.
        steps: Steps of one epoch.
        first_epoch: The epoch of the plan that this fit starts at.
        wait: Called before every step.
        loss: The loss to minimise, called as `loss(outputs, batch)`; by default the task's own.
        optimizer: Makes the optimiser of the trainable weights; by default schedule-free AdamW, with the plan's settings.
    """

    optimizer: Optimizer
    averaging: JoinedAdamW | None = None

    def __init__(
        self,
        model: nn.Module,
        plan: TrainPlan,
        spec: DataSpec,
        *,
        steps: int,
        first_epoch: int,
        wait: Callable[[], None],
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.loss = model, loss or Loss(spec, plan, ensemble=bool(getattr(model, "ensemble", False)))
        self.plan, self.spec, self.wait, self.make_optimizer = plan, spec, wait, optimizer
        self.steps, self.step = steps, first_epoch * steps

    def configure_optimizers(self) -> Optimizer:
        """Create the optimiser; called once per fit."""
        if self.make_optimizer is not None:
            self.optimizer = self.make_optimizer(weight for weight in self.model.parameters() if weight.requires_grad)
            return self.optimizer
        self.averaging = adamw(self.model, self.plan, self.steps)
        self.averaging.train()
        self.optimizer = self.averaging
        return self.optimizer

    def on_fit_start(self) -> None:
        """Prepare the fit, now that the model is on its device."""
        own = [weight for weight in self.model.parameters() if weight.requires_grad]
        limit = self.plan.clip
        self.clip: Callable[[], Tensor] = (
            (lambda: clip_grad_norm_(own, limit)) if self.averaging is None else partial(self.averaging.clip, limit)
        )
        # The strategy's `backward` averages gradients over several processes; it costs 0.2 ms per step, so a single process calls
        # torch's own.
        single = type(self.trainer.strategy) is SingleDeviceStrategy
        self.backward_loss: Callable[[Tensor], object] = torch.autograd.backward if single else self.manual_backward
        self.mixed = self.plan.precision == "bf16" and self.device.type == "cuda"
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Reset the mean loss."""
        self.total, self.counted = torch.zeros((), device=self.device), 0
        self.norm = torch.zeros((), device=self.device)

    @property
    def train_loss(self) -> float:
        """Mean loss of the epoch's steps so far."""
        return self.total.item() / max(1, self.counted)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch to the device as Lightning does; on a CPU there is nothing to move."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def training_step(self, chunk: Sequence[Batch]) -> None:
        """One optimiser step for each batch of a chunk."""
        for batch in chunk:
            self.wait()
            self._step(batch)
        step_name = f"epoch {(self.step - 1) // self.steps + 1}, step {self.step}"
        check_divergence(self.train_loss, self.norm.item(), spec=self.spec, plan=self.plan, place=step_name)

    def _step(self, batch: Batch) -> None:
        # One cast of the weights per step: Lightning's would last a chunk, and all its steps would use the first step's weights.
        with torch.autocast("cuda", torch.bfloat16) if self.mixed else nullcontext():
            loss: Tensor = self.loss(self.model(**batch.inputs), batch)
        self.backward_loss(loss)
        self.norm = self.clip()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.total += loss.detach()
        self.counted += 1
        self.step += 1

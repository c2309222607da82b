"""The epochs of training: seeds, validation on averaged weights, reports, early stopping."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lepton_automl.jobs import Decision
from lepton_automl.plans import SEEDS, TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .averaging import averaged_weights, load_averaged
from .loss import Batch
from .scores import in_target_unit, scores
from .snapshot import Snapshot, restore_snapshot, take_snapshot
from .training_module import TrainingModule

STATISTICS_BATCHES = 8  # batches that normalisation statistics are computed from

OnEpoch = Callable[[int, dict[str, float]], Decision]
OfferSnapshot = Callable[[Callable[[], Snapshot]], None]


class BatchSource(Protocol):
    """The interface of the data module that training uses.

    Attributes:
        batches: Training batches of one epoch.
    """

    @property
    def batches(self) -> int: ...  # noqa: D102  # documented above

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order and augmentation of the rows."""

    def train_dataloader(self) -> Iterable[Sequence[Batch]]:
        """An epoch's batches in chunks."""

    def val_dataloader(self) -> Iterable[Sequence[Batch]]:
        """The validation rows in order, also in chunks of batches."""


class Epochs(pl.Callback):
    """The callback that seeds, scores and reports each epoch.

    Args:
        feed: The data; `set_epoch` is called before each epoch.
        plan: The seed, and the number of epochs.
        spec: The task.
        first_epoch: The epoch of the plan that this fit starts at.
        on_epoch: Called with the scores after each epoch; its decision may end the fit.
        score: Whether validation scores are computed.
        start: A snapshot to continue from; None to start without one.
        keep: Called after each epoch, with a function that takes a snapshot.
    """

    def __init__(
        self,
        feed: BatchSource,
        plan: TrainPlan,
        spec: DataSpec,
        *,
        first_epoch: int,
        on_epoch: OnEpoch,
        score: bool,
        start: Snapshot | None = None,
        keep: OfferSnapshot = lambda _: None,
    ) -> None:
        self.feed, self.plan, self.spec = feed, plan, spec
        self.epoch, self.on_epoch, self.score = first_epoch, on_epoch, score
        self.start, self.keep = start, keep
        self.stopped: Decision | None = None
        self.min_loss = math.inf
        self.best: dict[str, Tensor] | None = None
        self.scores: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Restore the snapshot, now that there is an optimiser and the model is on its device."""
        if self.start is not None:
            assert isinstance(pl_module, TrainingModule)
            restore_snapshot(self.start, pl_module, self)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Seed the epoch: everything random is a pure function of the plan's seed and the epoch."""
        self.begin(pl_module)
        self.feed.set_epoch(self.epoch)
        seed_epoch(self.plan.seed, self.epoch, pl_module.device)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score, report, and stop if the decision is to stop."""
        self.epoch += 1
        self.scores = (self.validate(pl_module) if self.score else {}) | self.losses(pl_module)
        decision = self.on_epoch(self.epoch, self.scores)
        if decision.stop:
            self.stopped = decision
            trainer.should_stop = True
        self.keep(lambda: self._snapshot(pl_module))  # also of a stopped trial: it may be resumed

    def _snapshot(self, task: pl.LightningModule) -> Snapshot:
        assert isinstance(task, TrainingModule)
        return take_snapshot(task, self)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Load the weights with the best score, or the last ones if nothing was scored; averaged ones if there are such."""
        assert isinstance(pl_module, TrainingModule)
        averaging = pl_module.averaging
        if self.best is not None:
            if averaging is not None:
                averaging.eval()
            pl_module.model.load_state_dict(self.best)
        elif averaging is not None:
            load_averaged(pl_module.model, averaging, self._some_batches())
        if averaging is not None:
            averaging.separate()

    def begin(self, task: pl.LightningModule) -> None:
        """Called at the start of an epoch."""
        assert isinstance(task, TrainingModule)
        task.begin_epoch()

    def losses(self, task: pl.LightningModule) -> dict[str, float]:
        """The epoch's mean training loss, as `train_loss`."""
        assert isinstance(task, TrainingModule)
        return {"train_loss": task.train_loss}

    def validate(self, task: pl.LightningModule) -> dict[str, float]:
        """Scores of the averaged weights on the validation rows; empty if there are none."""
        assert isinstance(task, TrainingModule)
        chunks = list(self.feed.val_dataloader())
        if not chunks:
            return {}
        averaging = task.averaging
        with nullcontext() if averaging is None else averaged_weights(task.model, averaging, self._some_batches()):
            answers, targets = predict_rows(task.model, chunks, task.device, self.spec)
            return self.score_answers(task.model, answers, targets, row_weights(chunks))

    def score_answers(
        self, model: nn.Module, answers: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> dict[str, float]:
        """Scores of a model's answers for rows of some weights; the model is stored if its validation loss is the lowest so far."""
        values = scores(in_target_unit(answers, self.spec), in_target_unit(targets, self.spec), self.spec, weights=weights)
        loss = task_of(self.spec).validation_loss(values, self.spec.output)
        if loss < self.min_loss:  # a network overfits a small table long before the last epoch
            self.min_loss = loss
            self.best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return values

    def _some_batches(self) -> list[Batch]:
        """A few training batches of the epoch, for normalisation statistics."""
        return list(itertools.islice(itertools.chain.from_iterable(self.feed.train_dataloader()), STATISTICS_BATCHES))


def seed_epoch(seed: int, epoch: int, device: torch.device) -> None:
    """Seed what is random in an epoch, such as dropout.

    Args:
        seed: The plan's seed.
        epoch: Epochs of the plan that are done.
        device: Where the network is; torch.manual_seed would record the stack for a GPU that is never used, which takes 1 ms.
    """
    seed = (seed * 1_000_003 + epoch) % SEEDS
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def row_weights(chunks: Iterable[Sequence[Batch]]) -> Tensor | None:
    """The weights of all rows, [N]; None if they count alike."""
    weights = [batch.weights.cpu() for batch in itertools.chain.from_iterable(chunks) if batch.weights is not None]
    return torch.cat(weights) if weights else None


def predict_rows(
    model: nn.Module, chunks: Iterable[Sequence[Batch]], device: torch.device, spec: DataSpec
) -> tuple[Tensor, Tensor]:
    """A network's predictions for all rows, in evaluation mode, with the targets; the model's mode is restored.

    Args:
        model: The network; its outputs have an axis of members if its `ensemble` is true.
        chunks: The rows.
        device: The model's device.
        spec: The task, which defines the answers; they have the unit of the stored targets.

    Returns:
        Probabilities [N, K] or standardised values [N], and targets [N], on the CPU.
    """
    answers, targets = [], []
    to_answers = task_of(spec).answers(spec.output, members=bool(getattr(model, "ensemble", False)), unit=False)
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    with torch.inference_mode():
        for batch in itertools.chain.from_iterable(chunks):
            inputs = {name: rows.to(device) for name, rows in batch.inputs.items()}
            answers.append(to_answers(model(**inputs)).cpu())
            targets.append(batch.targets.cpu())
    for part, training in modes:
        part.training = training
    return torch.cat(answers), torch.cat(targets)

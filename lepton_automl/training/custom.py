"""Train a custom LightningModule as its author expects: with its steps, its optimisers and a plain Trainer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lepton_automl.errors import Complaints, in_one_line
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .diverged import Diverged
from .epochs import BatchSource, Epochs, OnEpoch
from .fit import FitResult, run_trainer

Pair = tuple[Tensor, Tensor]


def fit_custom(
    module: nn.Module,
    datamodule: pl.LightningDataModule,
    plan: TrainPlan,
    *,
    spec: DataSpec,
    first_epoch: int,
    last_epoch: int,
    on_epoch: OnEpoch,
    wait: Callable[[], None],
    score: bool,
    folder: str,
) -> FitResult:
    """Train a custom module in place on epochs [first_epoch, last_epoch) of a plan, as `fit` trains other networks.

    Each fit has its own Trainer: `configure_optimizers` is called again after pruning. Validation computes this package's
    scores; `validation_step` is not called, but `val_loss` and `val_<score>` are logged for schedulers that monitor them.

    Args:
        module: A LightningModule whose `training_step` takes a batch `(inputs, targets)` and its index.
        datamodule: Yields such batches; has `set_epoch` and `batches`.
        plan: Seed and epochs; the module's optimisers are its own.
        spec: The task.
        first_epoch: Epochs of the plan that are already done.
        last_epoch: The epoch of the plan to stop at.
        on_epoch: As for `fit`.
        wait: Called before every step.
        score: Whether validation scores are computed.
        folder: Where the module's own callbacks may write.

    Raises:
        Diverged: The loss is not finite.
    """
    if first_epoch >= last_epoch:
        return FitResult(epochs=0, stopped=None, scores={})
    epochs = CustomEpochs(
        cast("BatchSource", datamodule),
        plan,
        spec,
        first_epoch=first_epoch,
        on_epoch=on_epoch,
        score=score,
        wait=wait,
    )
    return run_trainer(
        cast("pl.LightningModule", module.train()), datamodule, epochs, last_epoch - first_epoch, default_root_dir=folder
    )


class CustomEpochs(Epochs):
    """The epochs of a custom module."""

    def __init__(self, *args: Any, wait: Callable[[], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.answer, self.wait = task_of(self.spec).answers(self.spec.output, members=False, unit=False), wait
        self.total: Tensor | None = None
        self.counted = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Make schedulers non-strict: one that monitors a score must not fail before pruning, when there are no scores yet."""
        for scheduler in trainer.lr_scheduler_configs:
            scheduler.strict = False

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002  # Lightning's signature
        """Wait while another worker measures."""
        self.wait()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002  # Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002  # Lightning's signature
        outputs: Any,
        batch: Any,  # noqa: ARG002  # Lightning's signature
        batch_idx: int,  # noqa: ARG002  # Lightning's signature
    ) -> None:
        """Add up the loss, if the step returns one."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            self.total = loss.detach() if self.total is None else self.total + loss.detach()
            self.counted += 1

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Load the weights with the best score; keep the last ones if nothing was scored."""
        if self.best is not None:
            pl_module.load_state_dict(self.best)

    def begin(self, task: pl.LightningModule) -> None:
        """Reset the mean loss."""
        del task
        self.total, self.counted = None, 0

    def losses(self, task: pl.LightningModule) -> dict[str, float]:
        """The epoch's mean training loss; empty if the steps return none."""
        del task
        if self.total is None:
            return {}
        loss = self.total.item() / self.counted
        if not math.isfinite(loss):
            raise self._diverged(f"the loss of its training_step is {loss}")
        return {"train_loss": loss}

    def _diverged(self, reason: str) -> Diverged:
        fix = "Lower its learning rate, or clip its gradients in configure_gradient_clipping."
        return Diverged(f"training diverged: {reason}", where=f"epoch {self.epoch}", fix=fix)

    def validate(self, task: pl.LightningModule) -> dict[str, float]:
        """Scores of the module; empty if there are no validation rows."""
        pairs = cast("list[Pair]", self.feed.val_dataloader())
        if not pairs:
            return {}
        training = [(module, module.training) for module in task.modules()]
        task.eval()
        with torch.inference_mode():
            answers = torch.cat([self.answer(task(rows.to(task.device))).float().cpu() for rows, _ in pairs])
        for module, mode in training:
            module.training = mode
        if not answers.isfinite().all():
            raise self._diverged("its outputs are not finite numbers")
        scores = self.score_answers(task, answers, torch.cat([targets for _, targets in pairs]))
        loss = task_of(self.spec).validation_loss(scores, self.spec.output)
        task.log_dict({"val_loss": loss, **{f"val_{name}": score for name, score in scores.items()}}, logger=False)
        return scores


def lazy_layer(module: nn.Module) -> str:
    """The first lazy layer, which gets its weights at its first call, by class and path; empty if there is none."""
    lazy = (name for name, weight in module.named_parameters() if is_lazy(weight))
    path = next(lazy, "").rpartition(".")[0]
    layer = module.get_submodule(path)
    return f"{type(layer).__name__} {path!r}".removesuffix(" ''") if any(map(is_lazy, layer.parameters(recurse=False))) else ""


def can_train_itself(module: Any) -> bool:
    """Whether a module has its own training step and optimisers."""
    return isinstance(module, pl.LightningModule) and all(
        is_overridden(step, module) for step in ("training_step", "configure_optimizers")
    )


@contextmanager
def without_trainer(module: Any) -> Iterator[None]:
    """Context in which a LightningModule has no Trainer, which a deep copy would include with all data; restored on exit."""
    trainer = getattr(module, "_trainer", None)
    if isinstance(module, pl.LightningModule):
        module._trainer = None  # noqa: SLF001  # the public setter also changes submodules
    try:
        yield
    finally:
        if isinstance(module, pl.LightningModule):
            module._trainer = trainer  # noqa: SLF001  # likewise


def check_module(module: Any, pair: Pair, spec: DataSpec) -> Complaints:
    """Complaints about everything that prevents a custom module from being trained and can be checked without a training step.

    Args:
        module: What the factory returned.
        pair: Some rows as `forward` takes them, with their targets.
        spec: The task.
    """
    complaints = Complaints("model")
    if not isinstance(module, pl.LightningModule):
        kind = f"{type(module).__module__}.{type(module).__name__}"
        near = any(base.__name__ == "LightningModule" for base in type(module).__mro__)
        fix = "Import it from pytorch_lightning, not from lightning." if near else "Return a pytorch_lightning.LightningModule."
        complaints.add(f"the factory returned a {kind}, not a LightningModule", fix)
        return complaints
    for step in ("training_step", "configure_optimizers"):
        complaints.check(
            is_overridden(step, module), f"{type(module).__name__} has no {step}", f"Define {step} as for any Trainer."
        )
    complaints.check(any(True for _ in module.parameters()), f"{type(module).__name__} has no weights to train")
    if lazy := lazy_layer(module):
        complaints.add(f"{lazy} has no weights before its first call", "Call the module once on rows of zeros in the factory.")
        return complaints
    rows, _ = pair
    wanted, _ = task_of(spec).wanted(spec)
    try:
        with torch.no_grad():
            answers = module.eval()(rows.clone())
    except Exception as error:
        what = f"forward fails on rows {list(rows.shape)}: {in_one_line(error)}"
        complaints.add(
            what, f"It is called with float32 rows [N, {', '.join(map(str, rows.shape[1:]))}] and must return {wanted}."
        )
        return complaints
    shape = list(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
    fits = shape in (
        [len(rows), spec.outputs],
        list(task_of(spec).answers(spec.output, members=False, unit=False)(torch.zeros(len(rows), spec.outputs)).shape),
    )
    complaints.check(
        fits, f"forward returns {shape} for rows {list(rows.shape)}", f"It must return {wanted}; spec.outputs is their number."
    )
    return complaints

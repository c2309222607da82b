"""The cost of a fit compared with the same training loop written by hand, and whether both end with equal weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lepton_automl.jobs import CONTINUE
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.image.spec import ImageInput
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.models.build import build
from lepton_automl.plans import TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.training.fit import fit
from lepton_automl.training.scores import scores

from .report import Figure, Result

CLASSES = 10
CHUNK = 16


class Batch(NamedTuple):
    inputs: dict[str, Tensor]
    targets: Tensor
    other: Tensor | None = None
    share: float = 1.0
    weights: Tensor | None = None


class Synthetic(pl.LightningDataModule):
    """Random rows, gathered by batch: as cheap as possible, so that only training is compared."""

    def __init__(self, inputs: dict[str, Tensor], rows: int, plan: TrainPlan) -> None:
        super().__init__()
        self.inputs, self.rows, self.plan, self.epoch = inputs, rows, plan, 0
        self.targets = torch.randint(CLASSES, (len(next(iter(inputs.values()))),), generator=torch.Generator().manual_seed(1))
        self.batches = math.ceil(rows / plan.batch_size)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_batches(self) -> Iterator[Batch]:
        """The batches of an epoch, for the hand-written loop."""
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.epoch))
        for rows in torch.split(order, self.plan.batch_size):
            yield Batch({name: values[rows] for name, values in self.inputs.items()}, self.targets[rows])

    def __len__(self) -> int:
        return math.ceil(self.batches / CHUNK)

    def __iter__(self) -> Iterator[list[Batch]]:
        each = self.epoch_batches()
        while chunk := [batch for _, batch in zip(range(CHUNK), each, strict=False)]:
            yield chunk

    def train_dataloader(self) -> Synthetic:
        return self

    def val_dataloader(self) -> list[list[Batch]]:
        return [[Batch({name: values[self.rows :] for name, values in self.inputs.items()}, self.targets[self.rows :])]]


def by_room(model: nn.Module, feed: Synthetic, plan: TrainPlan, spec: DataSpec) -> None:
    """The fit of `lepton_automl.training`."""
    fit(model, feed, plan, spec=spec, on_epoch=lambda _epoch, _scores: CONTINUE)


def by_hand(model: nn.Module, feed: Synthetic, plan: TrainPlan, spec: DataSpec) -> None:
    """The same steps, written as in a script."""
    weights = list(model.parameters())
    matrix = {name: weight.ndim > 1 and name.endswith("weight") for name, weight in model.named_parameters()}
    groups = [
        {"params": [weight for name, weight in model.named_parameters() if matrix[name]], "weight_decay": plan.weight_decay},
        {"params": [weight for name, weight in model.named_parameters() if not matrix[name]], "weight_decay": 0.0},
    ]
    warmup = min(plan.warmup, 2 * feed.batches)
    optimizer = AdamWScheduleFree(groups, lr=plan.lr, betas=(0.9, plan.beta2), warmup_steps=warmup)
    optimizer.train()
    answer = task_of(spec).answers(spec.output, members=bool(model.ensemble), unit=False)
    least, best = math.inf, {}
    for epoch in range(plan.epochs):
        torch.manual_seed(plan.seed * 1_000_003 + epoch)
        feed.set_epoch(epoch)
        total = torch.zeros(())
        for batch in feed.epoch_batches():
            outputs, targets = model(**batch.inputs), batch.targets
            if outputs.ndim == 3:
                outputs, targets = outputs.flatten(0, 1), targets.repeat_interleave(outputs.shape[1])
            loss = cross_entropy(outputs, targets, label_smoothing=plan.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            torch.nn.utils.clip_grad_norm_(weights, plan.clip)
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach()
        buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
        optimizer.eval()
        _refresh(model, feed)
        model.eval()
        with torch.inference_mode():
            (validation,) = feed.val_dataloader()
            answers = torch.cat([answer(model(**batch.inputs)) for batch in validation])
            validation_scores = scores(answers, torch.cat([batch.targets for batch in validation]), spec)
        model.train()
        if validation_scores["log_loss"] < least:
            least, best = validation_scores["log_loss"], {name: tensor.clone() for name, tensor in model.state_dict().items()}
        optimizer.train()
        for name, tensor in model.named_buffers():
            tensor.copy_(buffers[name])
    model.load_state_dict(best)


def _refresh(model: nn.Module, feed: Synthetic) -> None:
    """Recompute the batch-norm statistics from the first eight batches of the epoch."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for batch, _ in zip(feed.epoch_batches(), range(8), strict=False):
            model(**batch.inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


# The comparison


class Case(NamedTuple):
    recipe: Recipe
    inputs: dict[str, Tensor]
    rows: int
    epochs: int


def conv() -> Case:
    """A small convolutional network on 28 x 28 images."""
    stages = tuple(Stage(width=w, stride=s, blocks=(Block(kind="residual", mid=w),)) for w, s in ((8, 1), (16, 2), (32, 2)))
    recipe = ConvRecipe(outputs=CLASSES, image=(1, 28, 28), stem=8, stem_stride=2, stages=stages)
    images = torch.randint(256, (1280, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Case(recipe, {"image": images}, 1024, 2)


def mlp() -> Case:
    """A small network for tables, of typical width."""
    recipe = TableRecipe(outputs=CLASSES, numeric=16, width=128, mids=(128, 128), heads=8, dropout=0.1)
    return Case(recipe, {"numeric": torch.randn(5120, 16, generator=torch.Generator().manual_seed(0))}, 4096, 3)


def spec_of(case: Case) -> DataSpec:
    (rows,) = case.inputs.values()
    image = ImageInput(shape=(rows.shape[1], *rows.shape[2:])) if "image" in case.inputs else None
    return DataSpec(
        name="synthetic",
        folder="",
        target="label",
        input=image or TableInput(numeric=rows.shape[1]),
        output=MulticlassOutput(labels=tuple(range(CLASSES))),
        train=case.rows,
        validation=len(rows) - case.rows,
        test=0,
        digest="",
    )


Way = Callable[[nn.Module, Synthetic, TrainPlan, DataSpec], None]


def timed(way: Way, case: Case, plan: TrainPlan) -> tuple[float, Tensor]:
    """CPU seconds of one training, and its final weights."""
    model, feed = build(case.recipe, seed=0), Synthetic(case.inputs, case.rows, plan)
    spec = spec_of(case)
    began = time.process_time()
    way(model, feed, plan, spec)
    seconds = time.process_time() - began
    return seconds, torch.cat([tensor.detach().float().flatten() for tensor in model.state_dict().values()])


def contest(case: Case, plan: TrainPlan, repeats: int) -> tuple[list[float], list[float], bool]:
    """Ratios and differences (seconds) of fit and hand-written loop, in pairs of alternating order; whether weights are equal."""
    ratios, differences, equal = [], [], True
    for number in range(repeats + 1):
        order: list[Way] = [by_room, by_hand] if number % 2 else [by_hand, by_room]
        run = {way: timed(way, case, plan) for way in order}
        equal &= torch.equal(run[by_room][1], run[by_hand][1])
        if number:  # the first pair warms up
            ratios.append(run[by_room][0] / run[by_hand][0])
            differences.append(run[by_room][0] - run[by_hand][0])
    return ratios, differences, equal


def run(repeats: int = 9, threads: int = 1) -> Result:
    """Measure ratios of CPU time for two networks at two batch sizes, and Lightning's fixed costs."""
    torch.set_num_threads(threads)
    figures, all_equal = [], True
    for make in (conv, mlp):
        for batch_size, target in ((128, "<= 1.10"), (32, "<= 1.25")):
            case = make()
            ratios, _, equal = contest(case, TrainPlan(epochs=case.epochs, batch_size=batch_size), repeats)
            figures.append(Figure.of(f"{make.__name__}_{batch_size}", ratios, target=target))
            all_equal &= equal
    figures.append(Figure(name="equal_weights", value=float(all_equal), target="1"))
    tiny = mlp()._replace(rows=32)
    tiny = tiny._replace(inputs={name: values[:64] for name, values in tiny.inputs.items()})
    costs = {epochs: contest(tiny, TrainPlan(epochs=epochs, batch_size=32), repeats)[1] for epochs in (1, 41)}
    figures.append(Figure.of("fit_ms", [1000 * seconds for seconds in costs[1]], unit="ms"))
    per_epoch = [1000 * (long - short) / 40 for long, short in zip(costs[41], costs[1], strict=True)]
    figures.append(Figure.of("epoch_ms", per_epoch, unit="ms"))
    notes = [
        "Ratios: CPU time of fit over that of the hand-written loop, in interleaved pairs.",
        "fit_ms, epoch_ms: extra time of fit compared with the hand-written loop, once and for each epoch.",
    ]
    return Result(figures=figures, notes=notes)

"""Time of augmenting a batch of 64 images, as a share of a training step of the family's usual network, on one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from lepton_automl import families
from lepton_automl.data.datamodule import Batch
from lepton_automl.modalities.image.augment import ImageAugment
from lepton_automl.modalities.image.spec import INPUT, ImageAugmentation, ImageInput
from lepton_automl.models.build import build
from lepton_automl.plans import PrunePlan
from lepton_automl.specs import DataSpec
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.training.averaging import adamw
from lepton_automl.training.loss import Loss

from .report import Figure, Result

ROWS, CLASSES = 64, 10
SHAPES = {"96": (3, 96, 96), "32": (3, 32, 32), "grey": (1, 28, 28)}
ONE: dict[str, dict[str, Any]] = {
    "flip_shift": {"flip": True, "shift": 0.1},
    "crop": {"crop": 0.6, "flip": True},
    "operation": {"operation": 0.5},
    "colour": {"colour": 0.4},
    "blank": {"cutout": 0.3, "erase": 0.3},
    "mixup": {"mixup": 0.4},
    "cutmix": {"cutmix": 1.0},
}
WHOLE = ImageAugmentation(**{name: setting for settings in ONE.values() for name, setting in settings.items()})


def spec_of(shape: tuple[int, int, int]) -> DataSpec:
    """Ten classes of images of one shape."""
    return DataSpec(
        name="noise",
        folder="/nowhere",
        target="label",
        input=ImageInput(shape=shape, pixel_mean=(120.0,) * shape[0], pixel_std=(60.0,) * shape[0]),
        output=MulticlassOutput(labels=tuple(range(CLASSES))),
        train=3000,
        validation=500,
        test=500,
        digest="0",
    )


def training_step(spec: DataSpec, images: Tensor) -> Callable[[], None]:
    """One step of the family's first design, of width 16, as in training."""
    network = build(families.final_recipe(families.space_for(spec).defaults, spec, PrunePlan()), seed=0)
    plan, batch = families.usual_plan(spec), Batch({INPUT: images}, torch.arange(ROWS) % CLASSES)
    loss, optimizer, weights = Loss(spec, plan, ensemble=False), adamw(network, plan, 1), list(network.parameters())
    optimizer.train()
    network.train()

    def step() -> None:
        torch.autograd.backward(loss(network(**batch.inputs), batch))
        clip_grad_norm_(weights, plan.clip)
        optimizer.step()
        optimizer.zero_grad()

    return step


def timed(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of CPU time of each call, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(repeats + 3):
        for name, call in calls.items():
            begin = time.thread_time()
            call()
            if number >= 3:  # the first ones allocate memory
                times[name].append(1e3 * (time.thread_time() - begin))
    return times


def run(repeats: int = 30) -> Result:
    """Time every part of the augmentation and all at once, beside a training step.

    Args:
        repeats: Batches of each.
    """
    torch.set_num_threads(1)
    figures = []
    for name, shape in SHAPES.items():
        spec = spec_of(shape)
        images = torch.randint(0, 256, (ROWS, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        chance = torch.Generator().manual_seed(0)
        plans = {part: ImageAugmentation(**settings) for part, settings in ONE.items()} | {"whole": WHOLE}
        calls: dict[str, Callable[[], object]] = {"step": training_step(spec, images)}
        for part, plan in plans.items():
            calls[part] = partial(ImageAugment(plan, spec), {INPUT: images}, chance)
        times = timed(calls, repeats)
        figures += [Figure.of(f"{part}_{name}", samples, unit="ms") for part, samples in times.items()]
        share = statistics.median(times["whole"]) / statistics.median(times["step"])
        figures.append(Figure(name=f"share_{name}", value=share, target="<= 0.15"))
    return Result(figures=figures, notes=["whole: every kind of augmentation at once; share: of a training step."])

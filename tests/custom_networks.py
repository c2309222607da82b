"""Networks that a user might bring, in a module that workers can import."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class SmallConv(pl.LightningModule):
    def __init__(self, width: int, lr: float, channels: int, outputs: int) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * width * 4, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(nn.functional.adaptive_avg_pool2d(self.body(rows), 2).flatten(1))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, targets = batch
        loss = cross_entropy(self(inputs), targets)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


def make(config, spec) -> SmallConv:
    return SmallConv(config["width"], config["lr"], spec.input_shape[0], spec.outputs)


class Bare(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows


class Unfinished(pl.LightningModule):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(64, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(rows.flatten(1))


class Clumsy(SmallConv):
    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return cross_entropy(self(batch["image"]), batch["label"])


class Baked(SmallConv):
    """A constant has one number per channel, so that the network cannot be pruned."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.register_buffer("gain", torch.ones(2 * given[0], 1, 1))

    def forward(self, rows: Tensor) -> Tensor:
        maps = self.body(rows) * self.gain
        return self.head(nn.functional.adaptive_avg_pool2d(maps, 2).flatten(1))


class Counting(SmallConv):
    """Its forward pass takes one row after the other, which no tracer can follow for any number of them."""

    def forward(self, rows: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(self.body(rows), 2).flatten(1)
        return self.head(torch.stack(list(pooled)))


def make_bare(config, spec) -> Bare:
    return Bare()


def make_unfinished(config, spec) -> Unfinished:
    return Unfinished(3)


def make_clumsy(config, spec) -> Clumsy:
    return Clumsy(config["width"], 0.01, spec.input_shape[0], spec.outputs)


def make_misspelt(config, spec) -> SmallConv:
    return SmallConv(config["widht"], 0.01, spec.input_shape[0], spec.outputs)


def make_baked(config, spec) -> Baked:
    return Baked(config["width"], 0.01, spec.input_shape[0], spec.outputs)


def make_counting(config, spec) -> Counting:
    return Counting(config["width"], 0.01, spec.input_shape[0], spec.outputs)

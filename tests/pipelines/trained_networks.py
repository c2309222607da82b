"""Trained networks as people write them, small."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.last = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, rows: Tensor) -> Tensor:
        return (rows + self.norm2(self.last(self.norm(self.first(rows)).relu()))).relu()


def resnet() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    down = nn.Sequential(nn.Conv2d(16, 32, 1, stride=2, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    blocks = nn.Sequential(Residual(16), Residual(16)), nn.Sequential(Residual(32))
    return nn.Sequential(stem, blocks[0], down, blocks[1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4))


class Inverted(nn.Module):
    def __init__(self, width: int, mid: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, mid, 1, bias=False), nn.BatchNorm2d(mid), nn.ReLU6(),
            nn.Conv2d(mid, mid, 3, padding=1, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.ReLU6(),
            nn.Conv2d(mid, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 8, 1), nn.ReLU(), nn.Conv2d(8, width, 1), nn.Sigmoid()
        )

    def forward(self, rows: Tensor) -> Tensor:
        found = self.body(rows)
        return rows + found * self.squeeze(found)


def mobile() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
    return nn.Sequential(stem, Inverted(16, 48), Inverted(16, 48), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))


def grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1, groups=4), nn.ReLU(),
        nn.Conv2d(32, 24, 3, stride=2, groups=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 4),
    )  # fmt: skip


def group_normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.SiLU(), nn.Conv2d(32, 32, 3, stride=2), nn.GroupNorm(8, 32),
        nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip


class Attention(nn.Module):
    """Hand-written, with one layer for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, rows: Tensor) -> Tensor:
        batch, length, width = rows.shape
        parts = self.qkv(rows).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Encoder(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width), nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows + self.attention(self.norm(rows))
        return rows + self.mlp(self.norm2(rows))


class Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 32, 4, stride=4)
        self.places = nn.Parameter(torch.randn(1, 4, 32) * 0.1)
        self.blocks = nn.ModuleList([Encoder(32, 4) for _ in range(2)])
        self.head = nn.Linear(32, 4)

    def forward(self, rows: Tensor) -> Tensor:
        rows = self.patches(rows).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            rows = block(rows)
        return self.head(rows.mean(1))


class Stock(nn.Module):
    """torch's own attention layer."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(8, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.layer(self.enter(rows.flatten(1, 2))).mean(1))


class Scaled(nn.Module):
    """A bare parameter scales the channels, as in ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, 32, 3, padding=1)
        self.scale = nn.Parameter(torch.rand(32, 1, 1) + 0.5)
        self.depth = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.head = nn.Linear(32, 4)

    def forward(self, rows: Tensor) -> Tensor:
        rows = self.enter(rows)
        return self.head((rows + self.scale * self.depth(rows)).mean((2, 3)))


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 4)
    )


class Joined(nn.Module):
    """Two branches side by side, then flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 16, 3, padding=1, stride=4), nn.Conv2d(1, 24, 5, padding=2, stride=4)
        self.mix, self.head = nn.Conv2d(40, 16, 1), nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> Tensor:
        both = torch.cat([self.left(rows).relu(), self.right(rows).relu()], 1)
        return self.head(self.mix(both).relu().flatten(1))


class Lit(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = resnet()

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Baked(nn.Module):
    """One width is written into the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.baked, self.head = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1), nn.Linear(16, 4)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.baked(self.free(rows).relu()).view(-1, 2, 16, 8, 8).mean((1, 3, 4)))


NETWORKS = {
    "residual": resnet,
    "depthwise, squeeze-excite": mobile,
    "grouped": grouped,
    "group norm": group_normed,
    "attention by hand": Vision,
    "torch's attention": Stock,
    "layer scale": Scaled,
    "mlp": mlp,
    "concatenated": Joined,
    "lightning": Lit,
    "a width baked in": Baked,
}


def trained(make: object, seed: int = 0) -> nn.Module:
    """A network whose weights and statistics all differ, as after training."""
    torch.manual_seed(seed)
    model = make()  # type: ignore[operator]
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.3)
    return model.eval()

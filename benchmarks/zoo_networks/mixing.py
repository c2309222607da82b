"""Convolutional networks that move, split, gate or upsample channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .convolutions import conv_bn, pooled
from .entry import network


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    batch, channels, height, width = x.size()
    x = x.view(batch, groups, channels // groups, height, width)
    return torch.transpose(x, 1, 2).contiguous().view(batch, channels, height, width)


class ShuffleUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce, self.depth, self.expand = (
            conv_bn(width, width, 1, groups=4),
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.Conv2d(width, width, 1, groups=4),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.expand(self.depth(channel_shuffle(self.reduce(x), 4))))


@network("ShuffleNet v1")
def shufflenet() -> nn.Module:
    return nn.Sequential(conv_bn(1, 32), ShuffleUnit(32), nn.AvgPool2d(2), ShuffleUnit(32), conv_bn(32, 48, 1), pooled(48))


class SplitShuffle(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            conv_bn(half, half, 1),
            nn.Conv2d(half, half, 3, 1, 1, groups=half, bias=False),
            nn.BatchNorm2d(half),
            conv_bn(half, half, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        return channel_shuffle(torch.cat((left, self.branch(right)), dim=1), 2)


@network("ShuffleNet v2, channel split")
def shufflenet_v2() -> nn.Module:
    return nn.Sequential(conv_bn(1, 32), SplitShuffle(32), SplitShuffle(32), conv_bn(32, 48, 1), pooled(48))


class Ghost(nn.Module):
    def __init__(self, enter: int, leave: int) -> None:
        super().__init__()
        self.leave = leave
        self.primary = conv_bn(enter, leave // 2, 1)
        self.cheap = conv_bn(leave // 2, leave // 2, 3, groups=leave // 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.primary(x)
        out = torch.cat([first, self.cheap(first)], dim=1)
        return out[:, : self.leave, :, :]


@network("GhostNet")
def ghost() -> nn.Module:
    return nn.Sequential(conv_bn(1, 16), Ghost(16, 32), nn.MaxPool2d(2), Ghost(32, 32), conv_bn(32, 32, 1), pooled(32))


@network("U-Net, transposed convolutions", "large")
class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = conv_bn(1, 16), conv_bn(16, 32), conv_bn(32, 32)
        self.up2, self.merge2 = nn.ConvTranspose2d(32, 32, 2, stride=2), conv_bn(64, 16)
        self.up1, self.merge1 = nn.ConvTranspose2d(16, 16, 2, stride=2), conv_bn(32, 16)
        self.pool, self.last = nn.MaxPool2d(2), nn.Conv2d(16, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.down1(x)
        two = self.down2(self.pool(high))
        three = self.middle(self.pool(two))
        two = self.merge2(torch.cat([self.up2(three), two], 1))
        high = self.merge1(torch.cat([self.up1(two), high], 1))
        return self.last(high).mean(dim=(-2, -1))


@network("U-Net, bilinear upsampling", "large")
class BilinearUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.down, self.up = (
            conv_bn(1, 16),
            conv_bn(16, 32, stride=2),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        )
        self.merge, self.head = conv_bn(48, 24), pooled(24)

    def forward(self, x: Tensor) -> Tensor:
        first = self.enter(x)
        up = self.up(self.down(first))
        gap = first.size()[2] - up.size()[2]
        up = functional.pad(up, [gap // 2, gap - gap // 2, gap // 2, gap - gap // 2])
        return self.head(self.merge(torch.cat([first, up], dim=1)))


@network("feature pyramid", "large")
class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([conv_bn(1, 16), conv_bn(16, 24, stride=2), conv_bn(24, 32, stride=2)])
        self.lateral = nn.ModuleList([nn.Conv2d(width, 16, 1) for width in (16, 24, 32)])
        self.smooth = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1) for _ in range(3)])
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = [layer(features) for layer, features in zip(self.lateral, maps, strict=True)]
        for level in (1, 0):
            maps[level] = maps[level] + functional.interpolate(maps[level + 1], size=maps[level].shape[-2:], mode="nearest")
        parts = [layer(features).amax((2, 3)) for layer, features in zip(self.smooth, maps, strict=True)]
        return self.head(torch.cat(parts, -1))


@network("pixel shuffle")
def pixel_shuffle() -> nn.Module:
    return nn.Sequential(
        conv_bn(1, 16, stride=2), nn.Conv2d(16, 64, 3, padding=1), nn.PixelShuffle(2), nn.ReLU(), conv_bn(16, 24), pooled(24)
    )


@network("space to depth")
class SpaceToDepth(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix, self.head = nn.Conv2d(4, 24, 3, padding=1), conv_bn(96, 32, 1), nn.Linear(32, 10)
        self.unshuffle = nn.PixelUnshuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
        x = self.unshuffle(functional.gelu(self.stem(x)))
        return self.head(functional.adaptive_max_pool2d(self.mix(x), 1).flatten(1))


class BlurPool(nn.Module):
    kernel: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        kernel = line[:, None] * line[None, :]
        self.width = width
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None].repeat(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), self.kernel, stride=2, groups=x.shape[1])


@network("anti-aliased pooling")
def blurred() -> nn.Module:
    return nn.Sequential(conv_bn(1, 16), nn.MaxPool2d(2, stride=1), BlurPool(16), conv_bn(16, 32), BlurPool(32), pooled(32))


class ConvolutionalAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, width))
        self.spatial = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.size(2), x.size(3)
        average = functional.avg_pool2d(x, (height, width), stride=(height, width))
        largest = functional.max_pool2d(x, (height, width), stride=(height, width))
        x = x * torch.sigmoid(self.mlp(average) + self.mlp(largest)).unsqueeze(2).unsqueeze(3).expand_as(x)
        both = torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1)
        return x * torch.sigmoid(self.spatial(both))


@network("channel and spatial attention (CBAM)")
def cbam() -> nn.Module:
    return nn.Sequential(
        conv_bn(1, 16), ConvolutionalAttention(16), conv_bn(16, 32, stride=2), ConvolutionalAttention(32), pooled(32)
    )


class EfficientChannelAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.adaptive_avg_pool2d(x, 1)
        y = self.conv(y.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * y.sigmoid().expand_as(x)


class EfficientBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(width, 2 * width), conv_bn(2 * width, width), EfficientChannelAttention())

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


@network("channel attention by a 1-D convolution (ECA)")
def eca() -> nn.Module:
    return nn.Sequential(conv_bn(1, 16, stride=2), EfficientBlock(16), EfficientBlock(16), pooled(16))


class NonLocal(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2d(width, width // 2, 1) for _ in range(3))
        self.out = nn.Conv2d(width // 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        theta = self.theta(x).view(batch, -1, height * width).permute(0, 2, 1)
        phi, g = self.phi(x).view(batch, -1, height * width), self.g(x).view(batch, -1, height * width).permute(0, 2, 1)
        mixed = torch.bmm(torch.softmax(torch.bmm(theta, phi), dim=-1), g)
        return x + self.out(mixed.permute(0, 2, 1).contiguous().view(batch, -1, height, width))


@network("non-local block")
def non_local() -> nn.Module:
    return nn.Sequential(conv_bn(1, 32, stride=2), NonLocal(32), conv_bn(32, 32), pooled(32))


@network("dilated branches (ASPP)")
class Pooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(1, 16)
        self.branches = nn.ModuleList([nn.Conv2d(16, 8, 3, padding=rate, dilation=rate) for rate in (1, 2, 3)])
        self.image, self.project, self.head = nn.Conv2d(16, 8, 1), conv_bn(32, 16, 1), pooled(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        size = x.shape[-2:]
        whole = functional.interpolate(
            self.image(functional.adaptive_avg_pool2d(x, 1)), size=size, mode="bilinear", align_corners=False
        )
        return self.head(self.project(torch.cat([functional.relu(branch(x)) for branch in self.branches] + [whole], dim=1)))


@network("coordinates as channels (CoordConv)")
class CoordConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rest = nn.Conv2d(3, 16, 3, padding=1), nn.Sequential(nn.ReLU(), conv_bn(16, 24, stride=2), pooled(24))

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        ys = torch.linspace(-1, 1, height, device=x.device).view(1, 1, height, 1).expand(batch, 1, height, width)
        xs = torch.linspace(-1, 1, width, device=x.device).view(1, 1, 1, width).expand(batch, 1, height, width)
        return self.rest(self.conv(torch.cat([x, ys, xs], dim=1)))


class Res2(nn.Module):
    def __init__(self, width: int, scales: int = 4) -> None:
        super().__init__()
        self.each = width // scales
        self.enter, self.leave = conv_bn(width, width, 1), nn.Conv2d(width, width, 1)
        self.convs = nn.ModuleList([nn.Conv2d(self.each, self.each, 3, padding=1) for _ in range(scales - 1)])

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(self.enter(x), self.each, 1)
        outs = [parts[0]]
        last = torch.zeros_like(parts[0])
        for conv, part in zip(self.convs, parts[1:], strict=True):
            last = functional.relu(conv(part + last))
            outs.append(last)
        return functional.relu(x + self.leave(torch.cat(outs, 1)))


@network("Res2Net, parts one after another")
def res2net() -> nn.Module:
    return nn.Sequential(conv_bn(1, 32, stride=2), Res2(32), conv_bn(32, 32), pooled(32))


@network("selective kernels")
class SelectiveKernel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.small, self.large = conv_bn(1, 16), conv_bn(16, 24), conv_bn(16, 24, 5)
        self.reduce, self.choose, self.head = nn.Linear(24, 8), nn.ModuleList([nn.Linear(8, 24) for _ in range(2)]), pooled(24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        features = torch.stack([self.small(x), self.large(x)], dim=1)
        vector = self.reduce(features.sum(dim=1).mean(-1).mean(-1))
        weights = torch.stack([choose(vector) for choose in self.choose], dim=1).softmax(dim=1)
        return self.head((features * weights[..., None, None]).sum(dim=1))


class PartialConv(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.part = width // 4
        self.conv, self.mlp = (
            nn.Conv2d(self.part, self.part, 3, padding=1, bias=False),
            nn.Sequential(conv_bn(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        first, rest = torch.split(x, [self.part, x.size(1) - self.part], dim=1)
        return shortcut + self.mlp(torch.cat((self.conv(first), rest), 1))


@network("partial convolutions (FasterNet)")
def fasternet() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 32, 2, 2), nn.BatchNorm2d(32), PartialConv(32), PartialConv(32), pooled(32))


@network("two resolutions (HRNet)", "large")
class TwoResolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.high, self.low = conv_bn(1, 16), conv_bn(16, 32, stride=2)
        self.down, self.up = conv_bn(16, 32, stride=2), nn.Sequential(conv_bn(32, 16, 1), nn.Upsample(scale_factor=2))
        self.high2, self.low2, self.head = conv_bn(16, 16), conv_bn(32, 32), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        high = self.high(x)
        low = self.low(high)
        high, low = self.high2(high + self.up(low)), self.low2(low + self.down(high))
        return self.head(torch.hstack((high.mean((2, 3)), low.flatten(2).max(dim=2).values)))


@network("spatial transformer", "large")
class SpatialTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 16), nn.ReLU()
        )
        self.theta = nn.Linear(16, 6)
        nn.init.zeros_(self.theta.weight)
        self.theta.bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
        self.body = nn.Sequential(conv_bn(1, 16, stride=2), conv_bn(16, 32), pooled(32))

    def forward(self, x: Tensor) -> Tensor:
        theta = self.theta(self.localization(x)).view(-1, 2, 3)
        grid = functional.affine_grid(theta, list(x.size()), align_corners=False)
        return self.body(functional.grid_sample(x, grid, align_corners=False))

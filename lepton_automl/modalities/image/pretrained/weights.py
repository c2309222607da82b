"""Reads published weights into a network of the same architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from lepton_automl.errors import DataError, in_one_line

from .backbones import BACKBONES
from .network import BackboneNet
from .recipe import BackboneRecipe, MobileBlock

State = dict[str, Tensor]
Names = Iterator[tuple[str, str]]  # a layer of ours, and its published name
STATISTICS = ("weight", "bias", "running_mean", "running_var")
EPSILON_OF_TIMM = 1e-5  # of its networks that are not converted from TensorFlow


def load_weights(network: BackboneNet, path: Path) -> None:
    """Load published weights into a network that has not been pruned; the last layer stays as it is.

    A network of fewer stages takes what belongs to these.

    Args:
        network: The network, changed in place.
        path: A state dict, in safetensors or as torch saves it; it is read without executing code.

    Raises:
        DataError: The file cannot be read, or its tensors do not fit.
    """
    state = read_state(path)
    own = network.state_dict()
    try:
        loaded = translated(state, network.recipe)
        for name, tensor in loaded.items():
            if own[name].numel() != tensor.numel():
                raise ValueError(f"{name} has {own[name].numel()} numbers, and {tensor.numel()} are given")
    except (KeyError, ValueError) as error:
        what = f"these are not the weights of {network.recipe.backbone}: {in_one_line(error)}"
        raise DataError(what, where=str(path), fix=f"Give a state dict of {network.recipe.backbone}.") from error
    with torch.no_grad():
        for name, tensor in loaded.items():
            own[name].copy_(tensor.reshape(own[name].shape))


def read_state(path: Path) -> State:
    """A file's tensors by name.

    Raises:
        DataError: The file cannot be read without executing code.
    """
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
            state = state["state_dict"]
        if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
            raise TypeError("it is not a state dict")
    except Exception as error:  # torch and safetensors raise errors of many kinds
        what = f"the weights cannot be read: {in_one_line(error)}"
        raise DataError(what, where=str(path), fix="Give a state dict in safetensors, or as torch.save writes it.") from error
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def backbone_of(path: Path) -> str:
    """The name of the backbone whose weights a file holds; empty if it is none of ours."""
    state = read_state(path)
    for backbone in BACKBONES.values():
        recipe = backbone.recipe(outputs=1, image=(3, 32, 32))
        shapes = BackboneNet(recipe).state_dict()
        try:
            if all(tensor.numel() == shapes[name].numel() for name, tensor in translated(state, recipe).items()):
                return backbone.name
        except (KeyError, ValueError):
            continue
    return ""


def translated(state: State, recipe: BackboneRecipe) -> State:
    """Published tensors under our names.

    Raises:
        KeyError: A tensor is missing.
        ValueError: The names are of no known source.
    """
    names = next((names for first, names in SOURCES.items() if first in state), None)
    if names is None:
        raise ValueError(f"its tensors have unknown names, such as {next(iter(state), 'none')!r}")
    result: State = {}
    for ours, published in names(recipe):
        for part in STATISTICS:
            is_norm = ours.endswith(".norm")
            if f"{published}.{part}" in state or part == "weight" or is_norm:
                result[f"{ours}.{part}"] = state[f"{published}.{part}"]
    if names is _timm and not recipe.same:
        for name in result:
            if name.endswith(".running_var"):  # so that variance plus epsilon is the same
                result[name] = result[name] + (EPSILON_OF_TIMM - recipe.epsilon)
    return result


def _blocks(recipe: BackboneRecipe) -> Iterator[tuple[int, int, int, str, MobileBlock]]:
    """Every block: its number, its stage, its number in the stage, our name for it, the block."""
    number = 0
    for s, stage in enumerate(recipe.stages):
        for b, block in enumerate(stage.blocks):
            yield number, s, b, f"stages.{s}.{b}", block
            number += 1


def _efficientnet_pytorch(recipe: BackboneRecipe) -> Names:
    """The names of the packages efficientnet-pytorch and efficientnet-lite-pytorch."""
    yield from (("stem.conv", "_conv_stem"), ("stem.norm", "_bn0"))
    for number, _, _, ours, block in _blocks(recipe):
        prefix = f"_blocks.{number}."
        if block.mid:
            yield from ((f"{ours}.enter.conv", f"{prefix}_expand_conv"), (f"{ours}.enter.norm", f"{prefix}_bn0"))
        yield from ((f"{ours}.depthwise.conv", f"{prefix}_depthwise_conv"), (f"{ours}.depthwise.norm", f"{prefix}_bn1"))
        yield from ((f"{ours}.leave.conv", f"{prefix}_project_conv"), (f"{ours}.leave.norm", f"{prefix}_bn2"))
    if recipe.features:
        yield from (("features.conv", "_conv_head"), ("features.norm", "_bn1"))


def _torchvision(recipe: BackboneRecipe) -> Names:
    """The names of torchvision's MobileNetV3."""
    yield from (("stem.conv", "features.0.0"), ("stem.norm", "features.0.1"))
    last = 0
    for number, _, _, ours, block in _blocks(recipe):
        last = number + 1
        parts = ["enter"] * bool(block.mid) + ["depthwise"] + ["squeeze"] * bool(block.squeeze) + ["leave"]
        for at, part in enumerate(parts):
            layers = ("reduce", "fc1"), ("expand", "fc2")
            for layer, published in layers if part == "squeeze" else (("conv", "0"), ("norm", "1")):
                yield f"{ours}.{part}.{layer}", f"features.{last}.block.{at}.{published}"
    if recipe.features:
        yield from (("features.conv", f"features.{last + 1}.0"), ("features.norm", f"features.{last + 1}.1"))
    if recipe.hidden:
        yield "hidden.linear", "classifier.0"


def _timm(recipe: BackboneRecipe) -> Names:
    """The names of timm."""
    yield from (("stem.conv", "conv_stem"), ("stem.norm", "bn1"))
    for _, s, b, ours, block in _blocks(recipe):
        prefix = f"blocks.{s}.{b}."
        convs = ("conv_pw", "conv_dw", "conv_pwl") if block.mid else ("conv_dw", "conv_pw")
        parts = ("enter", "depthwise", "leave")[-len(convs) :]
        for at, (part, conv) in enumerate(zip(parts, convs, strict=True), 1):
            yield from ((f"{ours}.{part}.conv", prefix + conv), (f"{ours}.{part}.norm", f"{prefix}bn{at}"))
        if block.squeeze:
            yield f"{ours}.squeeze.reduce", f"{prefix}se.conv_reduce"
            yield f"{ours}.squeeze.expand", f"{prefix}se.conv_expand"
    if recipe.features and recipe.hidden:
        prefix = f"blocks.{len(recipe.stages)}.0."
        yield from (("features.conv", f"{prefix}conv"), ("features.norm", f"{prefix}bn1"), ("hidden.linear", "conv_head"))
    elif recipe.features:
        yield from (("features.conv", "conv_head"), ("features.norm", "bn2"))


# By the name of a tensor that only this source has: its names.
SOURCES: dict[str, Callable[[BackboneRecipe], Names]] = {
    "_conv_stem.weight": _efficientnet_pytorch,
    "features.0.0.weight": _torchvision,
    "conv_stem.weight": _timm,
}

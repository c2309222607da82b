"""Build a network from its recipe."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lepton_automl.errors import ConfigError
from lepton_automl.family import family_named
from lepton_automl.recipe import CUSTOM, Recipe

from .layers import WidthMap


class RecipeNet(nn.Module):
    """A network that its recipe describes completely: the base class of every family's networks.

    Its `forward` takes the stored rows as keyword arguments, named after the network's inputs, and returns outputs [N, K] or
    [N, members, K].

    Attributes:
        recipe: Every width, depth and kernel.
        ensemble: Whether outputs have a member axis.
        finish: The last module; the task's answers replace it for the export (see `deployable`).
    """

    recipe: Any
    ensemble: bool = False
    finish: nn.Module

    @property
    def width_map(self) -> WidthMap:
        """The widths of the recipe that set each layer's channel counts."""
        raise NotImplementedError

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """Names of the modules that hold the blocks of each stage."""
        raise NotImplementedError


def channels_last_is_safe() -> bool:
    """Whether convolutions may use the channels-last layout, which is a third faster on CPUs with AVX-512, and on GPUs.

    On a CPU with AVX2 but no AVX-512, oneDNN's backward pass of narrow networks writes out of bounds in that layout (seen with
    torch 2.13: `tests/models/test_models.py` aborts). With ONEDNN_MAX_CPU_ISA=AVX, or with channels first, it does not.
    """
    return torch.cuda.is_available() or "AVX512" in torch.backends.cpu.get_cpu_capability()


def build(recipe: Recipe, seed: int = 0) -> RecipeNet:
    """Return the network that a recipe describes, newly initialised, on the CPU, in training mode.

    The global random state is not changed.

    Args:
        recipe: Every width, depth and kernel.
        seed: Seed of the initial weights; the same recipe and seed give equal networks.

    Raises:
        ConfigError: The recipe's family is not installed, or the recipe is of a user-defined network.
    """
    if recipe.family == CUSTOM:
        raise ConfigError("a user-defined network is built by its factory", where="build", fix="Call the factory.")
    family = family_named(recipe.family)
    with torch.random.fork_rng(devices=[]):
        # Only the CPU's generator: torch.manual_seed would also reseed the GPUs', whose state is not restored.
        torch.default_generator.manual_seed(seed)
        network = family.build(recipe)
    assert isinstance(network, RecipeNet)
    return network

"""A recipe becomes a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lepton_automl.errors import ConfigError
from lepton_automl.family import family_named
from lepton_automl.recipe import CUSTOM, Recipe

from .layers import WidthMap


class LeptonNet(nn.Module):
    """A network of a family, described whole by its recipe: the base of every family's networks.

    Its `forward` takes the stored rows by the names of the network's inputs, and gives outputs [N, K], or [N, members, K].

    Attributes:
        recipe: Every width, depth and kernel.
        ensemble: Whether outputs have an axis of members.
        finish: The last module; the identity, or what comes before a task's answers, which are put there for the export.
    """

    recipe: Any
    ensemble: bool = False
    finish: nn.Module

    @property
    def width_map(self) -> WidthMap:
        """Each layer's channels as widths of the recipe."""
        raise NotImplementedError

    @property
    def block_lists(self) -> tuple[str, ...]:
        """The module that holds the blocks of each stage."""
        raise NotImplementedError


def channels_last_is_safe() -> bool:
    """Whether convolutions may keep channels last, which is a third faster on CPUs with AVX-512, and on GPUs.

    On a CPU with AVX2 and no more, oneDNN's backward pass of narrow networks writes beyond its memory in that format (seen
    with torch 2.13: `tests/models/test_models.py` aborts); by ONEDNN_MAX_CPU_ISA=AVX, or with channels first, it does not.
    """
    return torch.cuda.is_available() or "AVX512" in torch.backends.cpu.get_cpu_capability()


def build(recipe: Recipe, seed: int = 0) -> LeptonNet:
    """The network that a recipe describes, newly initialised, on the CPU, in training mode.

    The global random state is left as it was.

    Args:
        recipe: Every width, depth and kernel.
        seed: Two networks built with one seed are equal.

    Raises:
        ConfigError: The recipe is of no family that is installed, or of a user's own network.
    """
    if recipe.family == CUSTOM:
        raise ConfigError("a user's own network is made by its factory", where="build", fix="Call the factory.")
    family = family_named(recipe.family)
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator only: torch.manual_seed would reseed the GPUs' as well, and nothing puts those back.
        torch.default_generator.manual_seed(seed)
        network = family.build(recipe)
    assert isinstance(network, LeptonNet)
    return network

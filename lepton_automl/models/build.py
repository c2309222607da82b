"""A recipe becomes a network."""

from __future__ import annotations

import torch

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import FAMILIES, ConvRecipe, Recipe, TableRecipe

from .conv import ConvNet
from .table import TableNet

LeptonNet = ConvNet | TableNet


def channels_last_is_safe() -> bool:
    """Whether convolutions may keep channels last, which is a third faster on CPUs with AVX-512, and on GPUs.

    On a CPU with AVX2 and no more, oneDNN's backward pass of narrow networks writes beyond its memory in that format (seen
    with torch 2.13: `tests/models/test_models.py` aborts); by ONEDNN_MAX_CPU_ISA=AVX, or with channels first, it does not.
    """
    return torch.cuda.is_available() or "AVX512" in torch.backends.cpu.get_cpu_capability()


def build(recipe: Recipe, seed: int = 0) -> LeptonNet:
    """The network that a recipe describes, newly initialised, on the CPU, in training mode.

    It has `recipe`, `width_map` and `answer`; the global random state is left as it was.

    Args:
        recipe: Every width, depth and kernel.
        seed: Two networks built with one seed are equal.

    Raises:
        ConfigError: The recipe is of no known family.
    """
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator only: torch.manual_seed would reseed the GPUs' as well, and nothing puts those back.
        torch.default_generator.manual_seed(seed)
        if isinstance(recipe, ConvRecipe):
            network = ConvNet(recipe)
            if channels_last_is_safe():
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
            return network
        if isinstance(recipe, TableRecipe):
            return TableNet(recipe)
    known = ", ".join(family for family in FAMILIES if family != "own")  # its factory makes that one
    raise ConfigError(f"there is no network for a {type(recipe).__name__}", where="build", fix=f"Known families: {known}.")

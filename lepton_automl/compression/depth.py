"""Which blocks a shallower network keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import Recipe

Kept = tuple[tuple[int, ...], ...]


def choose_blocks(recipe: Recipe, smaller: Recipe, change: Sequence[Sequence[float]]) -> Kept:
    """For each stage, the blocks to keep: those that change their input least are removed, among the choices that give `smaller`.

    Args:
        recipe: The network to cut.
        smaller: What it must become; `recipe.contains(smaller)`.
        change: How much each block of each stage changes its input.
    """
    blocks_kept = recipe.kept_blocks(smaller)
    for s, depth in enumerate(smaller.depths):
        fits = [
            option
            for option in combinations(range(recipe.depths[s]), depth)
            if _gives(recipe, smaller, (*blocks_kept[:s], option, *blocks_kept[s + 1 :]))
        ]
        # Minimise what is removed, not maximise what stays: a block that cannot be removed counts infinitely much.
        best = min(fits, key=lambda option: sum(c for b, c in enumerate(change[s]) if b not in option))
        blocks_kept = (*blocks_kept[:s], best, *blocks_kept[s + 1 :])
    return blocks_kept


def _gives(recipe: Recipe, smaller: Recipe, kept: Kept) -> bool:
    """Whether narrowing these blocks gives `smaller`."""
    try:
        return recipe.keep_blocks(kept).contains(smaller)
    except ConfigError:
        return False


def measure_change(model: nn.Module, block_lists: Sequence[str], inputs: dict[str, Tensor]) -> list[list[float]]:
    """How much each block changes its input: the norm of what it adds over the norm of what it gets.

    A first block that changes the shape counts as infinitely much.

    Args:
        model: The network, in evaluation mode.
        block_lists: Names of the modules that hold the blocks of a stage.
        inputs: Rows to run.
    """
    stages = [list(model.get_submodule(name).children()) for name in block_lists]
    change = input_changes([block for blocks in stages for block in blocks], lambda: model(**inputs))
    return [[change[block] for block in blocks] for blocks in stages]


def input_changes(blocks: Iterable[nn.Module], run: Callable[[], object]) -> dict[nn.Module, float]:
    """How much each block changes its input while something runs: the norm of what it adds over the norm of what it gets.

    One that does more than pass on one tensor of the same shape, or that runs more than once, counts as infinitely much;
    one that did not run is left out.
    """
    change: dict[nn.Module, float] = {}

    def note(block: nn.Module, incoming: tuple[Any, ...], named: dict[str, Any], outgoing: Any) -> None:
        both = (*incoming, outgoing)
        alike = len(both) == 2 and not named and block not in change
        alike = alike and all(isinstance(tensor, Tensor) for tensor in both) and both[0].shape == both[1].shape
        change[block] = float((both[1] - both[0]).norm() / both[0].norm().clamp(min=1e-30)) if alike else torch.inf

    hooks = [block.register_forward_hook(note, with_kwargs=True) for block in blocks]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return change


def keep_blocks(model: nn.Module, block_lists: Sequence[str], kept: Kept) -> None:
    """Remove all other blocks, in place; those that stay move up."""
    for name, blocks in zip(block_lists, kept, strict=True):
        children = list(model.get_submodule(name).children())
        model.set_submodule(name, nn.Sequential(*(children[b] for b in blocks)))

"""Choose the blocks that a shallower network keeps."""

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
        recipe: The recipe of the network.
        smaller: The recipe to reach; `recipe.contains(smaller)`.
        change: How much each block of each stage changes its input.
    """
    blocks_kept = recipe.kept_blocks(smaller)
    for s, depth in enumerate(smaller.depths):
        options = [
            option
            for option in combinations(range(recipe.depths[s]), depth)
            if _leads_to(recipe, smaller, (*blocks_kept[:s], option, *blocks_kept[s + 1 :]))
        ]
        # Minimise over removed blocks, not maximise over kept ones: the change of a block that cannot be removed is infinite.
        best = min(options, key=lambda option: sum(c for b, c in enumerate(change[s]) if b not in option))
        blocks_kept = (*blocks_kept[:s], best, *blocks_kept[s + 1 :])
    return blocks_kept


def _leads_to(recipe: Recipe, smaller: Recipe, kept: Kept) -> bool:
    """Whether narrowing these blocks gives `smaller`."""
    try:
        return recipe.keep_blocks(kept).contains(smaller)
    except ConfigError:
        return False


def measure_change(model: nn.Module, stage_modules: Sequence[str], inputs: dict[str, Tensor]) -> list[list[float]]:
    """How much each block changes its input: the norm of output minus input, over the norm of the input.

    The change is infinite for a first block that changes the shape.

    Args:
        model: The network, in evaluation mode.
        stage_modules: Name of the module that contains the blocks, for each stage.
        inputs: Rows to run.
    """
    stages = [list(model.get_submodule(name).children()) for name in stage_modules]
    change = input_changes([block for blocks in stages for block in blocks], lambda: model(**inputs))
    return [[change[block] for block in blocks] for blocks in stages]


def input_changes(blocks: Iterable[nn.Module], run: Callable[[], object]) -> dict[nn.Module, float]:
    """How much each block changes its input during `run()`: the norm of output minus input, over the norm of the input.

    The change is infinite for a block that does more than map one tensor to one of the same shape, or that runs more than once.
    Blocks that do not run are left out.
    """
    change: dict[nn.Module, float] = {}

    def record_change(block: nn.Module, incoming: tuple[Any, ...], kwargs: dict[str, Any], outgoing: Any) -> None:
        ends = (*incoming, outgoing)
        same_shape = len(ends) == 2 and not kwargs and block not in change
        same_shape = same_shape and all(isinstance(tensor, Tensor) for tensor in ends) and ends[0].shape == ends[1].shape
        change[block] = float((ends[1] - ends[0]).norm() / ends[0].norm().clamp(min=1e-30)) if same_shape else torch.inf

    hooks = [block.register_forward_hook(record_change, with_kwargs=True) for block in blocks]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return change


def keep_blocks(model: nn.Module, stage_modules: Sequence[str], kept: Kept) -> None:
    """Remove all other blocks, in place; the remaining ones are renumbered."""
    for name, blocks in zip(stage_modules, kept, strict=True):
        children = list(model.get_submodule(name).children())
        model.set_submodule(name, nn.Sequential(*(children[b] for b in blocks)))

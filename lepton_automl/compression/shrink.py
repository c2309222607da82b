"""Shrink a RecipeNet: the same network with fewer channels or blocks."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.recipe import Recipe

from .coupling import find_groups
from .depth import choose_blocks, keep_blocks, measure_change
from .group import remove_channels
from .importance import Criterion, Sensitivity, criterion_of, most_important

Network = TypeVar("Network", bound=nn.Module)
ROWS = 256  # rows on which the change by each block is measured


def shrink(
    model: Network,
    smaller: Recipe,
    sample_inputs: dict[str, Tensor],
    *,
    criterion: str = "magnitude",
    sensitivity: Sensitivity | None = None,
) -> Network:
    """A copy of a network with fewer channels or blocks, which keeps the weights of the most important ones.

    First whole blocks are removed: those that change their input least on the sample. Then the least important channels of each
    width are removed from all layers that share it, including normalisation statistics. All channels are scored in the network
    without these blocks, so the order of the widths does not matter.

    Args:
        model: A RecipeNet: it has `recipe`, `width_map` and `stage_modules`. It is left unchanged.
        smaller: The recipe of the result; its state fits a network built from it.
        sample_inputs: Rows as `forward` takes them, on any device; a few hundred are enough.
        criterion: How channels are scored: a name of `compression.importance.CRITERIA`.
        sensitivity: Mean |weight x gradient| of each weight, by its name; required by `"taylor"`.

    Returns:
        The smaller network, with `recipe == smaller`, on the same device and in the same mode.

    Raises:
        ConfigError: `smaller` is not contained in the network, or there is no such criterion.
    """
    # The caller may be in inference mode, but the trace reads autograd's graph and the copy must be trainable.
    with torch.inference_mode(mode=False), torch.enable_grad():
        cut = copy.deepcopy(model)
        score = criterion_of(criterion, cut, sensitivity=sensitivity)
        _cut(cut, smaller, sample_inputs, score)
        return _restore_mode(cut, model)


def _cut(cut: nn.Module, smaller: Recipe, sample_inputs: dict[str, Tensor], score: Criterion) -> None:
    net: Any = cut  # it has the attributes of a RecipeNet
    recipe: Recipe = net.recipe
    if recipe == smaller:
        return
    _check(recipe, smaller)
    cut.eval().requires_grad_(requires_grad=True)
    inputs = _sample(cut, sample_inputs, ROWS)

    if recipe.depths != smaller.depths:
        blocks = choose_blocks(recipe, smaller, measure_change(cut, net.stage_modules, inputs))
        keep_blocks(cut, net.stage_modules, blocks)
        recipe = net.recipe = recipe.keep_blocks(blocks)

    narrower = {path: width for path, width in smaller.widths.items() if width < recipe.widths[path]}
    # Two rows are enough for the trace.
    groups = find_groups(cut, net.width_map, {path: recipe.widths[path] for path in narrower}, _sample(cut, inputs, 2))
    chosen = {path: most_important(score(groups[path]), width) for path, width in narrower.items()}
    remove_channels(
        cut,
        [
            (groups[path], [c for c in range(groups[path].width) if c not in channels_kept])
            for path, channels_kept in chosen.items()
        ],
    )
    net.recipe = smaller


def _sample(model: nn.Module, inputs: dict[str, Tensor], rows: int) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    return {name: tensor[:rows].to(device).clone() for name, tensor in inputs.items()}


def _restore_mode(cut: Network, model: Network) -> Network:
    """Restore the original's mode and memory format, which pruning loses."""
    cut.train(model.training)
    cut.requires_grad_(all(weight.requires_grad for weight in model.parameters()))
    if any(map(_channels_last, model.parameters())):
        cut.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return cut


def _check(recipe: Recipe, smaller: Recipe) -> None:
    """Raise a ConfigError if the network cannot be shrunk to a recipe."""
    if recipe.family != smaller.family:
        raise ConfigError(f"a {smaller.family} network cannot be cut out of a {recipe.family} network", where="shrink")
    recipe.keep_blocks(recipe.kept_blocks(smaller))  # raises if the depths do not fit
    if recipe.contains(smaller):
        return
    complaints = Complaints("shrink")
    mine, theirs = recipe.widths, smaller.widths
    for path in (path for path in mine if path in theirs):
        complaints.check(theirs[path] <= mine[path], f"{path} is {mine[path]} and cannot grow to {theirs[path]}")
    if not complaints.found:
        complaints.add("the recipes differ in more than widths and depths.", "Start from recipe.scale() or with_widths().")
    complaints.raise_any()


def _channels_last(weight: Tensor) -> bool:
    """Whether a kernel is stored channels last; False if it is contiguous in both formats, as a 1x1 kernel is."""
    return weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()

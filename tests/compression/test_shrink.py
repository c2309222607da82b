"""A pruned network equals the network built from its recipe, and removing what has no effect changes nothing."""

from __future__ import annotations

import copy
import time

import pytest
import torch
from torch import nn

from lepton_automl.compression import shrink
from lepton_automl.compression.depth import choose_blocks
from lepton_automl.errors import ConfigError
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.models import build, load, save
from lepton_automl.recipe import Recipe


def conv(*blocks: Block, **changes: object) -> ConvRecipe:
    stages = (Stage(width=12, stride=1, blocks=blocks), Stage(width=16, stride=2, blocks=blocks))
    return ConvRecipe(outputs=4, image=(3, 9, 8), stem=8, stages=stages).replace(**changes)


def table(**changes: object) -> TableRecipe:
    given = TableRecipe(outputs=3, numeric=4, cardinalities=(3, 9), width=12, mids=(20, 12))
    return given.replace(**changes)


RESIDUAL, INVERTED = Block(kind="residual", mid=10), Block(kind="inverted", mid=24, kernel=5)
RECIPES: dict[str, Recipe] = {
    "residual": conv(RESIDUAL, RESIDUAL, RESIDUAL),
    "residual, one block, equal widths": conv(RESIDUAL, stem=12),
    "residual with squeeze": conv(RESIDUAL.replace(squeeze=4), RESIDUAL.replace(squeeze=4)),
    "inverted": conv(INVERTED, INVERTED),
    "inverted with squeeze": conv(INVERTED.replace(squeeze=6), INVERTED.replace(squeeze=6)),
    "mixed": conv(RESIDUAL, INVERTED.replace(squeeze=3), RESIDUAL.replace(kernel=5, mid=7)),
    "stem stride, one number": conv(INVERTED, stem_stride=2, outputs=1),
    "mlp": table(),
    "mlp, heads": table(heads=5),
    "mlp, piecewise, heads": table(embedding="piecewise", bins=8, heads=4),
    "mlp, piecewise embedded": table(embedding="piecewise", bins=8, embedded=5, cardinalities=()),
    "mlp, periodic, heads": table(embedding="periodic", bins=8, embedded=3, heads=2, outputs=1),
    "resnet": table(kind="resnet", mids=(20, 20, 16)),
    "resnet, heads, categories only": table(kind="resnet", mids=(24, 20), heads=3, numeric=0),
    "resnet, periodic": table(kind="resnet", embedding="periodic", bins=8, cardinalities=()),
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


def inputs_of(recipe: Recipe, rows: int = 16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    if isinstance(recipe, ConvRecipe):
        return {"image": torch.randint(256, (rows, *recipe.image), generator=generator, dtype=torch.uint8)}
    assert isinstance(recipe, TableRecipe)
    inputs = {"numeric": torch.rand(rows, recipe.numeric, generator=generator) * 2 - 1} if recipe.numeric else {}
    codes = [torch.randint(count, (rows,), generator=generator) for count in recipe.cardinalities]
    return inputs | ({"categorical": torch.stack(codes, 1)} if codes else {})


def lived(recipe: Recipe) -> nn.Module:
    """A network whose weights and statistics are all different, as after training."""
    model = build(recipe, 1).eval()
    generator = torch.Generator().manual_seed(2)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or "norm.weight" in name:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.ndim <= 1 and tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
    return model


def zero(model: nn.Module, path: str, channels: list[int]) -> None:
    """Silence channels in all layers that the width map couples, written without the code under test."""
    with torch.no_grad():
        for name, (inputs, outputs) in model.width_map.items():
            layer = model.get_submodule(name)
            if outputs == path:
                layer.weight[channels] = 0
                if layer.bias is not None:
                    layer.bias[channels] = 0
            elif inputs == path:
                layer.weight[:, channels] = 0


@every_recipe
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_pruned_network_equals_the_one_built_from_its_recipe(recipe: Recipe, share: float, tmp_path) -> None:
    model, inputs, smaller = lived(recipe), inputs_of(recipe), recipe.scale(share, multiple=4)
    before = copy.deepcopy(model.state_dict())
    cut = shrink(model, smaller, inputs)

    assert cut.recipe == smaller
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    fresh = build(smaller, 5).eval()
    fresh.load_state_dict(cut.state_dict())
    assert torch.equal(fresh(**inputs), cut(**inputs))
    assert cut.width_map == fresh.width_map
    save(cut, tmp_path)
    assert torch.equal(load(tmp_path)(**inputs), cut(**inputs))


@every_recipe
@pytest.mark.parametrize("seed", range(3))
def test_pruning_masked_channels_changes_no_output(recipe: Recipe, seed: int) -> None:
    model, inputs = lived(recipe), inputs_of(recipe)
    generator = torch.Generator().manual_seed(seed)
    smaller = recipe.with_widths(
        {path: int(torch.randint(1, width + 1, (), generator=generator)) for path, width in recipe.widths.items()}
    )
    # The layer normalisation of a resnet's trunk sees how many channels there are, silent or not.
    smaller = smaller.with_widths({"width": recipe.widths["width"]} if "width" in recipe.widths else {})
    for path, width in recipe.widths.items():
        silent = torch.randperm(width, generator=generator)[smaller.widths[path] :].tolist()
        zero(model, path, silent)
    torch.testing.assert_close(shrink(model, smaller, inputs)(**inputs), model(**inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["residual", "residual with squeeze", "inverted", "inverted with squeeze", "resnet", "resnet, heads, categories only"],
)
def test_a_block_that_adds_nothing_is_removed_first(name: str) -> None:
    recipe = RECIPES[name]
    model, inputs = lived(recipe), inputs_of(recipe)
    idle = 1 if isinstance(recipe, ConvRecipe) else 0
    leave = model.get_submodule(model.stage_modules[-1])[idle].leave
    with torch.no_grad():
        for weight in leave.norm.parameters() if isinstance(recipe, ConvRecipe) else leave.parameters():
            weight.zero_()
    every = [tuple(range(depth)) for depth in recipe.depths]
    smaller = recipe.keep_blocks((*every[:-1], tuple(b for b in every[-1] if b != idle)))
    cut = shrink(model, smaller, inputs)
    assert torch.equal(cut(**inputs), model(**inputs))
    build(smaller).load_state_dict(cut.state_dict())


def test_a_stage_keeps_its_first_block_and_others_by_what_they_change() -> None:
    recipe = conv(RESIDUAL, RESIDUAL, RESIDUAL, RESIDUAL)
    smaller = recipe.keep_blocks(((0, 1), (0, 1, 2))).scale(0.5)
    change = [[0.0, 0.1, 0.3, 0.2], [0.0, 0.1, 0.3, 0.2]]
    assert choose_blocks(recipe, smaller, change) == ((0, 2), (0, 2, 3))


def test_a_chosen_block_is_never_narrower_than_asked() -> None:
    recipe = table(kind="resnet", mids=(20, 8, 16))
    assert choose_blocks(recipe, table(kind="resnet", mids=(16,)), [[0.1, 0.9, 0.2]]) == ((2,),)


def test_mode_gradients_and_the_callers_context_are_restored() -> None:
    recipe = RECIPES["mixed"]
    model, inputs, smaller = lived(recipe).train(), inputs_of(recipe), recipe.scale(0.5)
    with torch.inference_mode():
        cut = shrink(model, smaller, inputs)
    assert cut.training and model.training
    loss = copy.deepcopy(cut)(**inputs).square().sum()
    loss.backward()
    assert all(weight.requires_grad and weight.is_leaf for weight in cut.parameters())
    assert not any(weight.requires_grad for weight in shrink(model.requires_grad_(False), smaller, inputs).parameters())


@pytest.mark.parametrize(
    ("recipe", "wrong", "says"),
    [
        (table(), table(mids=(24, 12)), "mids.0 is 20 and cannot grow to 24"),
        (table(), table(mids=(20,)), "feed one another"),
        (table(), table(mids=(20, 12, 12)), "cannot be cut out of one of depths"),
        (table(), table(heads=2), "more than widths and depths"),
        (table(), conv(RESIDUAL), "a conv network cannot be cut out of a table network"),
        (conv(RESIDUAL), conv(INVERTED), "kind|grow|more than"),
    ],
)
def test_what_cannot_be_pruned_is_reported_with_the_reason(recipe: Recipe, wrong: Recipe, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        shrink(build(recipe), wrong, inputs_of(recipe))


def test_an_unknown_criterion_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'magnitude'"):
        shrink(build(table()), table().scale(0.5), inputs_of(table()), criterion="magnitud")


def test_a_wrong_width_map_is_detected() -> None:
    model = build(table())

    class Liar(type(model)):
        @property
        def width_map(self) -> dict[str, tuple[str, str]]:
            return {name: ends for name, ends in super().width_map.items() if name != "trunk.blocks.1.linear"}

    model.__class__ = Liar
    with pytest.raises(ConfigError, match=r"disagree about 'mids.0'.*trunk.blocks.1.linear"):
        shrink(model, table(mids=(8, 12)), inputs_of(table()))


def test_a_typical_network_is_pruned_within_a_second_of_cpu() -> None:
    block = Block(kind="inverted", mid=192, squeeze=16)
    stages = tuple(Stage(width=width, stride=2, blocks=(block,) * 3) for width in (32, 64, 96, 128))
    recipe = ConvRecipe(outputs=10, image=(3, 64, 64), stem=32, stages=stages)
    model, inputs = build(recipe).eval(), inputs_of(recipe, 2)
    start = time.process_time()
    shrink(model, recipe.scale(0.5), inputs)
    assert time.process_time() - start < 1.0

"""Every recipe can be built, and the built network matches its recipe."""

from __future__ import annotations

import random

import pytest
import torch
from torch import fx, nn

from lepton_automl.errors import BundleError, ConfigError
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.models import build, deployable, load, save
from lepton_automl.recipe import Recipe
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.tasks.regression import NumberOutput
from tests.samples import image_spec, table_spec


def conv_recipe(rng: random.Random) -> ConvRecipe:
    """Any image network, every block of its own kind and width."""

    def block() -> Block:
        mid = rng.randint(2, 12)
        kind = rng.choice(["residual", "inverted"])
        return Block(kind=kind, mid=mid, kernel=rng.choice([3, 5]), squeeze=rng.choice([0, 0, max(1, mid // 2)]))

    stages = tuple(
        Stage(width=rng.randint(2, 12), stride=rng.choice([1, 2]), blocks=tuple(block() for _ in range(rng.randint(1, 3))))
        for _ in range(rng.randint(1, 3))
    )
    channels = rng.choice([1, 3])
    known = rng.random() < 0.5
    return ConvRecipe(
        outputs=rng.choice([1, 2, 5]),
        image=(channels, 10, 8),
        pixel_mean=(100.0,) * channels if known else (),
        pixel_std=(50.0,) * channels if known else (),
        stem=rng.randint(2, 12),
        stem_stride=rng.choice([1, 2]),
        stages=stages,
        dropout=rng.choice([0.0, 0.2]),
    )


def table_recipe(rng: random.Random) -> TableRecipe:
    """Any table network."""
    numeric = rng.choice([0, 1, 4])
    embedding = rng.choice(["linear", "piecewise", "periodic"])
    mids = tuple(rng.randint(2, 12) for _ in range(rng.randint(1, 3)))
    kind = rng.choice(["mlp", "resnet"])
    return TableRecipe(
        outputs=rng.choice([1, 2, 5]),
        numeric=numeric,
        plain=rng.choice([0, 1]) if numeric > 1 else 0,
        cardinalities=rng.choice([(), (2, 7, 40)]) if numeric else (3, 2),
        one_hot=rng.choice([False, True]),
        embedding=embedding,
        bins=0 if embedding == "linear" else 6,
        embedded=0 if embedding == "linear" else rng.choice([0, 3]),
        kind=kind,
        width=mids[-1] if kind == "mlp" else rng.randint(2, 12),
        mids=mids,
        heads=rng.choice([1, 1, 4]),
        dropout=rng.choice([0.0, 0.2]),
    )


def random_recipe(seed: int) -> Recipe:
    rng = random.Random(seed)
    return conv_recipe(rng) if seed % 2 else table_recipe(rng)


def inputs_of(recipe: Recipe, rows: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    if isinstance(recipe, ConvRecipe):
        return {"image": torch.randint(256, (rows, *recipe.image), generator=generator, dtype=torch.uint8)}
    found = {}
    if recipe.numeric:
        found["numeric"] = torch.rand(rows, recipe.numeric, generator=generator) * 2.2 - 1.1
    if recipe.cardinalities:
        found["categorical"] = torch.stack([torch.arange(rows) % codes for codes in recipe.cardinalities], 1)
    return found


def spec_of(recipe: Recipe) -> DataSpec:
    several = recipe.outputs > 1
    output = MulticlassOutput(labels=tuple(range(recipe.outputs))) if several else NumberOutput(mean=7.0, scale=3.0)
    if isinstance(recipe, ConvRecipe):
        return image_spec(shape=recipe.image, output=output)
    return table_spec(input=TableInput(numeric=recipe.numeric), output=output)


@pytest.mark.parametrize("seed", range(50))
def test_any_recipe_trains_predicts_traces_and_has_a_width_map(seed: int) -> None:
    recipe = random_recipe(seed)
    model = build(recipe, seed)
    inputs = inputs_of(recipe)

    outputs = model(**inputs)
    heads = () if isinstance(recipe, ConvRecipe) else (recipe.heads,)
    assert outputs.shape == (6, *heads, recipe.outputs)
    outputs.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())

    model.eval()
    spec = spec_of(recipe)
    answer = task_of(spec).answers(spec.output, members=model.ensemble, unit=False)(model(**inputs))
    assert answer.shape == ((6,) if recipe.outputs == 1 else (6, recipe.outputs))
    packed = deployable(model, spec)
    expected = answer * 3.0 + 7.0 if recipe.outputs == 1 else answer
    torch.testing.assert_close(packed(**inputs), expected)
    three = {name: rows[:3] for name, rows in inputs.items()}
    torch.testing.assert_close(fx.symbolic_trace(packed)(**three), expected[:3])

    widths = {"": None} | recipe.widths
    seen = set()
    for name, channels in model.width_map.items():
        actual = channel_counts(model.get_submodule(name))
        for path, count in zip(channels, actual, strict=True):
            assert widths[path] in (None, count), (name, path)
        seen |= set(channels)
    assert seen == set(widths)
    assert set(model.width_map) == {
        name
        for name, module in model.named_modules()
        if channel_counts(module) and not name.startswith(("numbers", "categories"))
    }


def channel_counts(module: nn.Module) -> tuple[int, int] | None:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return module.num_features, module.num_features
    if isinstance(module, nn.LayerNorm):
        return module.normalized_shape[0], module.normalized_shape[0]
    if isinstance(module, nn.Conv2d):
        return module.in_channels, module.out_channels
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return module.in_features, module.out_features
    return None


def test_parameters_are_counted_by_hand() -> None:
    block = Block(kind="inverted", mid=6, kernel=5, squeeze=2)
    net = build(ConvRecipe(outputs=10, image=(1, 8, 8), stem=4, stages=(Stage(width=8, stride=2, blocks=(block,)),)))
    stem = 4 * 9 + 8
    inside = (4 * 6 + 12) + (6 * 25 + 12) + (6 * 2 + 2 + 2 * 6 + 6) + (6 * 8 + 16)
    assert sum(weight.numel() for weight in net.parameters()) == stem + inside + 8 * 10 + 10

    table = build(TableRecipe(outputs=1, numeric=3, embedding="piecewise", bins=5, width=8, mids=(16, 8), heads=4))
    assert sum(weight.numel() for weight in table.parameters()) == 4 * 15 + (15 * 16 + 16) + (16 * 8 + 8) + 4 * (8 + 1)


def test_building_is_seeded_and_leaves_the_global_generator_alone() -> None:
    recipe = random_recipe(1)
    before = torch.random.get_rng_state()
    one, same, other = build(recipe, 3).state_dict(), build(recipe, 3).state_dict(), build(recipe, 4).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


def test_an_untrained_network_predicts_every_class() -> None:
    blocks = (Block(kind="residual", mid=8), Block(kind="residual", mid=8))
    net = build(ConvRecipe(outputs=4, image=(3, 16, 16), stem=8, stages=(Stage(width=16, stride=2, blocks=blocks),)))
    answer = net(image=torch.rand(32, 3, 16, 16) * 255).softmax(-1)
    torch.testing.assert_close(answer, torch.full_like(answer, 0.25), atol=0.1, rtol=0)


def test_numbers_outside_the_bins_change_nothing() -> None:
    net = build(TableRecipe(outputs=1, numeric=1, embedding="piecewise", bins=4, width=4, mids=(4,))).eval()
    near, far = net(numeric=torch.tensor([[1.0]])), net(numeric=torch.tensor([[9.0]]))
    assert torch.equal(near, far)
    assert net.numbers(torch.tensor([[0.25]])).tolist() == [[1.0, 1.0, 0.5, 0.0]]


@pytest.mark.parametrize("seed", range(6))
def test_a_reloaded_network_is_bit_equal(seed: int, tmp_path) -> None:
    model = build(random_recipe(seed), seed)
    inputs = inputs_of(model.recipe)
    model(**inputs)  # moves the statistics of the normalisation
    save(model, tmp_path / "net")
    again = load(tmp_path / "net")
    assert again.recipe == model.recipe
    assert torch.equal(again(**inputs), model.eval()(**inputs))


def test_a_damaged_file_is_named(tmp_path) -> None:
    save(build(random_recipe(2)), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        load(tmp_path)


def test_a_table_needs_columns() -> None:
    with pytest.raises(ConfigError, match="neither numeric nor categorical"):
        build(TableRecipe(outputs=1, numeric=0, width=4, mids=(4,)))

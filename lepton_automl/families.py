"""The spaces of the network families, how a configuration becomes a recipe, and the first designs worth trying."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .custom import custom_recipe
from .factory import Factory
from .plans import LeanPlan, TrainPlan
from .recipe import Block, ConvRecipe, Recipe, Stage, TableRecipe
from .space import Categorical, Config, Float, Hyperparameter, Integer, Setting, Space
from .specs import DataSpec


def space_for(spec: DataSpec) -> Space:
    """Every knob of a data set's family, of its training and of cutting, by prefixed name."""
    return (_image_space(spec) if spec.modality == "image" else _table_space(spec)) | Space(
        knobs={"lean.ratio": Float(0.0, 0.75, default=0.0)}
    )


def widened(space: Space, spec: DataSpec, changes: Mapping[str, Hyperparameter | Setting]) -> Space:
    """A family's space with some knobs pinned, replaced or added.

    What can be added are the settings of the training plan that usually stand still.

    Raises:
        ConfigError: A knob is one that the family's networks do not have, or a setting is out of range.
    """
    plan = usual_plan(spec)
    added: dict[str, Hyperparameter] = {}
    for name, change in changes.items():
        setting: float | None = getattr(plan, name.removeprefix("train."), None) if name in ADDABLE else None
        if name not in space and setting is not None:
            # Any number may be pinned, as in a range of its own.
            added[name] = (
                change if isinstance(change, Hyperparameter) else Float(0.0, max(1.0, 2.0 * float(setting)), default=setting)
            )
    return (space | Space(knobs=added)).restrict(changes)


ADDABLE = ("train.batch_size", "train.beta2", "train.warmup", "train.clip", "train.label_smoothing")


def draw(knobs: Config, spec: DataSpec) -> Recipe:
    """A recipe from the `model.*` knobs (given without their prefix) and the data's shape."""
    return _draw_image(knobs, spec) if spec.modality == "image" else _draw_table(knobs, spec)


def full_recipe(config: Config, spec: DataSpec, own: Factory | None = None) -> Recipe:
    """The shape that a configuration's network has before the cut; a person's own one is told by its factory."""
    return custom_recipe(config, spec, own) if own else draw(room(config, "model"), spec)


def final_recipe(config: Config, spec: DataSpec, lean: LeanPlan, own: Factory | None = None) -> Recipe:
    """The shape that a configuration's network has after the cut: what is weighed, deployed and told apart."""
    ratio = float(config.get("lean.ratio", lean.ratio))
    return full_recipe(config, spec, own).scale(1 - ratio, lean.multiple)


SHARES = (0.7, 0.5, 0.35)  # of a parent's channels that its children keep


def children(config: Config, space: Space, spec: DataSpec, lean: LeanPlan) -> list[Config]:
    """Configurations whose networks can be cut out of a trained one: the same with fewer channels.

    Args:
        config: The trained network's.
        space: Has `lean.ratio`, or there are none.
        spec: The data.
        lean: The plan that the knob changes.
    """
    if "lean.ratio" not in space or spec.folds:  # a parent of all rows has seen what a fold would be scored on
        return []
    kept, parent = 1 - float(config["lean.ratio"]), final_recipe(config, spec, lean)
    born = [config | {"lean.ratio": round(1 - kept * share, 4)} for share in SHARES]
    recipes = [final_recipe(child, spec, lean) for child in born]
    allowed = space["lean.ratio"].allows
    return [
        child
        for number, (child, recipe) in enumerate(zip(born, recipes, strict=True))
        if allowed(child["lean.ratio"]) and recipe not in (parent, *recipes[:number])
    ]


def plan_of(config: Config, plan: TrainPlan) -> TrainPlan:
    """A training plan with the `train.*` knobs turned."""
    return plan.replace(**room(config, "train"))


def lean_of(config: Config, plan: LeanPlan) -> LeanPlan:
    """A lean plan with the `lean.*` knobs turned."""
    return plan.replace(**room(config, "lean"))


def room(config: Config, name: str) -> Config:
    """The knobs of one room, without their prefix."""
    return {knob.removeprefix(f"{name}."): setting for knob, setting in config.items() if knob.startswith(f"{name}.")}


def usual_plan(spec: DataSpec) -> TrainPlan:
    """How a network for these data is trained with all the time in the world; the rules were measured, not derived.

    Small data get small batches, or an epoch would hold too few steps; large data need fewer passes.
    """
    rows = spec.train
    if spec.modality == "image":
        batch = 32 if rows < 1_000 else 64 if rows < 5_000 else 128
        epochs = min(40, max(6, round(40 * (1_000 / rows) ** 0.4)))
        return TrainPlan(epochs=epochs, batch_size=batch, lr=3e-2, weight_decay=5e-2, label_smoothing=0.1)
    batch = min(512, max(64, 2 ** round(math.log2(max(rows, 2) / 40))))
    epochs = min(40, max(8, round(900 / max(1, rows // batch))))
    return TrainPlan(epochs=epochs, batch_size=batch, lr=1.5e-2, weight_decay=1e-2, beta2=0.99)


# Images


def _image_space(spec: DataSpec) -> Space:
    stages = _usual_stages(spec)
    small = min(spec.shape[1:]) <= TINY
    knobs: dict[str, Hyperparameter] = {
        "model.block": Categorical("plain", "residual", "inverted", default="plain"),
        "model.width": Integer(4, 64, default=16, log=True),
        "model.growth": Categorical(1.5, 2.0, default=2.0),
        "model.stages": Integer(1, stages + 1, default=stages),
        "model.expand": Categorical(0.5, 1.0, 2.0, 4.0, default=1.0),
        "model.kernel": Categorical(3, 5, 7, default=3),
        "model.squeeze": Categorical(False, True, default=False),
        "model.stem_stride": Categorical(1, 2, default=1 if small else 2),
        "model.pool": Categorical(1, 2, default=2 if small else 1),
        "train.lr": Float(5e-3, 6e-2, default=3e-2, log=True),
        "train.weight_decay": Float(5e-3, 2e-1, default=5e-2, log=True),
        "train.label_smoothing": Float(0.0, 0.2, default=0.1),
        "train.shift": Float(0.0, 0.15, default=0.0 if small else 0.07),
        "train.flip": Categorical(False, True, default=False),
        "train.cutout": Float(0.0, 0.4, default=0.0),
        "train.mixup": Float(0.0, 0.4, default=0.0),
    }
    for stage in range(1, stages + 2):
        knobs[f"model.depth{stage}"] = Integer(1, 3, default=2)
    return Space(knobs=knobs)


TINY = 12  # pixels of the shorter side up to which nothing may be thrown away early


def _usual_stages(spec: DataSpec) -> int:
    """So many halvings that the last map is about four pixels wide."""
    side = min(spec.shape[1:])
    return 1 if side <= TINY else 2 if side <= 40 else 3 if side <= 100 else 4


def _draw_image(knobs: Config, spec: DataSpec) -> ConvRecipe:
    channels, height, width = spec.shape
    base, growth = float(knobs["width"]), float(knobs["growth"])
    stages = tuple(
        Stage(width=wide, stride=2, blocks=_blocks(knobs, wide, int(knobs[f"depth{number}"])))
        for number in range(1, int(knobs["stages"]) + 1)
        if (wide := _even(base * growth**number))
    )
    recipe = ConvRecipe(
        outputs=spec.outputs,
        image=(channels, height, width),
        pixel_mean=spec.pixel_mean,
        pixel_std=spec.pixel_std,
        stem=_even(base),
        stem_kernel=5 if min(height, width) > 100 else 3,
        stem_stride=int(knobs["stem_stride"]),
        stages=stages,
    )
    return recipe.replace(pool=min(int(knobs["pool"]), *recipe.last_map))


def _blocks(knobs: Config, width: int, depth: int) -> tuple[Block, ...]:
    """A stage's blocks: a residual stage begins with a plain block that halves the map."""
    kernel = int(knobs["kernel"])
    mid = max(4, _even(width * float(knobs["expand"])))
    squeeze = max(4, mid // 4) if knobs["squeeze"] else 0
    if knobs["block"] == "plain":
        return (Block(kind="plain", kernel=kernel, mid=width),) * (depth - 1) + (Block(kind="plain", kernel=kernel),)
    if knobs["block"] == "residual":
        block = Block(kind="residual", kernel=kernel, mid=mid, squeeze=squeeze)
        return (Block(kind="plain", kernel=kernel), *(block,) * depth)
    return (Block(kind="inverted", kernel=kernel, mid=mid, squeeze=squeeze),) * depth


def _even(width: float) -> int:
    """A whole number of channels that kernels like: a multiple of 8 from 16 on, of 4 below."""
    step = 8 if width >= 16 else 4
    return max(4, round(width / step) * step)


# Tables


def _table_space(spec: DataSpec) -> Space:
    knobs: dict[str, Hyperparameter] = {
        "model.kind": Categorical("mlp", "resnet", default="mlp"),
        "model.width": Integer(16, 256, default=128, log=True),
        "model.depth": Integer(1, 4, default=3),
        "model.heads": Categorical(1, 2, 4, 8, 16, default=4),
        "model.dropout": Float(0.0, 0.4, default=0.1),
        "train.lr": Float(3e-3, 5e-2, default=1.5e-2, log=True),
        "train.weight_decay": Float(1e-3, 3e-1, default=1e-2, log=True),
    }
    if spec.shape[0] > spec.plain:
        knobs["model.embedding"] = Categorical("linear", "piecewise", "periodic", default="periodic")
        knobs["model.frequency"] = Float(0.5, 3.0, default=2.0)
        knobs["model.bins"] = Integer(8, 32, default=16)
        knobs["model.embedded"] = Categorical(8, 16, 24, default=16)
    if spec.cardinalities:
        knobs["model.one_hot"] = Categorical(False, True, default=False)
    return Space(knobs=knobs)


def _draw_table(knobs: Config, spec: DataSpec) -> TableRecipe:
    embedding = str(knobs.get("embedding", "linear"))
    linear = embedding == "linear"
    width, depth, residual = _even(float(knobs["width"])), int(knobs["depth"]), knobs["kind"] == "resnet"
    return TableRecipe(
        outputs=spec.outputs,
        numeric=spec.shape[0],
        plain=spec.plain,
        cardinalities=spec.cardinalities,
        one_hot=bool(knobs.get("one_hot", False)),
        embedding="linear" if linear else "piecewise" if embedding == "piecewise" else "periodic",
        frequency=float(knobs["frequency"]) if embedding == "periodic" else 1.0,
        bins=0 if linear else int(knobs["bins"]),
        embedded=0 if linear else int(knobs["embedded"]),
        kind="resnet" if residual else "mlp",
        width=width,
        mids=(2 * width if residual else width,) * depth,
        heads=int(knobs["heads"]),
        dropout=float(knobs["dropout"]),
    )


# First designs


def first_designs(space: Space, spec: DataSpec, own: Factory | None = None) -> list[Config]:
    """What a study tries first, within its space; of a person's own networks, the one with every knob at its default."""
    return [space.nearest(design) for design in ([{}] if own else initial_designs(spec))]


def initial_designs(spec: DataSpec) -> list[Config]:
    """Known-good configurations from small to large, in an order that spans the front early."""
    space = space_for(spec)
    listed = _IMAGE_DESIGNS if spec.modality == "image" else _TABLE_DESIGNS
    return [space.nearest(design) for design in listed]


def smallest(space: Space) -> Config:
    """The configuration that gives about the fastest network of a space: everything low, and as much cut as may be."""
    low = {name: knob.low for name, knob in space.items() if name.startswith("model.") and knob.low is not None}
    most = {name: knob.high for name, knob in space.items() if name == "lean.ratio" and knob.high is not None}
    found: Config = {name: int(end) if space[name].integer else end for name, end in (low | most).items()}
    return space.nearest(_SMALLEST | found)


_SMALLEST: Config = {
    "model.growth": 1.5,
    "model.block": "plain",
    "model.stem_stride": 2,
    "model.pool": 1,
    "model.embedding": "linear",
    "model.heads": 1,
}
_SHALLOW: Config = {f"model.depth{number}": 1 for number in range(1, 6)}
_IMAGE_DESIGNS: list[Config] = [
    {},
    _SHALLOW | {"model.width": 8, "model.pool": 2},
    _SHALLOW | {"model.block": "residual", "model.width": 24},
    {"model.width": 12, "model.stages": 1, "model.pool": 2},
    _SHALLOW | {"model.width": 4, "model.stages": 1, "model.pool": 2, "model.stem_stride": 2},
    _SHALLOW | {"model.width": 4, "model.stages": 1, "model.pool": 2, "model.stem_stride": 2, "lean.ratio": 0.5},
    {"model.width": 24},
    _SHALLOW | {"model.width": 16, "model.pool": 2},
    _SHALLOW | {"model.block": "residual", "model.width": 16, "model.stem_stride": 1},
    {"model.width": 32, "lean.ratio": 0.5},
]
_TABLE_DESIGNS: list[Config] = [
    {
        "model.embedding": "linear", "model.one_hot": True, "model.depth": 1, "model.width": 32, "model.heads": 8,
        "model.dropout": 0.2, "train.lr": 8e-3,
    },
    {},
    {"model.embedding": "linear", "model.depth": 2, "model.width": 64, "model.heads": 8, "model.dropout": 0.2, "train.lr": 4e-3},
    {"train.lr": 3e-2},
    {"model.frequency": 1.0},
    {"model.kind": "resnet", "model.depth": 2, "model.width": 96},
    {"model.embedding": "linear", "model.depth": 1, "model.width": 16, "model.heads": 1},
    {"model.heads": 1, "model.width": 64, "model.depth": 2},
    {"model.heads": 8, "model.width": 192, "model.embedded": 24, "model.bins": 24},
]  # fmt: skip

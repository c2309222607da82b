"""The space of a study: the hyperparameters of its network family, of training and of pruning."""

from __future__ import annotations

from collections.abc import Mapping

from lepton_automl.custom import custom_recipe
from lepton_automl.factory import Factory
from lepton_automl.family import family_for
from lepton_automl.plans import PLAN_SETTINGS, PrunePlan, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.space import Categorical, Config, Float, Hyperparameter, Setting, Space
from lepton_automl.specs import DataSpec


def space_for(spec: DataSpec, family: str = "") -> Space:
    """Every hyperparameter of a family, of its training and of pruning, by prefixed name.

    Args:
        spec: The data.
        family: The family's name, which every configuration then contains as `model.family`; empty for the modality's usual one.
    """
    named = {FAMILY: Categorical(family, default=family)} if family else {}
    space = family_for(spec, family).space(spec)
    return space | Space(hyperparameters={"prune.ratio": Float(0.0, 0.75, default=0.0), **named})


FAMILY = "model.family"  # the setting that names a family; absent if it is the modality's usual one


def family_in(space: Space) -> str:
    """The name of a space's family; empty if it is the modality's usual one."""
    return str(space[FAMILY].default) if FAMILY in space else ""


def add_hyperparameters(space: Space, spec: DataSpec, changes: Mapping[str, Hyperparameter | Setting]) -> Space:
    """A family's space with some hyperparameters pinned, replaced or added.

    Settings of the training plan that are usually fixed can be added; see `ADDABLE`.

    Raises:
        ConfigError: The family has no such hyperparameter, or a setting is out of range.
    """
    plan = usual_plan(spec, family_in(space))
    added: dict[str, Hyperparameter] = {}
    for name, change in changes.items():
        setting: float | None = getattr(plan, name.removeprefix("train."), None) if name in ADDABLE else None
        if name not in space and setting is not None:
            # The range does not matter: `restrict` pins the setting, which may be any number.
            added[name] = (
                change if isinstance(change, Hyperparameter) else Float(0.0, max(1.0, 2.0 * float(setting)), default=setting)
            )
    return (space | Space(hyperparameters=added)).restrict(changes)


ADDABLE = ("train.batch_size", "train.beta2", "train.warmup", "train.clip", "train.label_smoothing")


def draw(config: Config, spec: DataSpec) -> Recipe:
    """A recipe from the `model.*` hyperparameters (given without their prefix) and the data's shape."""
    recipe: Recipe = family_for(spec, str(config.get("family", ""))).recipe(config, spec)
    return recipe


def full_recipe(config: Config, spec: DataSpec, factory: Factory | None = None) -> Recipe:
    """The recipe of a configuration's network before pruning; for a user-defined network, its factory and settings."""
    return custom_recipe(config, spec, factory) if factory else draw(room(config, "model"), spec)


def final_recipe(config: Config, spec: DataSpec, prune: PrunePlan, factory: Factory | None = None) -> Recipe:
    """The recipe of a configuration's network after pruning, which is measured, deployed and compared."""
    ratio = float(config.get("prune.ratio", prune.ratio))
    return full_recipe(config, spec, factory).scale(1 - ratio, prune.multiple)


SHARES = (0.7, 0.5, 0.35)  # of a parent's channels that its children keep


def children(config: Config, space: Space, spec: DataSpec, prune: PrunePlan) -> list[Config]:
    """Configurations whose networks can be pruned from a trained one: the same with fewer channels.

    Args:
        config: The trained network's configuration.
        space: The search space; without `prune.ratio`, there are no children.
        spec: The data.
        prune: The pruning plan, before `prune.ratio` is set.
    """
    if "prune.ratio" not in space or spec.folds:  # a parent trained on all rows has seen the rows that a fold is scored on
        return []
    remaining, parent = 1 - float(config["prune.ratio"]), final_recipe(config, spec, prune)
    candidates = [config | {"prune.ratio": round(1 - remaining * share, 4)} for share in SHARES]
    recipes = [final_recipe(child, spec, prune) for child in candidates]
    allowed = space["prune.ratio"].allows
    return [
        child
        for number, (child, recipe) in enumerate(zip(candidates, recipes, strict=True))
        if allowed(child["prune.ratio"]) and recipe not in (parent, *recipes[:number])
    ]


def plan_of(config: Config, plan: TrainPlan, spec: DataSpec) -> TrainPlan:
    """A training plan with the `train.*` hyperparameters set.

    Settings of the augmentation change that of the plan; if the plan has none, they change the family's usual one.

    Raises:
        ConfigError: A setting belongs neither to the plan nor to its augmentation.
    """
    settings = room(config, "train")
    if plan.augment is None and not settings.keys() <= PLAN_SETTINGS:
        plan = plan.replace(augment=usual_plan(spec, str(config.get(FAMILY, ""))).augment)
    return plan.with_settings(settings)


def prune_plan_of(config: Config, plan: PrunePlan) -> PrunePlan:
    """A pruning plan with the `prune.*` hyperparameters set."""
    return plan.replace(**room(config, "prune"))


def room(config: Config, name: str) -> Config:
    """The hyperparameters with one prefix, without that prefix."""
    return {
        hyperparameter.removeprefix(f"{name}."): setting
        for hyperparameter, setting in config.items()
        if hyperparameter.startswith(f"{name}.")
    }


def usual_plan(spec: DataSpec, family: str = "") -> TrainPlan:
    """The training plan for networks on these data if time is not limited."""
    return family_for(spec, family).train_plan(spec)


def first_designs(space: Space, spec: DataSpec, factory: Factory | None = None) -> list[Config]:
    """The configurations that a study tries first, within its space; for user-defined networks, only the default one."""
    return [space.nearest(design) for design in ([{}] if factory else initial_designs(spec, family_in(space)))]


def initial_designs(spec: DataSpec, family: str = "") -> list[Config]:
    """Known-good configurations from small to large, in an order that spans the front early."""
    space = space_for(spec, family)
    return [space.nearest(design) for design in family_for(spec, family).initial_designs(spec)]


def smallest(space: Space, spec: DataSpec) -> Config:
    """The configuration of roughly the fastest network in a space: the lowest settings and the highest pruning ratio."""
    low = {
        name: hyperparameter.low
        for name, hyperparameter in space.items()
        if name.startswith("model.") and hyperparameter.low is not None
    }
    most = {
        name: hyperparameter.high
        for name, hyperparameter in space.items()
        if name == "prune.ratio" and hyperparameter.high is not None
    }
    config: Config = {name: int(end) if space[name].integer else end for name, end in (low | most).items()}
    return space.nearest(family_for(spec, family_in(space)).fastest | config)

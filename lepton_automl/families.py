"""The space of a study: the hyperparameters of its network families, of training and of pruning.

A study may search several families. `model.family` then names the family of each configuration, and the hyperparameters of
the others have no effect. Families share a hyperparameter if they define it equally; otherwise the later family has its own,
whose name contains that of the family: `train.lr` and `train.pretrained.lr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from lepton_automl import plugins
from lepton_automl.custom import CUT, custom_recipe
from lepton_automl.factory import Factory
from lepton_automl.family import ScalingFamily, StartingFamily, family_for, family_named
from lepton_automl.modality import modality_of
from lepton_automl.plans import PLAN_SETTINGS, PrunePlan, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.space import Categorical, Config, Float, Hyperparameter, Setting, Space
from lepton_automl.specs import DataSpec

TEACHER = "train.teacher"  # the share of a teacher in the loss; in the space of a study that may have one
SHARES_OF_TEACHER = (0.0, 0.5, 0.9)
FAMILY = "model.family"  # the setting that names a family; absent if it is the modality's usual one


def space_for(spec: DataSpec, names: str | Sequence[str] = "") -> Space:
    """Every hyperparameter of one family or several, of their training and of pruning, by prefixed name.

    Args:
        spec: The data.
        names: The families' names, the default one first; every configuration then contains one as `model.family`. Empty
            for the modality's usual family.
    """
    names = _as_tuple(names)
    hyperparameters: dict[str, Hyperparameter] = {}
    for number, family in enumerate(names or ("",)):
        for name, hyperparameter in family_for(spec, family).space(spec).items():
            # A name that users may add for all families must not be defined by a later one alone.
            shared = number == 0 or name in hyperparameters or name not in ADDABLE
            if not shared or hyperparameters.setdefault(name, hyperparameter) != hyperparameter:
                hyperparameters[own_name(name, family)] = hyperparameter
    hyperparameters[CUT] = Float(0.0, 0.75, default=0.0)
    if names:
        hyperparameters[FAMILY] = Categorical(*names, default=names[0])
    return Space(hyperparameters=hyperparameters)


def own_name(name: str, family: str) -> str:
    """The name of a hyperparameter that an earlier family of the space defines otherwise: `train.<family>.lr`."""
    prefix, _, setting = name.partition(".")
    return f"{prefix}.{family}.{setting}"


def families_in(space: Space) -> tuple[str, ...]:
    """The names of a space's families, the default one first; empty if it has only the modality's usual one."""
    return tuple(map(str, space[FAMILY].choices)) if FAMILY in space else ()


def searched(space: Space, spec: DataSpec) -> Space:
    """The part of a space that is worth drawing from: without families that have no hyperparameters, thus a single network.

    Such a network is one of the first designs.
    """
    names = families_in(space)
    left = [name for name in names if family_named(name).space(spec)]
    if not left or len(left) == len(names):
        return space
    default = str(space[FAMILY].default)
    family = Categorical(*left, default=default if default in left else left[0])
    return space.restrict({FAMILY: family})


def active(config: Config, spec: DataSpec) -> Config:
    """The settings that have an effect, by the names that the configuration's family gives them.

    Args:
        config: Settings by prefixed name.
        spec: The data.
    """
    family = str(config.get(FAMILY, ""))
    if not family:
        return config
    own = {
        name: config.get(own_name(name, family), config.get(name, hyperparameter.default))
        for name, hyperparameter in family_named(family).space(spec).items()
    }
    # What the usual family has is its own; the rest is the user's.
    added = {TEACHER, *ADDABLE} - set(family_for(spec).space(spec))
    # A recipe ignores what it does not know, and may need what the space of smaller images lacks; a training plan does neither.
    others = {name: setting for name, setting in config.items() if not name.startswith("train.") or name in added}
    return others | own


def add_hyperparameters(space: Space, spec: DataSpec, changes: Mapping[str, Hyperparameter | Setting]) -> Space:
    """A study's space with some hyperparameters pinned, replaced or added.

    Settings of the training plan that are usually fixed can be added; see `ADDABLE`. If the families are changed, the
    hyperparameters of those left out are removed.

    Raises:
        ConfigError: The family has no such hyperparameter, or a setting is out of range.
    """
    if FAMILY in changes and FAMILY in space:
        change = changes[FAMILY]
        left = change.choices if isinstance(change, Hyperparameter) else (change,)
        if set(left) < set(space[FAMILY].choices):
            kept = {name: space[name] for name in (TEACHER,) if name in space}
            space = space_for(spec, left) | Space(hyperparameters=kept)
    plan = usual_plan(spec, next(iter(families_in(space)), ""))
    added: dict[str, Hyperparameter] = {}
    for name, change in changes.items():
        setting: float | None = getattr(plan, name.removeprefix("train."), None) if name in ADDABLE else None
        if name not in space and setting is not None:
            # The range does not matter: `restrict` pins the setting, which may be any number.
            added[name] = (
                change if isinstance(change, Hyperparameter) else Float(0.0, max(1.0, 2.0 * float(setting)), default=setting)
            )
    changed = (space | Space(hyperparameters=added)).restrict(changes)
    plan_of(changed.defaults, plan, spec)  # both raise the errors of pinned settings now rather than in every trial
    prune_plan_of(changed.defaults, PrunePlan())
    return changed


def with_teacher(space: Space) -> Space:
    """A space with the share that a teacher has in the loss; by default it has none."""
    return space | Space(hyperparameters={TEACHER: Categorical(*SHARES_OF_TEACHER, default=0.0)})


ADDABLE = ("train.batch_size", "train.beta2", "train.warmup", "train.clip", "train.label_smoothing")


def draw(config: Config, spec: DataSpec) -> Recipe:
    """A recipe from the `model.*` hyperparameters (given without their prefix) and the data's shape."""
    family = str(config.get("family", ""))
    if family:
        config = room(active({f"model.{name}": setting for name, setting in config.items()}, spec), "model")
    recipe: Recipe = family_for(spec, family).recipe(config, spec)
    return recipe


def trial_spec(config: Config, spec: DataSpec, factory: Factory | None = None) -> DataSpec:
    """The data as a configuration's network takes them, such as images in a smaller size.

    Args:
        config: The hyperparameters.
        spec: The study's data.
        factory: What builds the network if it is the user's own; it takes the data as they are stored.
    """
    family = family_for(spec, str(config.get(FAMILY, "")))
    if factory is not None or not isinstance(family, ScalingFamily):
        return spec
    return spec.replace(input=family.input(room(active(config, spec), "model"), spec))


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

    A configuration that names its family gets the usual plan of that family, with the epochs and the seed of the plan.
    Settings of the augmentation change that of the plan; if the plan has none, they change the family's usual one.

    Raises:
        ConfigError: A setting belongs neither to the plan nor to its augmentation.
    """
    if FAMILY in config:
        plan = usual_plan(spec, str(config[FAMILY])).replace(epochs=plan.epochs, seed=plan.seed)
    settings = room(active(config, spec), "train")
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
    """The training plan for networks of a family, by default the usual one, on these data if time is not limited."""
    return family_for(spec, family).train_plan(spec)


def first_designs(space: Space, spec: DataSpec, factory: Factory | None = None) -> list[Config]:
    """The configurations that a study tries first, within its space; for user-defined networks, only the default one."""
    return [space.nearest(design) for design in ([{}] if factory else initial_designs(spec, families_in(space)))]


def usual_names(spec: DataSpec) -> tuple[str, ...]:
    """The families that a study searches by default: the modality's usual one, its baseline, and those with published weights.

    The latter only where such weights are with the data.
    """
    modality = modality_of(spec)
    published = (name for name in plugins.names("families") if isinstance(family_named(name), StartingFamily))
    others = [modality.baseline] * bool(modality.baseline)
    others += [name for name in published if name != modality.family and family_named(name).accepts(spec)]
    return (modality.family, *others) if others else ()


def baselines(space: Space, spec: DataSpec) -> list[Config]:
    """The first designs of families without hyperparameters, with which a study begins whatever its sampler."""
    single = [name for name in families_in(space) if not family_named(name).space(spec)]
    return [design for design in first_designs(space, spec) if design[FAMILY] in single] if single else []


def initial_designs(spec: DataSpec, names: str | Sequence[str] = "") -> list[Config]:
    """Known-good configurations from small to large, in an order that spans the front early.

    Of several families, those without hyperparameters come first, then the designs of the others in turn, each time that of
    published networks first: they learn most in little time.
    """
    names, space = _as_tuple(names), space_for(spec, names)
    designs = {
        name: [_named(design, name, space) for design in family_for(spec, name).initial_designs(spec)]
        for name in names or ("",)
    }
    single = [name for name in names if not family_named(name).space(spec)]
    first = [design for name in single for design in designs.pop(name)]
    published_first = sorted(designs, key=lambda name: not isinstance(family_for(spec, name), StartingFamily))
    rows = zip_longest(*(designs[name] for name in published_first))
    in_turn = [design for row in rows for design in row if design is not None]
    return [space.nearest(design) for design in (*first, *in_turn)]


def _named(design: Config, family: str, space: Space) -> Config:
    """A design of a family with the names that the hyperparameters have in a space of several families."""
    if not family:
        return design
    named = {own if (own := own_name(name, family)) in space else name: setting for name, setting in design.items()}
    return named | {FAMILY: family}


def _as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(names) if not isinstance(names, str) else (names,) if names else ()


def smallest(space: Space, spec: DataSpec) -> Config:
    """The configuration of roughly the fastest network in a space: the lowest settings and the highest pruning ratio.

    Of several families, that with the fewest multiply-accumulates.
    """
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
    configs = [
        space.nearest(_named(family_for(spec, name).fastest, name, space) | config) for name in families_in(space) or ("",)
    ]
    return configs[0] if len(configs) == 1 else min(configs, key=lambda config: full_recipe(config, spec).macs)

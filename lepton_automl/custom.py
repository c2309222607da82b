"""User-defined networks as values: their search space, what their factory receives, and their recipes."""

from __future__ import annotations

from collections.abc import Mapping

from lepton_automl.recipe import CustomRecipe

from .errors import Complaints
from .factory import Factory
from .plans import TrainPlan
from .space import Categorical, Config, Hyperparameter, Setting, Space
from .specs import DataSpec

PREFIXES = ("model", "train")
CUT = "prune.ratio"  # the one hyperparameter that this package applies by itself
EPOCHS = "train.epochs"


def custom_space(space: Mapping[str, Hyperparameter | Setting]) -> Space:
    """The checked search space of user-defined networks.

    Args:
        space: Hyperparameters by name, `model.*` or `train.*`, and `prune.ratio`; a plain value is a fixed hyperparameter,
            which `train.epochs` always is.

    Raises:
        ConfigError: Some names or hyperparameters are not valid; all are listed.
    """
    complaints = Complaints("space")
    complaints.check(
        space, "it is empty", 'Give at least one hyperparameter: space={"model.width": Integer(8, 64, default=16)}.'
    )
    names: dict[str, str] = {}
    for name, hyperparameter in space.items():
        prefix, dot, suffix = str(name).partition(".")
        if not dot or not suffix or (prefix not in PREFIXES and name != CUT):
            complaints.add(
                f"{name!r} is not a valid name of a hyperparameter.",
                f"Use 'model.{suffix or prefix}', 'train.{suffix or prefix}' or {CUT!r}.",
            )
        elif suffix in names:
            complaints.add(f"{names[suffix]!r} and {name!r} would both be config[{suffix!r}].", "Rename one of them.")
        names[suffix] = str(name)
        if isinstance(hyperparameter, Hyperparameter) and name == CUT:
            valid_range = (
                hyperparameter.low is not None
                and hyperparameter.high is not None
                and hyperparameter.low >= 0
                and hyperparameter.high < 1
            )
            complaints.check(valid_range or _shares(hyperparameter.choices), f"{CUT} must be at least 0 and below 1")
        if name == EPOCHS:
            complaints.check(
                isinstance(hyperparameter, int) and not isinstance(hyperparameter, bool) and hyperparameter > 0,
                f"{EPOCHS} cannot be searched: trials are compared at equal epochs",
                f'Give a fixed number, as in {{"{EPOCHS}": 20}}, or leave it out, and the budget decides.',
            )
        if not isinstance(hyperparameter, Hyperparameter | bool | int | float | str):
            complaints.add(
                f"{name} is {hyperparameter!r}", "Give Categorical(...), Float(...), Integer(...), or a fixed value."
            )
    complaints.raise_any()
    hyperparameters = {
        name: hyperparameter
        if isinstance(hyperparameter, Hyperparameter)
        else Categorical(hyperparameter, default=hyperparameter)
        for name, hyperparameter in space.items()
    }
    return Space(hyperparameters={name: hyperparameter for name, hyperparameter in hyperparameters.items() if name != EPOCHS})


def _shares(choices: tuple[object, ...]) -> bool:
    return bool(choices) and all(isinstance(share, int | float) and 0 <= share < 1 for share in choices)


def factory_config(config: Config) -> Config:
    """The config that the factory receives: all hyperparameters without their prefixes, except `prune.ratio`."""
    return {name.partition(".")[2]: setting for name, setting in config.items() if name != CUT}


def custom_recipe(config: Config, spec: DataSpec, factory: Factory) -> CustomRecipe:
    """The recipe of the network before pruning."""
    return CustomRecipe(outputs=spec.outputs, factory=str(factory), config=factory_config(config))


def custom_plan(config: Config, plan: TrainPlan) -> TrainPlan:
    """The plan with the hyperparameters of batches and augmentation set."""
    augment = plan.augment
    planned = ["batch_size", *(augment.to_json() if augment else ())]
    plan = plan.with_settings({name: config[f"train.{name}"] for name in planned if f"train.{name}" in config})
    # A batch of mixed rows would need more than the inputs and targets that a user-defined network receives.
    return plan if plan.augment is None else plan.replace(augment=plan.augment.unmixed())


def custom_epochs(space: Mapping[str, Hyperparameter | Setting], plan: TrainPlan) -> TrainPlan:
    """The plan with the number of epochs that the user's space fixes, if it does."""
    return plan.replace(epochs=space.get(EPOCHS, plan.epochs))

"""A person's own networks on the ground: their space, what their factory is handed, how they are told apart."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import Complaints
from .factory import Factory
from .plans import TrainPlan
from .recipe import CustomRecipe
from .space import Categorical, Config, Hyperparameter, Setting, Space
from .specs import DataSpec

ROOMS = ("model", "train")
CUT = "lean.ratio"  # the one knob that the house turns by itself
PLANNED = ("batch_size", "flip", "shift", "cutout")  # `train.*` knobs that shape the batches, and so need no factory
EPOCHS = "train.epochs"


def custom_space(given: Mapping[str, Hyperparameter | Setting]) -> Space:
    """The space of a person's own networks, checked.

    Args:
        given: Knobs by name, `model.*` or `train.*`, and `lean.ratio`; a plain setting is a knob that stands still, and
            `train.epochs` is always one.

    Raises:
        ConfigError: A name or a knob cannot be; all such are listed.
    """
    complaints = Complaints("space")
    complaints.check(given, "it is empty", 'Name a knob: space={"model.width": Integer(8, 64, default=16)}.')
    seen: dict[str, str] = {}
    for name, knob in given.items():
        room, dot, word = str(name).partition(".")
        if not dot or not word or (room not in ROOMS and name != CUT):
            complaints.add(
                f"{name!r} cannot be a knob's name.", f"Say 'model.{word or room}', 'train.{word or room}' or {CUT!r}."
            )
        elif word in seen:
            complaints.add(f"{seen[word]!r} and {name!r} would both be config[{word!r}].", "Rename one of them.")
        seen[word] = str(name)
        if isinstance(knob, Hyperparameter) and name == CUT:
            whole = knob.low is not None and knob.high is not None and knob.low >= 0 and knob.high < 1
            complaints.check(whole or _shares(knob.choices), f"{CUT} must lie from 0 to below 1")
        if name == EPOCHS:
            complaints.check(
                isinstance(knob, int) and not isinstance(knob, bool) and knob > 0,
                f"{EPOCHS} is no knob: trials are compared at equal epochs",
                f'Give a number, as in {{"{EPOCHS}": 20}}, or leave it out: the budget decides.',
            )
        if not isinstance(knob, Hyperparameter | bool | int | float | str):
            complaints.add(f"{name} is {knob!r}", "Give Categorical(...), Float(...), Integer(...), or a plain setting.")
    complaints.raise_any()
    knobs = {
        name: knob if isinstance(knob, Hyperparameter) else Categorical(knob, default=knob) for name, knob in given.items()
    }
    return Space(knobs={name: knob for name, knob in knobs.items() if name != EPOCHS})


def _shares(choices: tuple[object, ...]) -> bool:
    return bool(choices) and all(isinstance(share, int | float) and 0 <= share < 1 for share in choices)


def handed(config: Config) -> Config:
    """What the factory is handed: every knob without its room's name, but for the cut, which is the house's affair."""
    return {name.partition(".")[2]: setting for name, setting in config.items() if name != CUT}


def custom_recipe(config: Config, spec: DataSpec, factory: Factory) -> CustomRecipe:
    """The network before the cut."""
    return CustomRecipe(outputs=spec.outputs, factory=str(factory), config=handed(config))


def custom_plan(config: Config, plan: TrainPlan) -> TrainPlan:
    """A plan with those knobs turned that shape the batches."""
    known = {name: config[f"train.{name}"] for name in PLANNED if f"train.{name}" in config}
    return plan.replace(mixup=0.0, **known)  # a mixed batch would be more than inputs and targets


def custom_epochs(given: Mapping[str, Hyperparameter | Setting], plan: TrainPlan) -> TrainPlan:
    """A plan with as many epochs as a person's space says, if it does."""
    return plan.replace(epochs=given.get(EPOCHS, plan.epochs))

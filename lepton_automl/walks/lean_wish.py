"""What a person asked of `lean`, and everything that is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lepton_automl.compression.importance import CRITERIA
from lepton_automl.compression.ranking import RANKINGS
from lepton_automl.data.labelled import Labelled, Pairs, hold_out, labelled, read_pairs
from lepton_automl.errors import Complaints, one_of
from lepton_automl.training.own import can_train_itself, loose
from lepton_automl.values import Target, TrainPlan

GOALS = ("ratio", "max_latency_ms", "max_drop")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A goal, and how to reach it; `api.lean` says what each is."""

    ratio: float | None = None
    max_latency_ms: float | None = None
    max_drop: float | None = None
    target: Target = field(default_factory=Target)
    validation: Any = None
    criterion: str
    ranking: str
    steps: int = 1
    epochs: int
    distill: bool
    multiple: int
    blocks: int = 0
    own_steps: bool = False
    plan: TrainPlan


def checked(model: nn.Module, data: Any, wish: Wish) -> Labelled:
    """The rows, after everything that was given has been looked at.

    Raises:
        ConfigError: All that is wrong.
    """
    complaints = Complaints("lean")
    _check_goal(wish, complaints)
    _check_ways(wish, complaints)
    is_module = isinstance(model, nn.Module)
    complaints.check(is_module, f"model is a {type(model).__name__}.", "Give a trained torch.nn.Module.")
    if is_module:
        own = not wish.own_steps or can_train_itself(model)
        complaints.check(own, f"{type(model).__name__} has no training_step of its own.", "Leave own_steps out.")
        ours = all(hasattr(model, name) for name in ("recipe", "width_map"))
        complaints.check(not ours, "model is a network of the search.", "Use lepton_automl.compression.shrink with a recipe.")
    train = read_pairs(data, complaints, "data")
    validation = None if wish.validation is None else read_pairs(wish.validation, complaints, "validation")
    outputs = _try(model, train, complaints) if is_module and train is not None else 1
    complaints.raise_any()
    assert train is not None
    if validation is None:
        train, validation = hold_out(train, wish.plan.seed)
    return labelled(train, validation, outputs, standardise=not wish.own_steps)


def _check_goal(wish: Wish, complaints: Complaints) -> None:
    given = [name for name in GOALS if getattr(wish, name) is not None]
    complaints.check(
        len(given) == 1, f"{len(given)} goals are given.", f"Say exactly one of {', '.join(f'{name}=...' for name in GOALS)}."
    )
    if wish.ratio is not None:
        low = 0 if wish.blocks else 1e-9
        complaints.check(
            _number(wish.ratio) and low <= wish.ratio < 1,
            f"ratio is {wish.ratio!r}; it must be above 0 and below 1.",
            "It is the share of the channels that leave; 0 goes only with blocks.",
        )
    for name in ("max_latency_ms", "max_drop"):
        said = getattr(wish, name)
        good = said is None or (_number(said) and (said > 0 or (name == "max_drop" and said == 0)))
        complaints.check(good, f"{name} is {said!r}; it must be a number above 0.")
    on_target = isinstance(wish.target, Target)
    complaints.check(on_target, f"target is {wish.target!r}.", "Say target=Target(...).")
    if on_target:
        complaints.check(wish.target.device == "cpu", "speed cannot be measured on a GPU yet.", "Say Target(device='cpu').")


def _check_ways(wish: Wish, complaints: Complaints) -> None:
    complaints.check(
        wish.criterion in CRITERIA, f"there is no criterion {wish.criterion!r}.", one_of(str(wish.criterion), CRITERIA)
    )
    complaints.check(wish.ranking in RANKINGS, f"there is no ranking {wish.ranking!r}.", one_of(str(wish.ranking), RANKINGS))
    numbers = {"steps": 1, "epochs": 0, "multiple": 1, "blocks": 0}
    said = {name: getattr(wish, name) for name in numbers} | {"seed": wish.plan.seed, "batch_size": wish.plan.batch_size}
    for name, number in said.items():
        least = numbers.get(name, 0 if name == "seed" else 1)
        whole = isinstance(number, int) and not isinstance(number, bool) and number >= least
        complaints.check(whole, f"{name} is {number!r}; it must be a whole number of at least {least}.")
    complaints.check(_number(wish.plan.lr) and wish.plan.lr > 0, f"lr is {wish.plan.lr!r}; it must be a number above 0.")


def _number(said: object) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said)


def _try(model: nn.Module, train: Pairs, complaints: Complaints) -> int:
    """How many numbers the network gives for a row; complains where they do not fit the targets."""
    rows, targets = train
    device = next((weight.device for weight in model.parameters()), None)
    if device is None:
        complaints.add(f"{type(model).__name__} has no weights.")
        return 1
    training = [(module, module.training) for module in model.modules()]
    try:
        with torch.inference_mode(), loose(model):
            answers = model.eval()(rows[:4].to(device))
    except Exception as error:
        what = f"forward fails on rows {list(rows[:4].shape)}: {type(error).__name__}: {str(error).partition(chr(10))[0]}."
        complaints.add(what, "It is called as model(x) with rows of data.")
        return 1
    finally:
        for module, mode in training:
            module.training = mode
    if not isinstance(answers, Tensor):
        complaints.add(f"forward gives a {type(answers).__name__}.", "It must give one tensor.")
        return 1
    shape, values = list(answers.shape), targets.is_floating_point()
    wanted = "[N] or [N, 1], as the targets are values" if values else "[N, classes] logits, as the targets are whole numbers"
    fits = shape in ([4], [4, 1]) if values else len(shape) == 2 and shape[1] > 1
    complaints.check(fits, f"forward gives {shape} for 4 rows.", f"It must give {wanted}.")
    if fits and not values:
        most = int(targets.max())
        complaints.check(most < shape[1], f"a target is class {most}, and forward gives logits for {shape[1]} classes.")
    return shape[1] if fits and not values else 1

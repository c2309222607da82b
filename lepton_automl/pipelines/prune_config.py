"""What a person asked of `lean`, and everything that is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lepton_automl.compression.importance import CRITERIA
from lepton_automl.compression.ranking import RANKINGS
from lepton_automl.data.labelled import Labelled
from lepton_automl.errors import Complaints, one_of
from lepton_automl.specs import Deployment
from lepton_automl.training.custom import can_train_itself

from .validate_inputs import check_target, given

GOALS = ("ratio", "max_latency_ms", "max_drop")


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """A goal, and how to reach it; `api.lean` says what each is."""

    ratio: float | None = None
    max_latency_ms: float | None = None
    max_drop: float | None = None
    target: Deployment = field(default_factory=Deployment)
    validation: Any = None
    criterion: str
    ranking: str
    steps: int = 1
    epochs: int
    distill: bool
    multiple: int | None = None
    blocks: int = 0
    own_steps: bool = False
    lr: float | None = None
    batch_size: int = 128
    seed: int = 0


def checked(model: nn.Module, data: Any, wish: PruneConfig) -> Labelled:
    """The rows, after everything that was given has been looked at.

    Raises:
        ConfigError: All that is wrong.
    """
    complaints = Complaints("lean")
    _check_goal(wish, complaints)
    _check_ways(wish, complaints)
    check_target(wish.target, complaints)
    if isinstance(model, nn.Module):
        own = not wish.own_steps or can_train_itself(model)
        complaints.check(own, f"{type(model).__name__} has no training_step of its own.", "Leave own_steps out.")
        ours = all(hasattr(model, name) for name in ("recipe", "width_map"))
        complaints.check(not ours, "model is a network of the search.", "Use lepton_automl.compression.shrink with a recipe.")
    return given(model, data, wish.validation, complaints, seed=wish.seed, standardise=not wish.own_steps)


def _check_goal(wish: PruneConfig, complaints: Complaints) -> None:
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


def _check_ways(wish: PruneConfig, complaints: Complaints) -> None:
    complaints.check(
        wish.criterion in CRITERIA, f"there is no criterion {wish.criterion!r}.", one_of(str(wish.criterion), CRITERIA)
    )
    complaints.check(wish.ranking in RANKINGS, f"there is no ranking {wish.ranking!r}.", one_of(str(wish.ranking), RANKINGS))
    for name, least in {"steps": 1, "epochs": 0, "multiple": 1, "blocks": 0, "seed": 0, "batch_size": 1}.items():
        number = getattr(wish, name)
        whole = isinstance(number, int) and not isinstance(number, bool) and number >= least
        complaints.check(
            whole or (name == "multiple" and number is None),
            f"{name} is {number!r}; it must be a whole number of at least {least}.",
        )
    complaints.check(wish.lr is None or (_number(wish.lr) and wish.lr > 0), f"lr is {wish.lr!r}; it must be a number above 0.")


def _number(said: object) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said)

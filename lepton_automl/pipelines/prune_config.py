"""The options of `lean`, and their validation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lepton_automl.compression.importance import CRITERIA
from lepton_automl.compression.ranking import RANKINGS
from lepton_automl.data.labelled import LabelledSplits
from lepton_automl.errors import Complaints, one_of
from lepton_automl.specs import Deployment
from lepton_automl.training.custom import can_train_itself

from .validate_inputs import check_deployment, validate_inputs

GOALS = ("ratio", "max_latency_ms", "max_score_drop")


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """The goal and method of pruning; `lepton_automl.lean` documents the fields."""

    ratio: float | None = None
    max_latency_ms: float | None = None
    max_score_drop: float | None = None
    deployment: Deployment = field(default_factory=Deployment)
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


def validated_rows(model: nn.Module, data: Any, config: PruneConfig) -> LabelledSplits:
    """Validate all arguments and read the rows.

    Raises:
        ConfigError: The arguments are invalid; all problems are listed.
    """
    complaints = Complaints("lean")
    _check_goal(config, complaints)
    _check_method(config, complaints)
    check_deployment(config.deployment, complaints)
    if isinstance(model, nn.Module):
        trainable = not config.own_steps or can_train_itself(model)
        complaints.check(trainable, f"{type(model).__name__} has no training_step of its own.", "Leave own_steps out.")
        is_lepton_net = all(hasattr(model, name) for name in ("recipe", "width_map"))
        complaints.check(not is_lepton_net, "model is a RecipeNet.", "Use lepton_automl.compression.shrink with a recipe.")
    return validate_inputs(model, data, config.validation, complaints, seed=config.seed, standardise=not config.own_steps)


def _check_goal(config: PruneConfig, complaints: Complaints) -> None:
    goals = [name for name in GOALS if getattr(config, name) is not None]
    complaints.check(
        len(goals) == 1, f"{len(goals)} goals are given.", f"Pass exactly one of {', '.join(f'{name}=...' for name in GOALS)}."
    )
    if config.ratio is not None:
        low = 0 if config.blocks else 1e-9
        complaints.check(
            _number(config.ratio) and low <= config.ratio < 1,
            f"ratio is {config.ratio!r}; it must be above 0 and below 1.",
            "It is the share of removed channels; 0 is allowed only with blocks.",
        )
    for name in ("max_latency_ms", "max_score_drop"):
        value = getattr(config, name)
        good = value is None or (_number(value) and (value > 0 or (name == "max_score_drop" and value == 0)))
        complaints.check(good, f"{name} is {value!r}; it must be a number above 0.")


def _check_method(config: PruneConfig, complaints: Complaints) -> None:
    complaints.check(
        config.criterion in CRITERIA, f"there is no criterion {config.criterion!r}.", one_of(str(config.criterion), CRITERIA)
    )
    complaints.check(
        config.ranking in RANKINGS, f"there is no ranking {config.ranking!r}.", one_of(str(config.ranking), RANKINGS)
    )
    for name, least in {"steps": 1, "epochs": 0, "multiple": 1, "blocks": 0, "seed": 0, "batch_size": 1}.items():
        number = getattr(config, name)
        valid = isinstance(number, int) and not isinstance(number, bool) and number >= least
        complaints.check(
            valid or (name == "multiple" and number is None),
            f"{name} is {number!r}; it must be an integer of at least {least}.",
        )
    complaints.check(
        config.lr is None or (_number(config.lr) and config.lr > 0), f"lr is {config.lr!r}; it must be a number above 0."
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

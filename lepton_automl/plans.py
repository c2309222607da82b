"""How a network is trained and pruned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ._json import Value
from .errors import Complaints, ConfigError
from .plugin_value import PluginValue

SEEDS = 1 << 63  # seeds of torch's generators are below


@dataclass(frozen=True, kw_only=True)
class Augmentation(PluginValue):
    """How training rows are changed at random: the part of a `TrainPlan` that belongs to a modality."""

    group = "modalities"
    role = "Augmentation"

    def unmixed(self) -> Augmentation:
        """The same without mixing of rows, so that each row keeps its own target."""
        return self


@dataclass(frozen=True, kw_only=True)
class TrainPlan(Value):
    """How to train one network: schedule-free AdamW, which is scored with averaged weights and needs no fixed horizon.

    Args:
        epochs: Passes over the training rows, including the recovery after pruning.
        batch_size: Rows in one optimiser step.
        lr: The learning rate after the warm-up.
        weight_decay: Decoupled weight decay of weight matrices and kernels.
        beta2: Decay rate of AdamW's second moment.
        warmup: Steps in which the rate rises; at most two epochs.
        label_smoothing: Share of the target mass spread over all classes.
        clip: Maximum norm of the gradient.
        augment: How training rows are changed at random, by their modality; None to leave them as they are.
        teacher: Share of the loss that is the distance to a teacher's answers, where there are some, 0 to 1.
        precision: On a GPU, `"bf16"` (mixed) or `"32"`; a CPU computes in 32 bits anyway.
        seed: The seed of everything random.

    Raises:
        ConfigError: A number is out of range; all such numbers are listed.
    """

    epochs: int = 10
    batch_size: int = 128
    lr: float = 1e-2
    weight_decay: float = 1e-2
    beta2: float = 0.999
    warmup: int = 200
    label_smoothing: float = 0.0
    clip: float = 1.0
    augment: Augmentation | None = None
    teacher: float = 0.0
    precision: Literal["32", "bf16"] = "bf16"
    seed: int = 0

    def __post_init__(self) -> None:
        complaints = Complaints("train")
        _check_ranges(self, complaints, {"epochs": 0, "batch_size": 1, "lr": 0, "weight_decay": 0, "warmup": 0})
        _check_ranges(self, complaints, {"beta2": 0, "label_smoothing": 0}, below=1)
        complaints.check(self.clip > 0, f"clip is {self.clip!r}; it must be above 0")
        complaints.raise_any()

    def with_settings(self, settings: Mapping[str, Any]) -> TrainPlan:
        """The plan with some settings changed, including those of its augmentation.

        Args:
            settings: By the names of the fields, here or in the augmentation.
        """
        plan_settings = {name: value for name, value in settings.items() if name in PLAN_SETTINGS}
        augment_settings = {name: value for name, value in settings.items() if name not in PLAN_SETTINGS}
        if augment_settings and self.augment is not None:
            plan_settings["augment"] = self.augment.replace(**augment_settings)
        elif augment_settings:
            raise ConfigError(f"a training plan has no {', '.join(augment_settings)}", where="train", fix="Leave it out.")
        return self.replace(**plan_settings)


PLAN_SETTINGS = frozenset(field.name for field in fields(TrainPlan))  # the others are those of its augmentation


@dataclass(frozen=True, kw_only=True)
class PrunePlan(Value):
    """How a network is pruned during its training.

    Args:
        ratio: Share of the channels to remove, from 0 (none) to below 1.
        cut_at: Share of the epochs after which it is pruned; the rest is recovery.
        multiple: Channel counts are rounded to multiples of this.
        recovery: Epochs of a child, which is pruned from a trained parent, as a share of those of a full training.

    Raises:
        ConfigError: A number is out of range; all such numbers are listed.
    """

    ratio: float = 0.0
    cut_at: float = 0.05
    multiple: int = 8
    recovery: float = 1 / 3

    def __post_init__(self) -> None:
        complaints = Complaints("prune")
        _check_ranges(self, complaints, {"ratio": 0, "cut_at": 0}, below=1)
        _check_ranges(self, complaints, {"multiple": 1, "recovery": 0})
        complaints.raise_any()

    def recovery_epochs(self, epochs: int) -> int:
        """The number of epochs that a child gets, at least one."""
        return max(1, round(self.recovery * epochs))

    def cut_epoch(self, epochs: int) -> int:
        """The number of epochs before pruning, at least one; if there are two or more, at least one is left for recovery."""
        return max(1, min(round(self.cut_at * epochs), epochs - 1))


def _check_ranges(plan: Value, complaints: Complaints, lowest: Mapping[str, float], below: float = math.inf) -> None:
    """Add a complaint about each number of a plan that is too low, or not below an upper end."""
    for name, low in lowest.items():
        number = getattr(plan, name)
        upper = "" if math.isinf(below) else f" and below {below:g}"
        complaints.check(low <= number < below, f"{name} is {number!r}; it must be at least {low:g}{upper}")

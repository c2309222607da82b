"""How a network is trained and pruned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ._json import Value
from .errors import ConfigError
from .plugin_value import PluginValue


@dataclass(frozen=True, kw_only=True)
class Augmentation(PluginValue):
    """How training rows are changed at random: the part of a `TrainPlan` that belongs to a modality."""

    group = "modalities"
    role = "Augmentation"

    def unmixed(self) -> Augmentation:
        """The same where each row stays a row of its own, with its own target."""
        return self


@dataclass(frozen=True, kw_only=True)
class TrainPlan(Value):
    """How to train one network: schedule-free AdamW, whose scores are those of averaged weights and need no horizon.

    Args:
        epochs: Passes over the training rows, the recovery after the cut included.
        batch_size: Rows in one optimiser step.
        lr: The learning rate after the warm-up.
        weight_decay: Decoupled weight decay of weight matrices and kernels.
        beta2: Memory of AdamW's second moment.
        warmup: Steps in which the rate rises, two epochs at most.
        label_smoothing: Share of the target mass spread over all classes.
        clip: Largest norm of the gradient.
        augment: How training rows are changed at random, by their modality; None to leave them as they are.
        precision: On a GPU, `"bf16"` (mixed) or `"32"`; a CPU computes in 32 bits anyway.
        seed: Seeds everything.
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
    precision: Literal["32", "bf16"] = "bf16"
    seed: int = 0

    def with_settings(self, settings: Mapping[str, Any]) -> TrainPlan:
        """The plan with some settings changed, those of its augmentation among them.

        Args:
            settings: By the names of the fields, here or in the augmentation.
        """
        own = {name: value for name, value in settings.items() if name in PLAN_SETTINGS}
        others = {name: value for name, value in settings.items() if name not in PLAN_SETTINGS}
        if others and self.augment is not None:
            own["augment"] = self.augment.replace(**others)
        elif others:
            raise ConfigError(f"a training plan has no {', '.join(others)}", where="train", fix="Leave it out.")
        return self.replace(**own)


PLAN_SETTINGS = frozenset(field.name for field in fields(TrainPlan))  # the others are those of its augmentation


@dataclass(frozen=True, kw_only=True)
class PrunePlan(Value):
    """How a network is made smaller on its way.

    Args:
        ratio: Share of the channels to remove, from 0 (none) to below 1.
        cut_at: Share of the epochs after which the cut falls; the rest recovers.
        multiple: Channel counts are rounded to multiples of this.
        recovery: Epochs of a child, which is cut out of a trained parent, as a share of a whole training's.
    """

    ratio: float = 0.0
    cut_at: float = 0.05
    multiple: int = 8
    recovery: float = 1 / 3

    def recovery_epochs(self, epochs: int) -> int:
        """The number of epochs that a child gets, at least one."""
        return max(1, round(self.recovery * epochs))

    def cut_epoch(self, epochs: int) -> int:
        """The number of epochs before the cut, so that at least one is left to recover."""
        return max(1, min(round(self.cut_at * epochs), epochs - 1))

"""How a network is trained and pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._json import Value


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
        flip: Whether images may be mirrored (never for digits or text).
        shift: Largest random shift of an image, as a share of its side.
        cutout: Side of the square that is blanked, as a share of the image's side.
        mixup: Parameter of the Beta distribution that mixes pairs; 0 for none.
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
    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    precision: Literal["32", "bf16"] = "bf16"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LeanPlan(Value):
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

"""What `compile` was given, checked: the optimiser, the loss and the metrics; and the last layer that fits the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from lepton_automl._json import Value
from lepton_automl.errors import Complaints, ConfigError, one_of
from lepton_automl.layers import Layer
from lepton_automl.task import all_metrics
from lepton_automl.training.optimizers import OPTIMIZERS

from .adding import LAST

Answer = Literal["classes", "two classes", "number"]
Schedule = Literal["linear", "constant"]
SCHEDULES = ("linear", "constant")
# What the last layer answers, by the loss.
LOSSES: dict[str, Answer] = {
    "categorical_crossentropy": "classes",
    "sparse_categorical_crossentropy": "classes",
    "binary_crossentropy": "two classes",
    "mse": "number",
    "mae": "number",
}
LONG_WORDS = {"mean_squared_error": "mse", "mean_absolute_error": "mae", "acc": "accuracy"}
SQUARED, ACCURACY = "mse", "accuracy"


@dataclass(frozen=True, kw_only=True)
class Compiled(Value):
    """How a network is trained and scored.

    Args:
        optimizer: The name of the optimiser.
        learning_rate: Its learning rate; None for its usual one.
        schedule: Whether the rate falls to zero during each `fit`, or is constant.
        loss: The name of the loss.
        metrics: The names of the metrics, in the order in which `evaluate` returns them.
    """

    optimizer: str
    learning_rate: float | None = None
    schedule: Schedule = "linear"
    loss: str
    metrics: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """What the last layer answers."""
        return LOSSES[self.loss]

    @property
    def rate(self) -> float:
        """The learning rate."""
        return OPTIMIZERS[self.optimizer].lr if self.learning_rate is None else self.learning_rate


def compiled(*, optimizer: Any, loss: Any, metrics: Any, learning_rate: Any, schedule: Any) -> Compiled:
    """The checked arguments of `compile`.

    Raises:
        ConfigError: Some are wrong; all are listed.
    """
    complaints = Complaints("compile")
    if optimizer not in OPTIMIZERS:
        complaints.add(f"there is no optimizer {optimizer!r}.", one_of(str(optimizer), OPTIMIZERS))
    loss = LONG_WORDS.get(str(loss), loss)
    if loss not in LOSSES:
        complaints.add(f"there is no loss {loss!r}.", one_of(str(loss), [*LOSSES, *list(LONG_WORDS)[:2]]))
    named = [metrics] if isinstance(metrics, str) else list(metrics or ())
    words = tuple(LONG_WORDS.get(str(metric), str(metric)) for metric in named)
    known = [*all_metrics(), SQUARED]
    for metric, word in zip(named, words, strict=True):
        complaints.check(word in known, f"there is no metric {metric!r}.", one_of(str(metric), known))
    rate = learning_rate
    valid = rate is None or (isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate < float("inf"))
    complaints.check(
        valid, f"learning_rate is {rate!r}.", "Give a number above 0, or leave it out for the optimizer's usual one."
    )
    complaints.check(schedule in SCHEDULES, f"schedule is {schedule!r}.", one_of(str(schedule), SCHEDULES))
    complaints.raise_any()
    rate = None if rate is None else float(rate)
    return Compiled(optimizer=optimizer, loss=loss, metrics=words, learning_rate=rate, schedule=schedule)


def check_last(layers: Sequence[Layer], names: Sequence[str], loss: str) -> Layer:
    """The last layer, which fits the loss.

    Raises:
        ConfigError: There is none, or it does not fit.
    """
    if not layers:
        fix = "Add them first: model.add_conv2d(3, 32, activation='relu') and so on."
        raise ConfigError("the network has no layers", where="fit", fix=fix)
    last, complaints = layers[-1], Complaints(names[-1])
    if last.kind != "dense":
        complaints.add("the last layer must be dense.", "End with model.add_dense(classes, activation='softmax').")
        complaints.raise_any()
    for layer, name in zip(layers[:-1], names, strict=False):
        if layer.activation == "softmax":
            raise ConfigError("only the last layer may end with softmax", where=name, fix="Use 'relu' here.")
    answer, then, units = LOSSES[loss], last.activation, last.width
    wanted = {"classes": ("softmax", ""), "two classes": ("sigmoid", ""), "number": ("",)}[answer]
    if then not in wanted:
        shown = f"activation={wanted[0]!r}" if wanted[0] else "no activation"
        complaints.add(f"its activation {then!r} does not fit the loss {loss!r}.", f"Give it {shown}.")
    if answer == "classes" and units == 1:
        fix = "Give it a unit for each class, or use loss='binary_crossentropy' with activation='sigmoid'."
        complaints.add(f"it has one unit, and the loss {loss!r} needs one for each class.", fix)
    if answer != "classes" and units != 1:
        fix = (
            "Give it one unit."
            if then not in LAST or answer == "number"
            else "Give it one unit, or use softmax with a crossentropy."
        )
        complaints.add(f"it has {units} units, and the loss {loss!r} needs one.", fix)
    complaints.raise_any()
    return last


def loss_of(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean loss.

    Args:
        name: One of `LOSSES`.
        outputs: Logits [N, K], or values [N, 1].
        targets: Class indices int64 [N], or values float32 [N].
    """
    if LOSSES[name] != "number":
        return functional.cross_entropy(outputs, targets)
    values = outputs.reshape(-1)
    return functional.mse_loss(values, targets) if name == SQUARED else functional.l1_loss(values, targets)


def right(outputs: Tensor, targets: Tensor) -> Tensor:
    """How many of the classes are right."""
    return (outputs.argmax(1) == targets).sum()


def answers_of(outputs: Tensor, answer: Answer) -> Tensor:
    """Probabilities [N, K] of logits, or [N, 1] of the second of two classes, or values [N, 1]."""
    if answer == "number":
        return outputs
    probabilities = torch.softmax(outputs, 1)
    return probabilities if answer == "classes" else probabilities[:, 1:]

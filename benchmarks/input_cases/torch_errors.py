"""Short messages for PyTorch's errors, and clear errors about recurrent layers and Lightning's attributes."""

# ruff: noqa: ARG001, N812  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lepton_automl import accelerate, lean
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.errors import LeptonError
from lepton_automl.models.plain import INPUT, Bare

from .case import case
from .networks import Calls, answers_alike, branch_on_values, pictures
from .trained_networks import labelled, leaned, plain

WORDS = "B errors of PyTorch inside ours"
NAMED = "B clear errors about GRU and Lightning's attributes"


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except LeptonError as error:
        return str(error)
    raise AssertionError("it was not rejected")


def _plain_words(message: str) -> None:
    assert "\x1b" not in message and "Next steps" not in message and "pytorch.org" not in message, message
    assert len(message.splitlines()) <= 2 and len(message) < 700, message


@case(WORDS, "a branch on values", slow=True)
def _essay(folder: Path) -> None:
    _plain_words(_refusal(lambda: export(Bare(Calls(branch_on_values).eval()), {INPUT: pictures()}, folder / "model.onnx")))


@case(WORDS, "shapes that do not match")
def _shapes(folder: Path) -> None:
    message = _refusal(lambda: accelerate(nn.Sequential(nn.Flatten(), nn.Linear(63, 4)), labelled(), progress=False))
    _plain_words(message)
    assert "mat1 and mat2 shapes cannot be multiplied" in message, message


@case(WORDS, "invalid arguments, with torch's long explanation")
def _signature(folder: Path) -> None:
    message = _refusal(lambda: lean(Calls(lambda rows: torch.conv2d(rows, 3)), labelled(), ratio=0.5, progress=False))  # type: ignore[call-overload]  # on purpose
    _plain_words(message)


@case(WORDS, "a file that is not a model")
def _no_model(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"\x1b[31mno model\x1b[0m")
    _plain_words(_refusal(lambda: OnnxModel(folder / "model.onnx")))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.steps, self.leave = kind(8, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(self.steps(rows[:, 0])[0][:, -1])


class Lit(pl.LightningModule):
    """Its forward pass uses attributes that a Trainer sets."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, rows: Tensor) -> Tensor:
        self.logger.experiment.add_scalar("mean", rows.mean())  # type: ignore[union-attr]  # on purpose
        return self.body(rows)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        del batch_idx
        return F.cross_entropy(self(batch[0]), batch[1])


class Epoch(Lit):
    def forward(self, rows: Tensor) -> Tensor:
        return self.body(rows) * (1 + self.trainer.current_epoch)


@case(NAMED, "lean on a GRU", refused="'steps' is a GRU", slow=True)
def _gru(folder: Path) -> None:
    leaned(Recurrent(nn.GRU))


@case(NAMED, "lean on an LSTM", refused="'steps' is a LSTM", slow=True)
def _lstm(folder: Path) -> None:
    leaned(Recurrent(nn.LSTM))


@case(NAMED, "a GRU, exported", slow=True)
def _gru_file(folder: Path) -> None:
    answers_alike(Recurrent(nn.GRU), folder)


@case(NAMED, "self.logger", refused="the forward pass of Lit uses self.logger, which only a Trainer sets")
def _logger(folder: Path) -> None:
    accelerate(Lit(), labelled(), progress=False)


@case(NAMED, "self.trainer", refused="the forward pass of Epoch uses self.trainer, which only a Trainer sets")
def _trainer(folder: Path) -> None:
    lean(Epoch(), labelled(), ratio=0.5, progress=False)

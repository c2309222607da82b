"""Networks that are pruned except for some layers: recurrent ones, layers that only training uses, computed weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from .case import case
from .more_networks import cut

RECURRENT = "B a recurrent layer"
TRAINING = "B a layer that only training uses"
COMPUTED = "B weights computed from others"


def head(width: int) -> nn.Sequential:
    """Layers that can be pruned."""
    return nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3))


class Gated(nn.Module):
    """The last state of a GRU, concatenated with the mean of all states."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(4, 8, batch_first=True), head(16)

    def forward(self, rows: Tensor) -> Tensor:
        steps, last = self.rnn(rows)
        answers: Tensor = self.head(torch.cat([steps.mean(1), last[-1]], 1))
        return answers


class Convolved(nn.Module):
    """Convolutions before an LSTM: those that feed it keep their width."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.Conv1d(4, 64, 3, padding=1), nn.ReLU(), nn.Conv1d(64, 8, 3, padding=1), nn.ReLU())
        self.rnn, self.leave = nn.LSTM(8, 8, batch_first=True), head(8)

    def forward(self, rows: Tensor) -> Tensor:
        steps, _ = self.rnn(self.before(rows.transpose(1, 2)).transpose(1, 2))
        answers: Tensor = self.leave(steps[:, -1])
        return answers


class Cells(nn.Module):
    """A recurrent cell in a loop, followed by layers."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.leave = nn.LSTMCell(4, 8), head(8)

    def forward(self, rows: Tensor) -> Tensor:
        state = (rows.new_zeros(len(rows), 8), rows.new_zeros(len(rows), 8))
        for step in rows.unbind(1):
            state = self.cell(step, state)
        answers: Tensor = self.leave(state[0])
        return answers


class Deep(nn.Module):
    """Two auxiliary outputs during training, each from another depth."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 8)) for _ in range(3))
        self.extra, self.leave = nn.ModuleList([nn.Linear(8, 3), nn.Linear(8, 3)]), nn.Linear(8, 3)

    def forward(self, rows: Tensor) -> Tensor:
        answers: Tensor = rows.new_zeros(())
        for number, part in enumerate(self.parts):
            rows = part(rows).relu()
            if self.training and number < 2:
                answers = answers + 0.3 * self.extra[number](rows)
        final: Tensor = self.leave(rows)
        return answers + final if self.training else final


class Projected(nn.Module):
    """A projection for a contrastive loss that only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.project, self.leave = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.Linear(32, 16)), nn.Linear(64, 3)

    def forward(self, rows: Tensor) -> Tensor:
        features = self.body(rows)
        answers: Tensor = self.leave(features)
        return answers + self.project(features).square().mean() if self.training else answers


class Skips(nn.Module):
    """A block that training skips at random, as in stochastic depth."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.block, self.leave = nn.Linear(8, 64), nn.Sequential(nn.Linear(64, 64), nn.ReLU()), head(64)

    def forward(self, rows: Tensor) -> Tensor:
        rows = self.enter(rows).relu()
        if not self.training or torch.rand(()) < 0.8:
            rows = rows + self.block(rows)
        answers: Tensor = self.leave(rows)
        return answers


class Positive(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.exp()


def _positive(layer: nn.Linear) -> nn.Linear:
    parametrize.register_parametrization(layer, "weight", Positive())
    return layer


def _computed(wrap: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return nn.Sequential(wrap(nn.Linear(8, 64)), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))


STEPS, ROWS = (4, 6, 4), (4, 8)
NETWORKS: list[tuple[str, str, Callable[[], nn.Module], tuple[int, ...]]] = [
    (RECURRENT, "a GRU, its last state and the mean of all", Gated, STEPS),
    (RECURRENT, "convolutions before an LSTM", Convolved, STEPS),
    (RECURRENT, "cells in a loop, then layers", Cells, STEPS),
    (TRAINING, "outputs from three depths", Deep, ROWS),
    (TRAINING, "a projection with a batch norm", Projected, ROWS),
    (TRAINING, "a block skipped at random", Skips, ROWS),
    (COMPUTED, "spectral norm", lambda: _computed(parametrizations.spectral_norm), ROWS),
    (COMPUTED, "orthogonal weights", lambda: _computed(parametrizations.orthogonal), ROWS),
    (COMPUTED, "weights from a custom parametrization", lambda: _computed(_positive), ROWS),  # type: ignore[arg-type]  # linear layers
]


def _cut(kind: str, name: str, make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    @case(kind, name)
    def body(folder: Path) -> None:
        del folder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, rows = make().eval(), torch.rand(shape)
            before = model(rows).detach()
            small = cut(model, rows)
            assert torch.equal(model(rows), before), "the outputs of the given network changed"
            small.train()(rows)  # layers that only training uses fit the rest


for _network in NETWORKS:
    _cut(*_network)

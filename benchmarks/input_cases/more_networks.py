"""Networks on whose layers pruning once failed: one weight for all channels, computed weights, other libraries."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lepton_automl.compression.prune import PruneOptions, prune

from .case import case

PRELU = "B PReLU with one weight"


def cut(model: nn.Module, rows: Tensor) -> nn.Module:
    """Prune half of the channels; pruning itself checks the outputs of the remaining network."""
    small = prune(model.eval(), PruneOptions(ratio=0.5, multiple=4), rows).model
    before, after = (sum(weight.numel() for weight in network.parameters()) for network in (model, small))
    assert after < 0.7 * before
    assert small(rows).shape == model(rows).shape
    return small


@case(PRELU, "after convolutions")
def _after_convolutions(folder: Path) -> None:
    del folder
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.PReLU(), nn.Conv2d(16, 32, 3), nn.PReLU(), nn.Flatten(), nn.Linear(512, 4))
    small = cut(model, torch.rand(4, 1, 8, 8))
    assert [layer.weight.numel() for layer in small.modules() if isinstance(layer, nn.PReLU)] == [1, 1]


@case(PRELU, "between linear layers")
def _between_linear_layers(folder: Path) -> None:
    del folder
    cut(nn.Sequential(nn.Linear(8, 32), nn.PReLU(), nn.Linear(32, 32), nn.PReLU(), nn.Linear(32, 3)), torch.rand(4, 8))


@case(PRELU, "one layer used twice")
def _one_layer_used_twice(folder: Path) -> None:
    del folder
    act = nn.PReLU()
    cut(nn.Sequential(nn.Linear(8, 32), act, nn.Linear(32, 24), act, nn.Linear(24, 3)), torch.rand(4, 8))


@case(PRELU, "together with one with a weight per channel")
def _beside_one_for_each_channel(folder: Path) -> None:
    del folder
    model = nn.Sequential(nn.Linear(8, 32), nn.PReLU(32), nn.BatchNorm1d(32), nn.PReLU(), nn.Linear(32, 3))
    small = cut(model, torch.rand(4, 8))
    assert [layer.weight.numel() for layer in small.modules() if isinstance(layer, nn.PReLU)] == [16, 1]


@case("B weights computed from others", "weight norm is pruned and stays weight norm")
def _weight_norm(folder: Path) -> None:
    del folder
    norm = parametrizations.weight_norm
    model = nn.Sequential(norm(nn.Linear(8, 32)), nn.ReLU(), norm(nn.Linear(32, 32)), nn.ReLU(), nn.Linear(32, 3))
    rows = torch.rand(4, 8)
    before = model(rows).detach()
    assert list(cut(model, rows).state_dict()) == list(model.state_dict())
    assert torch.equal(model(rows), before)


@case("B a recurrent layer", "layers after it are pruned")
def _recurrent(folder: Path) -> None:
    del folder

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(4, 8, num_layers=2, bidirectional=True, batch_first=True)
            self.head = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3))

        def forward(self, rows: Tensor) -> Tensor:
            _, (last, _) = self.rnn(rows)
            answers: Tensor = self.head(torch.cat([last[-2], last[-1]], 1))
            return answers

    cut(Reader(), torch.rand(4, 6, 4))


@case("B a recurrent layer", "only cells in a loop", refused="recurrent layer mixes its channels")
def _cells(folder: Path) -> None:
    del folder

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.GRUCell(4, 16), nn.Linear(16, 3)

        def forward(self, rows: Tensor) -> Tensor:
            state = rows.new_zeros(len(rows), 16)
            for step in rows.unbind(1):
                state = self.cell(step, state)
            answers: Tensor = self.head(state)
            return answers

    cut(Loop(), torch.rand(4, 6, 4))


@case("B a layer that only training uses", "an auxiliary head keeps its inputs")
def _auxiliary(folder: Path) -> None:
    del folder

    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.extra = nn.Linear(8, 16), nn.Linear(16, 3)
            self.body = nn.Sequential(nn.ReLU(), nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 3))

        def forward(self, rows: Tensor) -> Tensor:
            low = self.stem(rows)
            answers: Tensor = self.body(low)
            return answers + self.extra(low) if self.training else answers

    small = cut(Auxiliary(), torch.rand(4, 8))
    small.train()(torch.rand(4, 8))

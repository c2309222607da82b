"""The state of a network that is passed in: export, lean and accelerate keep its modes, weights and gradients."""

# ruff: noqa: ARG001, N812, PLW0108  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lepton_automl import Deployment, accelerate

from .case import case
from .networks import SUBCLASS, Frozen, answers_alike, unchanged
from .trained_networks import accuracy, labelled, leaned, plain, taught


class Folded(nn.BatchNorm2d):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).abs()


@case(SUBCLASS, "accelerated, with the scores of the network itself", slow=True)
def _accelerated(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain(Folded(16)))
    with unchanged(net):
        fast = accelerate(
            net, labelled(), validation=labelled(), deployment=Deployment(runtimes=("onnxruntime",)), progress=False
        )
    assert accuracy(net) > 0.95 and abs(fast.before["accuracy"] - accuracy(net)) < 1e-9, repr(fast)
    assert fast.after["accuracy"] >= fast.before["accuracy"] - 0.01, repr(fast)
    answers = fast.predict(labelled()[0]).argmax(1)
    assert (answers == labelled()[1].numpy()).mean() >= fast.after["accuracy"] - 1e-9


STATE = "A2 the state of the given network"


@case(STATE, "lean: evaluation mode stays, one row per call")
def _lean_eval(folder: Path) -> None:
    torch.manual_seed(0)
    small = leaned(taught(plain()))
    assert not any(part.training for part in small.modules())
    with unchanged(small):
        assert accuracy(small) > 0.9


@case(STATE, "lean: training mode stays, and a frozen part stays frozen", slow=True)
def _lean_train(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain()).train()
    net[1].eval()  # type: ignore[index]  # a Sequential
    small = leaned(net, epochs=0)
    assert small.training and not small[1].training and small[3].training  # type: ignore[index]  # likewise


@case(STATE, "lean: frozen weights, gradients and a frozen norm", slow=True)
def _lean_frozen(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain(Frozen(16)))
    next(net.parameters()).requires_grad_(requires_grad=False)
    F.cross_entropy(net(labelled()[0]), labelled()[1]).backward()
    small = leaned(net, epochs=0)
    assert [parameter.requires_grad for parameter in small.parameters()] == [
        parameter.requires_grad for parameter in net.parameters()
    ]
    norm = small[1]  # type: ignore[index]  # a Sequential
    assert not bool((norm.running_var == 1).all()), "its statistics were discarded"


@case(STATE, "lean: a network that it rejects", refused="a copy of Sequential still uses the weights '1.weight'")
def _lean_refuses(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain())
    before = net[1].forward  # type: ignore[index]  # a Sequential
    net[1].forward = lambda rows: before(rows)  # type: ignore[index]  # likewise
    leaned(net)


@case(STATE, "lean: weight_norm, whose weights stem from the last call", slow=True)
def _lean_weight_norm(folder: Path) -> None:
    torch.manual_seed(0)
    net = plain()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(net[0])  # type: ignore[index]  # a Sequential
    taught(net)
    net(labelled()[0])
    small = leaned(net, epochs=1)
    assert sum(map(Tensor.numel, small.parameters())) < sum(map(Tensor.numel, net.parameters()))
    assert accuracy(small) > 0.5


class Counting(nn.Module):
    """Counts its calls in every mode, and averages its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.calls = plain(), 0
        self.seen: list[int] = []
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, rows: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(rows.shape[0])
        self.mean.mul_(0.9).add_(rows.mean().detach() * 0.1)  # type: ignore[operator,union-attr]  # a buffer
        return self.body(rows)


@case(STATE, "export: a network that changes at every call", slow=True)
def _counting(folder: Path) -> None:
    torch.manual_seed(0)
    net = Counting().eval()
    answers_alike(net, folder)
    assert net.calls == 1 and len(net.seen) == 1, "only this case's own call"


@case(STATE, "accelerate: training mode, gradients, and a network that changes at every call", slow=True)
def _accelerate_counting(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(Counting()).train()
    calls = net.calls
    with unchanged(net):
        accelerate(net, labelled(), deployment=Deployment(runtimes=("onnxruntime",)), progress=False)
    assert net.calls == calls and len(net.seen) == calls


@case(STATE, "a layer whose weights are not initialised is rejected", refused="LazyLinear '1' has no weights yet")
def _lazy(folder: Path) -> None:
    accelerate(nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.Linear(4, 4)), labelled(), progress=False)

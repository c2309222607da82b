"""Networks for the cases: each is exported, compared with its file, and must stay unchanged."""

# ruff: noqa: N812, SLF001  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.models.plain import INPUT, Bare

from .case import Body, case

SUBCLASS = "A1 layers of a subclass"
HOOKED = "A1 hooks"
PATCHED = "A1 patched instances"
COMPUTED = "A1 weights computed from others"
NORMS = "A1 unusual batch norms"
FUNCTIONS = "A1 functional calls and in-place changes"
UNFOLLOWED = "A1 networks without one output per row"


def pictures() -> Tensor:
    """64 images [1, 8, 8]."""
    return torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(7))


def convolutions(first: nn.Module, second: nn.Module | None = None, between: nn.Module | None = None) -> nn.Sequential:
    """Images to 4 logits: two convolutions, each followed by a custom norm of 16 channels."""
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        first,
        between or nn.Conv2d(16, 16, 3, padding=1),
        second or nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    return stirred(net)


def layers(between: nn.Module) -> nn.Sequential:
    """Images to 4 logits, with a custom layer from 64 numbers to 32."""
    return nn.Sequential(nn.Flatten(), between, nn.ReLU(), nn.Linear(32, 4))


def stirred(net: nn.Sequential) -> nn.Sequential:
    """Give a network batch-norm statistics like those after training."""
    for part in net.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:  # no public name
            assert part.running_var is not None
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine and not parametrize.is_parametrized(part):
                part.weight.data.normal_()
                part.bias.data.normal_()
    return net


def state(net: nn.Module) -> dict[str, Any]:
    """The parts of a network that must not change, copied without the package's code."""
    weights = dict([*net.named_parameters(), *net.named_buffers()])
    return {
        "modes": [part.training for part in net.modules()],
        "classes": [type(part) for part in net.modules()],
        "values": {name: tensor.detach().clone() for name, tensor in weights.items()},
        "needs": {name: tensor.requires_grad for name, tensor in weights.items()},
        "grads": {name: None if tensor.grad is None else tensor.grad.clone() for name, tensor in weights.items()},
        "types": {name: (tensor.dtype, tensor.device) for name, tensor in weights.items()},
        "hooks": [(list(part._forward_hooks), list(part._forward_pre_hooks)) for part in net.modules()],  # no public name
        "names": [sorted(name for name in vars(part) if not isinstance(vars(part)[name], Tensor)) for part in net.modules()],
        "random": torch.get_rng_state().clone(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002  # the global state that other code uses
    }


def same(first: Any, other: Any) -> bool:
    """Whether two states are equal bit by bit."""
    if isinstance(first, dict):
        return first.keys() == other.keys() and all(same(first[name], other[name]) for name in first)
    if isinstance(first, Tensor) and isinstance(other, Tensor):
        return first.dtype == other.dtype and torch.equal(first, other)
    return bool(first == other)


@contextmanager
def unchanged(net: nn.Module) -> Iterator[None]:
    """Assert that a network is not changed."""
    before = state(net)
    yield
    after = state(net)
    changed = [name for name in before if not same(before[name], after[name])]
    assert not changed, f"changed: {changed}"


def answers_alike(net: nn.Module, folder: Path, rows: Tensor | None = None) -> None:
    """Export, and compare the file's outputs with the network's own, in a batch and row by row."""
    rows = pictures() if rows is None else rows
    net.eval()
    copy = rows.clone()
    with warnings.catch_warnings(), unchanged(net):
        warnings.simplefilter("ignore")  # that the slow exporter was used
        export(Bare(net), {INPUT: rows}, folder / "model.onnx")
    assert torch.equal(rows, copy), "the rows were changed"
    file = OnnxModel(folder / "model.onnx")
    with torch.no_grad():
        expected = net(rows.clone()).numpy()
    alone = np.concatenate([file({INPUT: rows[n : n + 1].numpy()}) for n in range(len(rows))])
    for outputs in (file({INPUT: rows.numpy()}), alone):
        worst = float(np.abs(outputs - expected).max())
        assert worst <= 1e-4 * float(expected.std()), f"the outputs differ by up to {worst:.3g}"
        assert (outputs.argmax(1) == expected.argmax(1)).all()


def network(kind: str, name: str, *, refused: str = "", slow: bool = False) -> Callable[[Callable[[], nn.Module]], Body]:
    """Register a function that builds a network: its export must give the network's outputs, or fail with the expected error."""

    def register(make: Callable[[], nn.Module]) -> Body:
        @case(kind, name, refused=refused, slow=slow)
        @functools.wraps(make)
        def body(folder: Path) -> None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                answers_alike(make(), folder)

        return body

    return register


class BNAct(nn.BatchNorm2d):
    def forward(self, rows: Tensor) -> Tensor:
        return F.relu(super().forward(rows))


class Frozen(nn.BatchNorm2d):
    """Stays in evaluation mode."""

    def train(self, mode: bool = True) -> Frozen:  # noqa: FBT001, FBT002  # torch's signature
        del mode
        super().train(mode=False)
        return self


def with_layer(layer: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: convolutions(layer())


class Calls(nn.Module):
    """A network with a function in the middle."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.enter, self.leave, self.middle = nn.Conv2d(1, 16, 3), nn.Linear(16, 4), middle

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(self.middle(self.enter(rows)).mean((2, 3)))


def branch_on_values(rows: Tensor) -> Tensor:
    return rows.relu() if rows.mean() > 0 else rows.tanh()

"""Networks whose layers do more than their classes say, subclassed, hooked, patched or parametrized, and what may not change in them."""

# ruff: noqa: ARG001, N812, PLW0108, SLF001  # a case is handed a folder; F, lambdas and private methods are as people write them
# Networks as people write them, patched and hooked, are what types cannot follow.
# mypy: ignore-errors

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from lepton_automl import Deployment, accelerate, lean
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.errors import LeptonError
from lepton_automl.models.plain import INPUT, Bare

from .case import Body, case

SUBCLASS = "A1 layers of a subclass"
HOOKED = "A1 hooks"
PATCHED = "A1 patched instances"
COMPUTED = "A1 weights computed from others"
NORMS = "A1 batch norms that are not as usual"
FUNCTIONS = "A1 functional calls and changes in place"
UNFOLLOWED = "A1 what has no one answer"


def pictures() -> Tensor:
    """64 pictures [1, 8, 8]."""
    return torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(7))


def convolutions(first: nn.Module, second: nn.Module | None = None, between: nn.Module | None = None) -> nn.Sequential:
    """Pictures to 4 logits, with a norm of 16 channels of somebody's own after each of two convolutions."""
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
    """Pictures to 4 logits, with a layer of somebody's own from 64 numbers to 32."""
    return nn.Sequential(nn.Flatten(), between, nn.ReLU(), nn.Linear(32, 4))


def stirred(net: nn.Sequential) -> nn.Sequential:
    """The same with batch norms as training leaves them."""
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
    """Everything of a network that may not change, taken down without the package's help."""
    weights = dict([*net.named_parameters(), *net.named_buffers()])
    return {
        "modes": [part.training for part in net.modules()],
        "classes": [type(part) for part in net.modules()],
        "values": {name: one.detach().clone() for name, one in weights.items()},
        "needs": {name: one.requires_grad for name, one in weights.items()},
        "grads": {name: None if one.grad is None else one.grad.clone() for name, one in weights.items()},
        "types": {name: (one.dtype, one.device) for name, one in weights.items()},
        "hooks": [(list(part._forward_hooks), list(part._forward_pre_hooks)) for part in net.modules()],  # no public name
        "names": [sorted(name for name in vars(part) if not isinstance(vars(part)[name], Tensor)) for part in net.modules()],
        "random": torch.get_rng_state().clone(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002  # the state that others use
    }


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(one == other)


@contextmanager
def unchanged(net: nn.Module) -> Iterator[None]:
    """Asserts that a network leaves as it came."""
    before = state(net)
    yield
    after = state(net)
    changed = [name for name in before if not same(before[name], after[name])]
    assert not changed, f"changed: {changed}"


def answers_alike(net: nn.Module, folder: Path, rows: Tensor | None = None) -> None:
    """Export, and compare the file with what the network itself answers, together and one by one."""
    rows = pictures() if rows is None else rows
    net.eval()
    kept = rows.clone()
    with warnings.catch_warnings(), unchanged(net):
        warnings.simplefilter("ignore")  # that the slow exporter was taken
        export(Bare(net), {INPUT: rows}, folder / "model.onnx")
    assert torch.equal(rows, kept), "the rows were changed"
    file = OnnxModel(folder / "model.onnx")
    with torch.no_grad():
        expected = net(rows.clone()).numpy()
    alone = np.concatenate([file({INPUT: rows[n : n + 1].numpy()}) for n in range(len(rows))])
    for found in (file({INPUT: rows.numpy()}), alone):
        worst = float(np.abs(found - expected).max())
        assert worst <= 1e-4 * float(expected.std()), f"by up to {worst:.3g}"
        assert (found.argmax(1) == expected.argmax(1)).all()


def network(kind: str, name: str, *, refused: str = "", slow: bool = False) -> Callable[[Callable[[], nn.Module]], Body]:
    """Register a function that makes a network: exported, it must answer as the network does, or be refused by name."""

    def register(made: Callable[[], nn.Module]) -> Body:
        @case(kind, name, refused=refused, slow=slow)
        @functools.wraps(made)
        def body(folder: Path) -> None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                answers_alike(made(), folder)

        return body

    return register


# Subclasses


class BNAct(nn.BatchNorm2d):
    def forward(self, rows: Tensor) -> Tensor:
        return F.relu(super().forward(rows))


class BatchNormAct2d(nn.BatchNorm2d):
    """As timm writes it: by function, with the activation and dropout as modules inside."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.drop, self.act = nn.Identity(), nn.SiLU()

    def forward(self, rows: Tensor) -> Tensor:
        average = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        statistics = self.training or (self.running_mean is None and self.running_var is None)
        kept = not self.training or self.track_running_stats
        found = F.batch_norm(
            rows,
            self.running_mean if kept else None,
            self.running_var if kept else None,
            self.weight,
            self.bias,
            statistics,
            average,
            self.eps,
        )
        return self.act(self.drop(found))


class ScaledLinear(nn.Linear):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) * 3 - 1


class StandardConv(nn.Conv2d):
    def forward(self, rows: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(rows, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class SameConv(nn.Conv2d):
    """Padded as TensorFlow does, by the size of what comes."""

    def forward(self, rows: Tensor) -> Tensor:
        pad = [max((math.ceil(size / 2) - 1) * 2 + 3 - size, 0) for size in rows.shape[-2:]]
        rows = F.pad(rows, [pad[1] // 2, pad[1] - pad[1] // 2, pad[0] // 2, pad[0] - pad[0] // 2])
        return F.conv2d(rows, self.weight, self.bias, 2)


class Shifted(nn.ReLU):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows + 0.5) * 2


class Skip(nn.Sequential):
    def forward(self, rows: Tensor) -> Tensor:
        return rows + super().forward(rows)


class ChannelNorm(nn.LayerNorm):
    """ConvNeXt's: over the channels of a picture."""

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Called(nn.Conv2d):
    def __call__(self, rows: Tensor) -> Tensor:
        return super().__call__(rows * 2) + 1


class GeM(nn.AdaptiveAvgPool2d):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows.clamp(min=1e-6) ** 3) ** (1 / 3)


class Frozen(nn.BatchNorm2d):
    """In evaluation mode whatever it is told."""

    def train(self, mode: bool = True) -> Frozen:  # noqa: FBT001, FBT002  # torch's signature
        del mode
        super().train(mode=False)
        return self


class Live(nn.BatchNorm2d):
    """In training mode whatever it is told."""

    def train(self, mode: bool = True) -> Live:  # noqa: FBT001, FBT002  # torch's signature
        del mode
        super().train(mode=True)
        return self


class LiveDropout(nn.Dropout):
    def forward(self, rows: Tensor) -> Tensor:
        return F.dropout(rows, 0.3)


def _of(layer: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: convolutions(layer())


network(SUBCLASS, "BNAct: relu behind a batch norm")(_of(lambda: BNAct(16)))
network(SUBCLASS, "timm's BatchNormAct2d")(_of(lambda: BatchNormAct2d(16)))
network(SUBCLASS, "a linear layer that scales and shifts")(lambda: layers(ScaledLinear(64, 32)))
network(SUBCLASS, "a convolution that standardises its weights")(_of(lambda: StandardConv(16, 16, 3, padding=1)))
network(SUBCLASS, "a convolution that pads as TensorFlow does", slow=True)(_of(lambda: SameConv(16, 16, 3)))
network(SUBCLASS, "a ReLU that shifts and scales")(_of(Shifted))
network(SUBCLASS, "a Sequential with a skip")(_of(lambda: Skip(nn.Conv2d(16, 16, 3, padding=1), BNAct(16))))
network(SUBCLASS, "a layer norm over channels")(_of(lambda: ChannelNorm(16)))
network(SUBCLASS, "a convolution with a __call__ of its own")(_of(lambda: Called(16, 16, 1)))
network(SUBCLASS, "generalised mean pooling")(
    lambda: nn.Sequential(nn.Conv2d(1, 16, 3), GeM(1), nn.Flatten(), nn.Linear(16, 4))
)


# Hooks


def _hooked(register: Callable[[nn.Sequential], object]) -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    register(net)
    return net


network(HOOKED, "an activation behind a batch norm")(
    lambda: _hooked(lambda net: net[1].register_forward_hook(lambda _m, _i, rows: rows.relu()))
)
network(HOOKED, "something ahead of a batch norm")(
    lambda: _hooked(lambda net: net[1].register_forward_pre_hook(lambda _m, rows: (rows[0] * 2 + 1,)))
)
network(HOOKED, "on a convolution, with keyword arguments")(
    lambda: _hooked(lambda net: net[2].register_forward_hook(lambda _m, _i, _k, rows: rows.tanh(), with_kwargs=True))
)
network(HOOKED, "on the network itself")(
    lambda: _hooked(lambda net: net.register_forward_hook(lambda _m, _i, rows: rows.flip(1) if False else rows * 3))
)
network(HOOKED, "closed over a number for each channel")(
    lambda: _hooked(
        lambda net: net[1].register_forward_hook(functools.partial(_scale, torch.linspace(-1, 1, 16).view(16, 1, 1)))
    )
)


def _scale(scale: Tensor, module: nn.Module, taken: object, rows: Tensor) -> Tensor:
    del module, taken
    return rows * scale


@case(HOOKED, "one that only keeps what it sees")
def _keeping(folder: Path) -> None:
    kept: list[Tensor] = []
    by_name: dict[str, Tensor] = {}
    net = convolutions(nn.BatchNorm2d(16))
    net[0].register_forward_hook(lambda _m, _i, rows: kept.append(rows))
    net[3].register_forward_hook(lambda _m, _i, rows: by_name.update(last=rows))
    net.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(Bare(net), {INPUT: pictures()}, folder / "model.onnx")
    assert not kept and not by_name, "what was seen in between is left behind"
    answers_alike(net, folder)


@case(HOOKED, "for all modules")
def _global(folder: Path) -> None:
    def halve(module: nn.Module, taken: object, rows: Tensor) -> Tensor | None:
        del taken
        return rows / 2 if isinstance(module, nn.BatchNorm2d) else None

    handle = nn.modules.module.register_module_forward_hook(halve)
    try:
        answers_alike(convolutions(nn.BatchNorm2d(16)), folder)
    finally:
        handle.remove()


@case(HOOKED, "for all modules, changing each")
def _global_each(folder: Path) -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda _m, _i, rows: rows * 0.9)
    try:
        answers_alike(convolutions(nn.BatchNorm2d(16)), folder)
    finally:
        handle.remove()


# Patched instances


@network(PATCHED, "a forward that calls the old one")
def _closure() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    before = net[1].forward
    net[1].forward = lambda rows: before(rows).relu() + 0.1
    return net


@network(PATCHED, "a method bound to a batch norm")
def _bound() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    net[1].forward = types.MethodType(lambda self, rows: rows * self.weight.view(-1, 1, 1), net[1])
    return net


@network(PATCHED, "a batch norm made another class")
def _other_class() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    net[1].__class__ = BNAct
    return net


@network(PATCHED, "a partial function")
def _partial() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    net[2].forward = functools.partial(net[2]._conv_forward, weight=net[2].weight.detach().abs(), bias=None)
    return net


# Weights computed from others


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


class Positive(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.exp()


def _parametrized(layer: nn.Module, how: nn.Module) -> nn.Module:
    parametrize.register_parametrization(layer, "weight", how)
    return layer


@network(COMPUTED, "weight_norm as it was")
def _weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return convolutions(nn.BatchNorm2d(16), between=nn.utils.weight_norm(nn.Conv2d(16, 16, 3)))


network(COMPUTED, "weight_norm as it is")(
    lambda: convolutions(nn.BatchNorm2d(16), between=parametrizations.weight_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "spectral_norm as it was")(
    lambda: convolutions(nn.BatchNorm2d(16), between=nn.utils.spectral_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "spectral_norm as it is", slow=True)(
    lambda: convolutions(nn.BatchNorm2d(16), between=parametrizations.spectral_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "a symmetric matrix")(
    lambda: nn.Sequential(nn.Flatten(), _parametrized(nn.Linear(64, 64), Symmetric()), nn.ReLU(), nn.Linear(64, 4))
)
network(COMPUTED, "a batch norm with positive scales")(_of(lambda: _parametrized(nn.BatchNorm2d(16), Positive())))


# Batch norms


class ByFunction(nn.Module):
    """Batch norm with buffers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(1, 16, 3), nn.Linear(16, 4)
        self.register_buffer("mean", torch.randn(16))
        self.register_buffer("variance", torch.rand(16) + 0.5)

    def forward(self, rows: Tensor) -> Tensor:
        rows = F.batch_norm(self.enter(rows), self.mean, self.variance, eps=1e-3)  # type: ignore[arg-type]  # buffers
        return self.leave(rows.relu().mean((2, 3)))


network(NORMS, "as a function")(ByFunction)
network(NORMS, "without scales, and an even average")(
    _of(lambda: nn.Sequential(nn.BatchNorm2d(16, affine=False), nn.BatchNorm2d(16, momentum=None)))
)
network(NORMS, "synchronised")(_of(lambda: nn.SyncBatchNorm(16)))
network(NORMS, "frozen by its author")(_of(lambda: Frozen(16)))
network(NORMS, "without running statistics", refused="'1' takes its statistics from the rows of each call")(
    _of(lambda: nn.BatchNorm2d(16, track_running_stats=False))
)
network(NORMS, "left in training mode on purpose", refused="'1' takes its statistics from the rows of each call")(
    _of(lambda: Live(16))
)


# Functions and changes in place


class Calls(nn.Module):
    """A network whose middle is a function."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.enter, self.leave, self.middle = nn.Conv2d(1, 16, 3), nn.Linear(16, 4), middle

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(self.middle(self.enter(rows)).mean((2, 3)))


def _alias(rows: Tensor) -> Tensor:
    other = rows
    rows += 1
    return other * rows


def _part(rows: Tensor) -> Tensor:
    first = rows[:, :8]
    first.mul_(3)
    return rows


def _item(rows: Tensor) -> Tensor:
    rows = rows.clone()
    rows[:, 0] = 0
    return rows


def _only_tensors(rows: Tensor) -> Tensor:
    return rows.relu() if isinstance(rows, Tensor) else rows


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(rows.sub_(0.5).div_(3).flatten(1))


class Squeezed(nn.Module):
    """One row alone loses its own axis, too."""

    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Conv2d(1, 4, 8)

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(rows).squeeze()


@torch.fx.wrap
def tanh(rows: Tensor) -> Tensor:
    """It has the name of one of torch's."""
    return rows.abs() + 1


network(FUNCTIONS, "x += 1 under two names")(lambda: Calls(_alias))
network(FUNCTIONS, "a change in place of one half", slow=True)(lambda: Calls(_part))
network(FUNCTIONS, "an item that is set", slow=True)(lambda: Calls(_item))
network(FUNCTIONS, "a question whether it is a tensor", slow=True)(lambda: Calls(_only_tensors))
network(FUNCTIONS, "an own function called tanh", slow=True)(lambda: Calls(lambda rows: tanh(rows)))
network(FUNCTIONS, "rows that are changed in place")(InPlace)
network(FUNCTIONS, "dropout by function, told the mode")(lambda: Calls(lambda rows: F.dropout(rows, 0.5, training=False)))
network(FUNCTIONS, "squeeze at the end")(Squeezed)


# What has no one answer


def _depends(rows: Tensor) -> Tensor:
    return rows.relu() if rows.mean() > 0 else rows.tanh()


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.leave(rows.flatten(1))
        return answers, answers.softmax(1)


def _quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(layers(nn.Linear(64, 32)), {nn.Linear})  # type: ignore[no-any-return]


RANDOM = "it draws random numbers in evaluation mode"
network(UNFOLLOWED, "dropout by function, not told the mode", refused=RANDOM)(lambda: Calls(lambda rows: F.dropout(rows, 0.5)))
network(UNFOLLOWED, "a dropout of one's own that always acts", refused=RANDOM)(_of(LiveDropout))
network(UNFOLLOWED, "attention with dropout", refused=RANDOM)(
    lambda: Calls(lambda rows: F.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.5))
)
network(UNFOLLOWED, "noise", refused=RANDOM)(lambda: Calls(lambda rows: rows + torch.randn_like(rows)))
network(UNFOLLOWED, "rows less their mean", refused="otherwise alone than among others")(
    lambda: Calls(lambda rows: rows - rows.mean(0, keepdim=True))
)
network(UNFOLLOWED, "a branch on values", refused="its forward pass branches on values", slow=True)(lambda: Calls(_depends))
network(UNFOLLOWED, "two answers", refused="gives a tuple; it must give one tensor")(Pair)
network(UNFOLLOWED, "quantized layers", refused="otherwise alone than among others")(_quantized)


# The doors themselves


def labelled(count: int = 160) -> tuple[Tensor, Tensor]:
    """Pictures of four classes: which quarter is bright."""
    chance = torch.Generator().manual_seed(3)
    classes = torch.arange(count) % 4
    rows = 0.3 * torch.randn(count, 1, 8, 8, generator=chance)
    for place, (down, right) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        rows[classes == place, :, down : down + 4, right : right + 4] += 1
    return rows, classes


def taught(net: nn.Module, steps: int = 60) -> nn.Module:
    """The same network, trained on these."""
    rows, classes = labelled()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(rows), classes).backward()
        optimizer.step()
    return net.eval()


def plain(norm: nn.Module | None = None) -> nn.Module:
    """Places matter in it."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), norm or nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64, 4),
    )  # fmt: skip


def accuracy(net: nn.Module) -> float:
    """One row a call, as a network in use answers."""
    rows, classes = labelled()
    with torch.no_grad():
        return float(np.mean([int(net(rows[n : n + 1]).argmax()) == int(classes[n]) for n in range(len(rows))]))


class Folded(nn.BatchNorm2d):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).abs()


@case(SUBCLASS, "through accelerate, with the scores of the network itself", slow=True)
def _accelerated(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain(Folded(16)))
    with unchanged(net):
        fast = accelerate(
            net, labelled(), validation=labelled(), deployment=Deployment(runtimes=("onnxruntime",)), progress=False
        )
    assert accuracy(net) > 0.95 and abs(fast.before["accuracy"] - accuracy(net)) < 1e-9, repr(fast)
    assert fast.after["accuracy"] >= fast.before["accuracy"] - 0.01, repr(fast)
    found = fast.predict(labelled()[0]).argmax(1)
    assert (found == labelled()[1].numpy()).mean() >= fast.after["accuracy"] - 1e-9


STATE = "A2 the state of a given network"


def leaned(net: nn.Module, **how: Any) -> nn.Module:
    """What `lean` makes of a network, which must stay as it is."""
    with unchanged(net), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lean(
            net, labelled(), validation=labelled(), progress=False, **{"ratio": 0.5, "multiple": 4, "epochs": 2, **how}
        )
    return found.model  # type: ignore[no-any-return]  # any network


@case(STATE, "lean: evaluation mode stays, one row a call")
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
    assert [one.requires_grad for one in small.parameters()] == [one.requires_grad for one in net.parameters()]
    norm = small[1]  # type: ignore[index]  # a Sequential
    assert not bool((norm.running_var == 1).all()), "its statistics were thrown away"


@case(STATE, "lean: a network that it refuses", refused="a copy of Sequential still computes with '1.weight'")
def _lean_refuses(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(plain())
    before = net[1].forward  # type: ignore[index]  # a Sequential
    net[1].forward = lambda rows: before(rows)  # type: ignore[index]  # likewise
    leaned(net)


@case(STATE, "lean: weight_norm, whose weights hang on the last call", slow=True)
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
    """Counts its calls, whatever its mode, and smooths what it sees."""

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
    assert net.calls == 1 and len(net.seen) == 1, "the one call of this case itself"


@case(STATE, "accelerate: training mode, gradients, and a network that changes at every call", slow=True)
def _accelerate_counting(folder: Path) -> None:
    torch.manual_seed(0)
    net = taught(Counting()).train()
    calls = net.calls
    with unchanged(net):
        accelerate(net, labelled(), deployment=Deployment(runtimes=("onnxruntime",)), progress=False)
    assert net.calls == calls and len(net.seen) == calls


@case(STATE, "lean and accelerate refuse what has no weights yet", refused="LazyLinear '1' has no weights yet")
def _lazy(folder: Path) -> None:
    accelerate(nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.Linear(4, 4)), labelled(), progress=False)


# Words

WORDS = "B errors of PyTorch inside ours"
NAMED = "B GRU and Lightning's parts, named as what they are"


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except LeptonError as error:
        return str(error)
    raise AssertionError("it was not refused")


def _plain_words(said: str) -> None:
    assert "\x1b" not in said and "Next steps" not in said and "pytorch.org" not in said, said
    assert len(said.splitlines()) <= 2 and len(said) < 700, said


@case(WORDS, "a branch on values", slow=True)
def _essay(folder: Path) -> None:
    _plain_words(_refusal(lambda: export(Bare(Calls(_depends).eval()), {INPUT: pictures()}, folder / "model.onnx")))


@case(WORDS, "shapes that do not fit")
def _shapes(folder: Path) -> None:
    said = _refusal(lambda: accelerate(nn.Sequential(nn.Flatten(), nn.Linear(63, 4)), labelled(), progress=False))
    _plain_words(said)
    assert "mat1 and mat2 shapes cannot be multiplied" in said, said


@case(WORDS, "arguments that torch explains at length")
def _signature(folder: Path) -> None:
    said = _refusal(lambda: lean(Calls(lambda rows: torch.conv2d(rows, 3)), labelled(), ratio=0.5, progress=False))  # type: ignore[call-overload]  # on purpose
    _plain_words(said)


@case(WORDS, "a file that is no model")
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
    """Its forward pass uses what a Trainer gives."""

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


@case(NAMED, "self.logger", refused="the forward pass of Lit uses self.logger, which only a Trainer gives")
def _logger(folder: Path) -> None:
    accelerate(Lit(), labelled(), progress=False)


@case(NAMED, "self.trainer", refused="the forward pass of Epoch uses self.trainer, which only a Trainer gives")
def _trainer(folder: Path) -> None:
    lean(Epoch(), labelled(), ratio=0.5, progress=False)

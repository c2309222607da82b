"""Networks that use the number of rows, and networks that use NumPy in their forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lepton_automl.deployment.numpy_use import numpy_use
from lepton_automl.deployment.traceable_len import traceable_len
from lepton_automl.models.plain import INPUT, Bare

from .case import case
from .networks import network, pictures

LENGTHS = "A1 len() of the rows"
NUMPY = "B NumPy in a forward pass"


class Tokens(nn.Module):
    """A learned token before the rows of an image, as in ViT and FT-Transformer; then attention in plain operations."""

    def __init__(self) -> None:
        super().__init__()
        self.cls, self.qkv, self.head = nn.Parameter(torch.randn(8)), nn.Linear(8, 24), nn.Linear(8, 4)

    def forward(self, rows: Tensor) -> Tensor:
        tokens = torch.cat([self.cls.expand(len(rows), 1, -1), rows[:, 0]], dim=1)
        query, key, value = self.qkv(tokens).chunk(3, -1)
        answers: Tensor = self.head(((query @ key.transpose(1, 2)).softmax(-1) @ value)[:, 0])
        return answers


class Flat(nn.Module):
    """Flattens the rows by a custom function, after `between`."""

    def __init__(self, flat: Callable[[Tensor], Tensor], between: nn.Module | None = None) -> None:
        super().__init__()
        self.flat, self.between, self.head = flat, between or nn.Identity(), nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> Tensor:
        answers: Tensor = self.head(self.flat(self.between(rows)))
        return answers


def _by_length(rows: Tensor) -> Tensor:
    return rows.reshape(len(rows), -1)


class Listed(nn.Module):
    """`len` of the rows, of a list and of a tensor's shape."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(64, 4) for _ in range(3))

    def forward(self, rows: Tensor) -> Tensor:
        flat = rows.view(len(rows), 64) if len(rows.shape) > 2 else rows
        answers: Tensor = sum(part(flat) for part in self.parts) / len(self.parts)
        return answers


class Halves(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows.reshape(len(rows) * 2, -1).tanh().reshape(len(rows), 1, 8, 8)


network(LENGTHS, "a token before those of each row")(Tokens)
network(LENGTHS, "also of a list and a shape", slow=True)(Listed)
network(LENGTHS, "twice as many rows inside the network")(lambda: Flat(lambda rows: rows.flatten(1), Halves()))
network(LENGTHS, "in a function outside the class", slow=True)(lambda: Flat(_by_length, Repeats()))
network(LENGTHS, "a loop over the rows", refused="for a fixed number of rows only", slow=True)(lambda: Flat(_one_by_one))


class Repeats(nn.Module):
    """Only torch's exporter can trace it: a branch that depends on a tensor's type."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.abs() if torch.is_floating_point(rows) else rows


def _one_by_one(rows: Tensor) -> Tensor:
    return torch.stack([rows[at].flatten() for at in range(len(rows))])


@case(LENGTHS, "a module's own len, and its unchanged globals")
def _(folder: Path) -> None:
    del folder
    names = globals()
    before = dict(names)
    with traceable_len(Tokens()):
        assert names["len"]([1, 2]) == 2 and names["len"](torch.zeros(3, 2)) == 3
        with traceable_len(Tokens()):  # as another thread may
            pass
        assert names["len"]("abc") == 3
    assert names == before
    with _named("len", lambda _: 7), traceable_len(Tokens()):
        assert names["len"]([]) == 7
    assert names == before


@contextmanager
def _named(name: str, value: object) -> Iterator[None]:
    globals()[name] = value
    try:
        yield
    finally:
        del globals()[name]


class Ranks(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows + torch.from_numpy(np.sort(rows.detach().numpy(), axis=-1))


def _parted(rows: Tensor) -> Tensor:
    return torch.from_numpy(np.partition(np.asarray(rows.detach()), 3, axis=-1))


class Parts(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return _parted(rows)


class Prior(nn.Module):
    """Uses NumPy only for a number that depends on the weights, not on the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("level", torch.rand(5))

    def forward(self, rows: Tensor) -> Tensor:
        assert isinstance(self.level, Tensor)
        return rows * float(np.median(self.level.numpy()))


def _hooked() -> nn.Module:
    net = Flat(lambda rows: rows.flatten(1), nn.Conv2d(1, 1, 1))
    net.between.register_forward_hook(lambda *args: torch.from_numpy(args[2].detach().numpy().round()))
    return net


@case(NUMPY, "the error names the place: a method, a function, a hook")
def _(folder: Path) -> None:
    del folder
    flat: Callable[[Tensor], Tensor] = lambda rows: rows.flatten(1)  # noqa: E731  # as in user code
    for net, place in ((Flat(flat, Ranks()), "Ranks.forward"), (Flat(flat, Parts()), "_parted"), (_hooked(), "_hooked")):
        message = numpy_use(Bare(net), {INPUT: pictures()})
        assert message.startswith(place) and ", line " in message, message
    assert not numpy_use(Bare(Flat(flat)), {INPUT: pictures()})


network(NUMPY, "ranks", refused="its forward pass computes with NumPy (Ranks.forward, line", slow=True)(
    lambda: Flat(lambda rows: rows.flatten(1), Ranks())
)
network(NUMPY, "in a function", refused="its forward pass computes with NumPy (_parted, line", slow=True)(
    lambda: Flat(lambda rows: rows.flatten(1), Parts())
)
network(NUMPY, "rounding in a hook, which torch's exporter supports", slow=True)(_hooked)
network(NUMPY, "computed from weights only, it is traced")(lambda: Flat(lambda rows: rows.flatten(1), Prior()))

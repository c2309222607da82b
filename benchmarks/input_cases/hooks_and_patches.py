"""Networks with hooks, and with methods that are replaced on an instance."""

# ruff: noqa: SLF001  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from lepton_automl.deployment.export import export
from lepton_automl.models.plain import INPUT, Bare

from .case import case
from .networks import HOOKED, PATCHED, BNAct, answers_alike, convolutions, network, pictures


def _hooked(register: Callable[[nn.Sequential], object]) -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    register(net)
    return net


network(HOOKED, "an activation after a batch norm")(
    lambda: _hooked(lambda net: net[1].register_forward_hook(lambda _m, _i, rows: rows.relu()))
)
network(HOOKED, "a change before a batch norm")(
    lambda: _hooked(lambda net: net[1].register_forward_pre_hook(lambda _m, rows: (rows[0] * 2 + 1,)))
)
network(HOOKED, "on a convolution, with keyword arguments")(
    lambda: _hooked(lambda net: net[2].register_forward_hook(lambda _m, _i, _k, rows: rows.tanh(), with_kwargs=True))
)
network(HOOKED, "on the network itself")(
    lambda: _hooked(lambda net: net.register_forward_hook(lambda _m, _i, rows: rows.flip(1) if False else rows * 3))
)
network(HOOKED, "with a scale for each channel")(
    lambda: _hooked(
        lambda net: net[1].register_forward_hook(functools.partial(_scale, torch.linspace(-1, 1, 16).view(16, 1, 1)))
    )
)


def _scale(scale: Tensor, module: nn.Module, inputs: object, rows: Tensor) -> Tensor:
    del module, inputs
    return rows * scale


@case(HOOKED, "one that only stores outputs")
def _keeping(folder: Path) -> None:
    outputs: list[Tensor] = []
    by_name: dict[str, Tensor] = {}
    net = convolutions(nn.BatchNorm2d(16))
    net[0].register_forward_hook(lambda _m, _i, rows: outputs.append(rows))
    net[3].register_forward_hook(lambda _m, _i, rows: by_name.update(last=rows))
    net.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(Bare(net), {INPUT: pictures()}, folder / "model.onnx")
    assert not outputs and not by_name, "intermediate outputs were left behind"
    answers_alike(net, folder)


@case(HOOKED, "for all modules")
def _global(folder: Path) -> None:
    def halve(module: nn.Module, inputs: object, rows: Tensor) -> Tensor | None:
        del inputs
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


@network(PATCHED, "a forward that calls the original one")
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


@network(PATCHED, "a batch norm with its class replaced")
def _other_class() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    net[1].__class__ = BNAct
    return net


@network(PATCHED, "a partial function")
def _partial() -> nn.Module:
    net = convolutions(nn.BatchNorm2d(16))
    net[2].forward = functools.partial(net[2]._conv_forward, weight=net[2].weight.detach().abs(), bias=None)
    return net

"""Prune any network: trace, score, remove channels, and verify against the network with those channels set to zero."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from lepton_automl.errors import ConfigError, in_one_line

from .anynet import groups_of, trace, unpruned_layers
from .copies import deep_copy
from .group import ROOTS, Group, Removals, remove_channels, zero_channels
from .importance import Sensitivity, criterion_of
from .ranking import choose
from .reparam import fold_weight_norms

Network = TypeVar("Network", bound=nn.Module)
ROWS = 4  # rows that pruning is verified on
TOLERANCE = 1e-3  # relative to the outputs' size; summing in another order changes less, mixed-up channels change far more


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """How to prune a network.

    Args:
        ratio: Share of the channels to remove, from 0 to below 1.
        criterion: A name of `importance.CRITERIA`.
        ranking: A name of `ranking.RANKINGS`.
        multiple: Widths are rounded to multiples of this.
        seed: Seed of the random criterion.
    """

    ratio: float
    criterion: str = "l2"
    ranking: str = "layer"
    multiple: int = 8
    seed: int = 0

    @property
    def most(self) -> float:
        """The largest share of its channels that one width may lose if widths compete: halfway between the ratio and 1."""
        return (1 + self.ratio) / 2


@dataclass(frozen=True)
class PruneResult(Generic[Network]):
    """A pruned network.

    Args:
        model: The smaller network.
        refused: Hidden layers that kept all channels, by name, with the reason.
        removed: Number of removed channels.
    """

    model: Network
    refused: dict[str, str]
    removed: int


def prune(
    model: Network,
    options: PruneOptions,
    sample: Tensor,
    *,
    sensitivity: Sensitivity | None = None,
    refused: Mapping[str, str] | None = None,
) -> PruneResult[Network]:
    """A copy of any network without its least important channels.

    Pruning is verified on rows: the smaller network must return the outputs of the original with the same channels set to
    zero. Layers for which that fails keep their channels and are listed in the result.

    Args:
        model: Called as `model(rows)`; returns one tensor. It is left unchanged.
        options: The options.
        sample: A few rows as `forward` takes them; [N, ...].
        sensitivity: Used by the criterion `"taylor"`.
        refused: Layers that an earlier call could not prune, with the reason.

    Returns:
        The smaller network, in the same mode and with the same frozen weights, and the layers that were not pruned.

    Raises:
        ConfigError: The graph cannot be traced, or nothing in it can be pruned.
    """
    attempt = _Attempt(model, options, sample.detach().clone()[:ROWS], sensitivity)
    known = dict(refused or {})
    with torch.inference_mode(mode=False), torch.enable_grad():
        try:
            layers = attempt.prunable_layers()
        except Exception as error:  # torch-pruning's exceptions have no common base
            raise cannot_prune(f"its graph cannot be traced: {one_line_reason(error)}") from error
        known |= {name: reason for name, reason in layers.items() if reason}
        try:
            return attempt.cut(known)
        except _InvalidCutError:
            known |= attempt.faults([name for name, reason in layers.items() if not reason and name not in known])
        try:
            return attempt.cut(known)
        except _InvalidCutError as error:
            raise cannot_prune(f"its layers can be pruned one by one, but not together: {error}") from error


class _InvalidCutError(Exception):
    """The pruned network does not run, or returns wrong outputs."""


class _Attempt:
    """Attempts to prune copies of a network with the same options."""

    def __init__(self, model: nn.Module, options: PruneOptions, rows: Tensor, sensitivity: Sensitivity | None) -> None:
        self.model, self.options, self.rows, self.sensitivity = model, options, rows, sensitivity
        self.constants = True
        self.trains = _runs_in_training(model, rows)

    def prunable_layers(self) -> dict[str, str]:
        """Every layer with hidden channels, and why it cannot be pruned; empty if pruning may be tried."""
        try:
            return self._find_prunable()
        except Exception:  # torch-pruning's exceptions have no common base
            self.constants = False
            return self._find_prunable()

    def _find_prunable(self) -> dict[str, str]:
        model = self._copy()
        fold_weight_norms(model, constants=self.constants)
        groups = groups_of(trace(model, self.rows[:2]))
        return {name: reason for group, reason in groups for name in group.producers}

    def faults(self, names: list[str]) -> dict[str, str]:
        """The layers that cannot be pruned, each tried alone, with the reason."""
        faults: dict[str, str] = {}
        for name in names:
            if name in faults:
                continue
            try:
                self.cut({}, only=name)
            except _InvalidCutError as error:
                faults |= dict.fromkeys(error.args[1], error.args[0])
            except ConfigError:
                pass  # too narrow to lose channels
        return faults

    def cut(self, refused: Mapping[str, str], only: str = "") -> PruneResult[Any]:
        """Prune all groups that are not refused.

        Raises:
            _InvalidCutError: The pruned network does not run, or returns wrong outputs; it carries the names of the layers.
            ConfigError: There is nothing to prune.
        """
        model = self._copy()
        restorers = fold_weight_norms(model, constants=self.constants)
        groups = [
            group
            for group, reason in groups_of(trace(model, self.rows[:2]))
            if not reason and not set(group.producers) & set(refused) and (not only or only in group.producers)
        ]
        leaving = self._choose(model, groups)
        if not leaving:
            raise cannot_prune(_why_nothing(self.model, refused))
        try:
            self._prune_and_verify(model, leaving)
        except Exception as error:
            names = [name for group, _ in leaving for name in group.producers]
            raise _InvalidCutError(one_line_reason(error), names) from error
        for restore in restorers:
            restore()
        _restore(model, self.model)
        removed = sum(len(channels) for _, channels in leaving)
        return PruneResult(model, dict(refused), removed)

    def _prune_and_verify(self, model: nn.Module, leaving: Removals) -> None:
        """Prune in place and verify the result."""
        with torch.no_grad(), _fixed_normalisation(leaving):
            state = copy.deepcopy(model.state_dict())
            zero_channels(leaving)
            expected = model(self.rows.clone())
            model.load_state_dict(state)
            remove_channels(model, leaving)
            output = model(self.rows.clone())
        if output.shape != expected.shape:
            raise ValueError(f"its outputs would change their shape from {tuple(expected.shape)} to {tuple(output.shape)}")
        if not torch.allclose(output, expected, rtol=TOLERANCE, atol=TOLERANCE * float(expected.abs().max())):
            raise ValueError("its outputs differ between removing these channels and setting them to zero")
        if self.trains and not _runs_in_training(model, self.rows):
            raise ValueError("it no longer runs in training mode: a layer that only training uses reads these channels")
        with torch.no_grad():
            model(self.rows.clone())  # with its normalisations active

    def _choose(self, model: nn.Module, groups: list[Group]) -> Removals:
        criterion = criterion_of(self.options.criterion, model, sensitivity=self.sensitivity, seed=self.options.seed)
        positions = choose(
            [criterion(group) for group in groups],
            [group.kind for group in groups],
            [group.parts for group in groups],
            self.options.ratio,
            ranking=self.options.ranking,
            multiple=self.options.multiple,
            most=self.options.most,
        )
        return [(group, group.spread(leave)) for group, leave in zip(groups, positions, strict=True) if leave]

    def _copy(self) -> nn.Module:
        return deep_copy(self.model).eval().requires_grad_(requires_grad=True)  # the trace reads autograd's graph


def _runs_in_training(model: nn.Module, rows: Tensor) -> bool:
    """Whether a copy of a network runs in training mode, including parts for training alone, such as auxiliary heads."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            deep_copy(model).train()(rows)
    except Exception:  # its forward pass may raise anything
        return False
    return True


def _restore(model: nn.Module, original: nn.Module) -> None:
    """Restore mode and frozen weights."""
    frozen = {name for name, weight in original.named_parameters() if not weight.requires_grad}
    for module, before in zip(model.modules(), original.modules(), strict=True):
        module.training = before.training
    for name, weight in model.named_parameters():
        weight.requires_grad_(name not in frozen)
        weight.grad = None


@contextmanager
def _fixed_normalisation(leaving: Removals) -> Iterator[None]:
    """Context in which channel normalisations only scale: they depend on the number of channels, zeroed or not."""
    layers = {member.layer for group, _ in leaving for member in group.members}
    hooks = [
        layer.register_forward_hook(_scaled) for layer in layers if isinstance(layer, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _scaled(layer: Any, incoming: tuple[Tensor, ...], outgoing: Tensor) -> Tensor:
    rows = incoming[0]
    if layer.weight is None:
        return rows
    shape = (-1, *[1] * (rows.ndim - 2)) if isinstance(layer, nn.GroupNorm) else layer.normalized_shape
    shift = 0 if getattr(layer, "bias", None) is None else layer.bias.view(shape)
    scaled: Tensor = rows * layer.weight.view(shape) + shift
    return scaled.to(outgoing.dtype)


def one_line_reason(error: Exception) -> str:
    """An exception in one line."""
    line = str(error).strip().partition("\n")[0]
    return line if isinstance(error, ValueError) and line else in_one_line(error)


def _why_nothing(model: nn.Module, refused: Mapping[str, str]) -> str:
    if refused:
        return "every layer was refused: " + "; ".join(f"{name!r}: {reason}" for name, reason in refused.items())
    unpruned = unpruned_layers(model)
    if not unpruned and not any(isinstance(layer, ROOTS) for layer in model.modules()):
        foreign = next((library for library in map(_library, model.modules()) if library), "")
        what = f"its layers are those of {foreign}, which stores weights in its own variables" if foreign else "bare parameters"
        return f"it contains no torch.nn.Linear or convolution, and nothing else can be traced ({what})"
    reason = "no layer is wide enough to lose channels, except those that compute the outputs"
    return "; ".join([reason, *unpruned])


def _library(layer: nn.Module) -> str:
    """The library of a layer that is a torch module but stores its weights differently; empty if there is none."""
    roots = [kind.__module__.partition(".")[0] for kind in type(layer).__mro__]
    return next((name for name in ("keras", "jax", "tensorflow") if name in roots), "")


def cannot_prune(reason: str) -> ConfigError:
    """The error for a network that cannot be pruned at all."""
    return ConfigError(
        f"this network cannot be pruned: {reason}",
        where="lean",
        fix="Write forward() with layers and sizes taken from its tensors, or pass a smaller multiple.",
    )

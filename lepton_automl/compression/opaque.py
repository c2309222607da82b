"""Layers that the trace must treat as one operation: autograd's view of their internals misleads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

RECURRENT = "a recurrent layer mixes its channels"
# Layers that are never pruned, nor is what is directly connected to them, with the reason.
NEVER_PRUNED: dict[type[nn.Module], str] = {
    nn.MultiheadAttention: "its heads are not pruned",
    nn.RNNBase: RECURRENT,
    nn.RNNCellBase: RECURRENT,
    nn.Bilinear: "a bilinear layer has two input widths",
    nn.Embedding: "an embedding's columns are not pruned",
    nn.EmbeddingBag: "an embedding's columns are not pruned",
}
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
_OPAQUE = (nn.RNNBase, nn.RNNCellBase, nn.Bilinear, nn.EmbeddingBag)
_WRAPPED = (*_OPAQUE, nn.RMSNorm, *_INSTANCE_NORMS)


class _OpaqueFunction(torch.autograd.Function):
    """Returns tensors as if one operation had computed them; gradients are never computed."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        del ctx
        return tuple(tensor.clone() for tensor in tensors[:count])


@contextmanager
def opaque_layers(model: nn.Module) -> Iterator[None]:
    """Context in which each layer of these types is one node of autograd's graph."""
    changed: list[tuple[nn.Module, Any]] = []
    for module in model.modules():
        if isinstance(module, (*_WRAPPED, nn.GLU)):
            changed.append((module, vars(module).get("forward")))
            own = module.forward
            module.forward = _split_glu(module) if isinstance(module, nn.GLU) else _one_node(module, own)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module, before in changed:
            del module.forward
            if before is not None:
                module.forward = before


def _one_node(module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            leaves, structure = tree_flatten(forward(*args, **kwargs))
        places = [n for n, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        # A parameter as well: without an input that requires a gradient there is no node, and the rows may require none.
        incoming = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.requires_grad]
        incoming += list(module.parameters())[:1]
        tensors = (leaves[n] for n in places)
        outputs = _OpaqueFunction.apply(len(places), *tensors, *incoming)  # type: ignore[no-untyped-call]
        for place, tensor in zip(places, outputs, strict=True):
            leaves[place] = tensor
        return tree_unflatten(leaves, structure)

    return run


def _split_glu(module: nn.GLU) -> Callable[[Tensor], Tensor]:
    """A gated linear unit as two traceable operations."""

    def run(rows: Tensor) -> Tensor:
        first, second = rows.chunk(2, module.dim % rows.ndim)
        return first * second.sigmoid()

    return run


class _Opaque(torch_pruning.BasePruningFunc):  # type: ignore[misc]  # torch-pruning has no types
    """A layer in the graph that is never pruned."""

    def prune_out_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        raise NotImplementedError(f"{type(layer).__name__} is not pruned")

    def prune_in_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        raise NotImplementedError(f"{type(layer).__name__} is not pruned")

    def get_out_channels(self, layer: Any) -> int:
        if isinstance(layer, nn.RNNBase):
            return int(layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        name = next(name for name in ("hidden_size", "out_features", "embedding_dim") if hasattr(layer, name))
        return int(getattr(layer, name))

    def get_in_channels(self, layer: Any) -> int:
        name = next(name for name in ("input_size", "in1_features", "num_embeddings") if hasattr(layer, name))
        return int(getattr(layer, name))


class _RmsNorm(torch_pruning.BasePruningFunc):  # type: ignore[misc]  # likewise
    """Prunes an RMSNorm, whose input and output channels are the same."""

    def prune_out_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        width = layer.normalized_shape[-1]
        kept = torch.tensor(sorted(set(range(width)) - set(idxs)))
        if layer.weight is not None:
            layer.weight = nn.Parameter(layer.weight.detach()[..., kept.to(layer.weight.device)])
        layer.normalized_shape = (*layer.normalized_shape[:-1], len(kept))
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: Any) -> int:
        return int(layer.normalized_shape[-1])

    get_in_channels = get_out_channels


def custom_pruners(model: nn.Module) -> dict[type[nn.Module], Any]:
    """Pruning functions for layers that torch-pruning does not support, by the exact classes of a network's layers."""
    opaque, rms = _Opaque(), _RmsNorm()
    pruners: dict[type[nn.Module], Any] = {}
    for module in model.modules():
        if isinstance(module, _OPAQUE):
            pruners[type(module)] = opaque
        elif isinstance(module, nn.RMSNorm):
            pruners[type(module)] = rms
    return pruners

"""A network that nobody described: the same share of the channels leaves every layer that the traced graph can follow.

The dependency graph is that of Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023. What a LeptonNet says of
itself by its width map has to be found here, so every cut is tried on rows before it is handed over.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import narrowed

Network = TypeVar("Network", bound=nn.Module)
ROOTS = (_ConvNd, nn.Linear)  # layers whose outputs may be cut
# What shares its channels out among parts of equal size, or mixes them in ways of its own: left as it is.
WHOLE = (nn.GroupNorm, nn.MultiheadAttention, nn.LSTM, nn.GRU, nn.RNN, nn.Embedding)


def cut_evenly(model: Network, ratio: float, sample: Tensor, *, multiple: int = 8) -> Network:
    """A copy of any network without the least important channels of each layer.

    How many stay depends on the layers' widths alone, never on the weights, so that a network built anew can be cut to the
    same shape. Layers that give the answers keep all their outputs; grouped convolutions, attention and bare parameters
    keep their channels.

    Args:
        model: Called as `model(rows)`. It is left as it is.
        ratio: Share of the channels to remove, from 0 to below 1.
        sample: A few rows as `forward` takes them; [N, ...].
        multiple: Widths are rounded to multiples of this, as those of LeptonNets are.

    Returns:
        The smaller network, on the same device and in the same mode.

    Raises:
        ConfigError: The graph cannot be followed, nothing in it can be cut, or the cut network does not run.
    """
    try:
        with torch.inference_mode(mode=False), torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch-pruning's remarks on bare parameters, which stay as they are
            return _cut(copy.deepcopy(model), ratio, sample.detach().clone()[:2], multiple)
    except ConfigError:
        raise
    except Exception as error:  # its exceptions have no common base
        raise _uncuttable(f"{type(error).__name__}: {error}") from error


def _cut(model: Network, ratio: float, rows: Tensor, multiple: int) -> Network:
    training = [(module, module.training) for module in model.modules()]
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    model.eval().requires_grad_(requires_grad=True)  # the trace reads autograd's graph
    before = model(rows).shape
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=(rows,), verbose=False)
    gone = 0
    for root, handler, scores in _choices(graph):
        width = len(scores)
        leaving = scores.argsort(stable=True)[: width - narrowed(width, 1 - ratio, multiple)]
        group = graph.get_pruning_group(root, handler, sorted(leaving.tolist()))
        if len(leaving) and graph.check_pruning_group(group):
            group.prune()
            gone += len(leaving)
    if not gone:
        raise _uncuttable("the graph shows no layer that could lose a channel")
    with torch.no_grad():
        after = model(rows).shape
    if after != before:
        raise _uncuttable(f"its answers would change their shape from {tuple(before)} to {tuple(after)}")
    for module, mode in training:
        module.training = mode
    for name, weight in model.named_parameters():
        weight.requires_grad_(name not in frozen)
        weight.grad = None
    return model


def _choices(graph: Any) -> Iterator[tuple[nn.Module, Any, Tensor]]:
    """Each group of layers that can lose channels: its first layer, how that is cut, and what its channels are worth."""
    heads = _heads(graph)
    for group in graph.get_all_groups(ignored_layers=heads, root_module_types=ROOTS):
        if not any(_is_whole(item.dep.target.module) or _is_torn(graph, item) for item in group):
            first = group[0].dep
            yield first.target.module, first.handler, _magnitude(graph, group)


def _heads(graph: Any) -> list[nn.Module]:
    """The layers whose outputs are the network's answers: the first ones on every way back from the end."""
    found: list[nn.Module] = []
    ahead = [node for node in graph.module2node.values() if not node.outputs]
    seen: set[int] = set()
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node.module, ROOTS):
            found.append(node.module)
        else:
            ahead.extend(node.inputs)
    return found


def _is_whole(layer: Any) -> bool:
    if isinstance(layer, (nn.Parameter, *WHOLE)):
        return True
    return isinstance(layer, _ConvNd) and 1 < layer.groups < layer.out_channels


def _is_torn(graph: Any, item: Any) -> bool:
    """Whether a way of reshaping that the trace does not understand led it to channels that a layer does not have."""
    layer, outputs = item.dep.target.module, graph.is_out_channel_pruning_fn(item.dep.handler)
    width = (graph.get_out_channels if outputs else graph.get_in_channels)(layer) if isinstance(layer, ROOTS) else None
    return width is not None and max(item.idxs, default=-1) >= width


def _magnitude(graph: Any, group: Any) -> Tensor:
    """Mean over the group's layers of the squared norm of a channel's weights, each layer's channels averaging 1.

    Left out are weights whose scale a batch normalisation behind them undoes.
    """
    width = len(group[0].idxs)
    normed = any(isinstance(item.dep.target.module, _BatchNorm) for item in group)
    norms = []
    for item in group:
        layer, outputs = item.dep.target.module, graph.is_out_channel_pruning_fn(item.dep.handler)
        weight = getattr(layer, "weight", None)
        if not isinstance(layer, (*ROOTS, _BatchNorm)) or weight is None or (normed and outputs and isinstance(layer, ROOTS)):
            continue
        axis = 0 if outputs or weight.ndim == 1 or weight.shape[1] == 1 else 1
        if getattr(layer, "transposed", False):
            axis = 1 - axis
        each = weight.detach().movedim(axis, 0).flatten(1) if weight.ndim > 1 else weight.detach()[:, None]
        norm = torch.zeros(width, dtype=torch.float64, device=weight.device)
        channels, places = (torch.tensor(found, device=weight.device) for found in (item.root_idxs, item.idxs))
        norm.index_add_(0, channels, each.double().square().sum(1)[places])
        norms.append(norm / norm.mean().clamp(min=1e-30))
    return torch.stack(norms).mean(0).cpu() if norms else torch.zeros(width)


def _uncuttable(why: str) -> ConfigError:
    return ConfigError(
        f"this network cannot be cut: {why}",
        where="lean.ratio",
        fix="Leave lean.ratio out of the space, or write forward() with layers and sizes taken from its tensors.",
    )

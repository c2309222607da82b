"""Averaged weights, which are validated and which a fit ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton_automl.plans import TrainPlan

from .joined import JoinedAdamW
from .loss import Batch


def adamw(model: nn.Module, plan: TrainPlan, steps: int) -> JoinedAdamW:
    """Schedule-free AdamW (Defazio et al., The Road Less Scheduled, NeurIPS 2024).

    It keeps a running average of the weights and needs no horizon, so that training may stop early or run in two fits. On
    Fashion-MNIST it scored higher than warm-up-stable-decay and cosine, at the end and at every earlier rung.

    Args:
        model: The network, on its device; its weights become parts of joined ones.
        plan: The training plan.
        steps: Steps of one epoch.
    """
    return JoinedAdamW(
        parameter_groups(model, plan),
        lr=plan.lr,
        betas=(0.9, plan.beta2),
        warmup_steps=max(1, min(plan.warmup, 2 * steps)),
    )


def parameter_groups(model: nn.Module, plan: TrainPlan) -> list[dict[str, Any]]:
    """The weights of a network in groups for an optimiser, each with its learning rate and weight decay.

    Weight decay applies only to matrices and kernels called `weight`, not to norms and biases. A network's `learning_rate` gives
    the share of the plan's rate that a weight is trained with.

    Args:
        model: The network.
        plan: The training plan.
    """
    share_of = getattr(model, "learning_rate", lambda _: 1.0)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            matrix = weight.ndim > 1 and name.rpartition(".")[2] == "weight"
            groups.setdefault((share_of(name), matrix), []).append(weight)
    return [
        {"params": weights, "lr": plan.lr * share, "weight_decay": plan.weight_decay if matrix else 0.0}
        for (share, matrix), weights in sorted(groups.items(), key=lambda group: group[0], reverse=True)
    ]


@contextmanager
def averaged_weights(model: nn.Module, optimizer: AdamWScheduleFree, batches: Sequence[Batch]) -> Iterator[None]:
    """Context in which the model has the averaged weights; the current ones are restored on exit.

    Args:
        model: The network.
        optimizer: Holds the average.
        batches: Training batches, from which the normalisation statistics of the averaged weights are computed.
    """
    statistics = [tensor for norm in batch_norms(model) for tensor in _statistics(norm)]
    originals = [tensor.clone() for tensor in statistics]
    load_averaged(model, optimizer, batches)
    try:
        yield
    finally:
        optimizer.train()
        for tensor, old in zip(statistics, originals, strict=True):
            tensor.copy_(old)


def load_averaged(model: nn.Module, optimizer: AdamWScheduleFree, batches: Sequence[Batch]) -> None:
    """Load the averaged weights into the model, and compute the normalisation statistics that match them."""
    optimizer.eval()
    refresh_batch_norms(model, batches)


def refresh_batch_norms(model: nn.Module, batches: Sequence[Batch]) -> None:
    """Set the statistics of every batch normalisation to those of some batches; weights and modes do not change.

    Averaged weights produce activations that did not occur in training, so the running statistics do not match them
    (Izmailov et al., Averaging Weights Leads to Wider Optima, 2018).
    """
    norms = batch_norms(model)
    if not norms:
        return
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    before = [[tensor.clone() for tensor in _state_of(norm)] for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
        if norm.training:  # else its author froze it: the layers after it see what its own statistics give
            norm.reset_running_stats()
    device = next(model.parameters()).device
    with torch.no_grad():
        for number, batch in enumerate(batches, 1):
            for norm in norms:  # an equal average over the batches; a custom forward pass may need momentum as a number
                norm.momentum = None if type(norm).forward is _BatchNorm.forward else 1 / number
            model(**{name: rows.to(device) for name, rows in batch.inputs.items()})
    for norm, momentum, old in zip(norms, momenta, before, strict=True):
        norm.momentum = momentum
        if not norm.training or norm.num_batches_tracked == 0:  # frozen by its author, or not called: restore its statistics
            with torch.no_grad():
                for tensor, state in zip(_state_of(norm), old, strict=True):
                    tensor.copy_(state)
    for module, training in modes:
        module.training = training


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch normalisations that keep statistics."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.running_mean is not None]


def _state_of(norm: _BatchNorm) -> list[Tensor]:
    counter = norm.num_batches_tracked
    return [*_statistics(norm), *([counter] if counter is not None else [])]


def _statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var

"""How much the loss depends on each weight."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .loss import Batch


def sensitivity(model: nn.Module, batches: Iterable[Batch], loss: nn.Module) -> dict[str, Tensor]:
    """Mean over batches of |weight x gradient|: to first order, the change of the loss without the weight.

    Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019. The absolute value is taken per batch,
    because at the end of training the gradients of all rows together cancel.

    Args:
        model: Called as `model(**batch.inputs)`. It is left unchanged.
        batches: LabelledSplits rows; many small batches give a better estimate than a few large ones.
        loss: Called as `loss(outputs, batch)`.

    Returns:
        The sensitivities by the names of the weights, with the shapes of the weights.
    """
    copied = copy.deepcopy(model).eval()
    with torch.inference_mode(mode=False), torch.enable_grad():
        copied.requires_grad_(requires_grad=True)
        weights = dict(copied.named_parameters())
        total = {name: torch.zeros_like(weight, requires_grad=False) for name, weight in weights.items()}
        count = 0
        for batch in batches:
            copied.zero_grad()
            loss(copied(**batch.inputs), batch).backward()
            for name, weight in weights.items():
                if weight.grad is not None:
                    total[name] += (weight.detach() * weight.grad).abs()
            count += 1
    return {name: tensor / max(1, count) for name, tensor in total.items()}

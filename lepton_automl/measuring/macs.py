"""The arithmetic of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(model: nn.Module, rows: Tensor) -> int:
    """Multiply-accumulate operations of convolutions and matrix products for one row, by torch's own counter.

    Args:
        model: Called as `model(rows)`; counted in evaluation mode; its mode is restored.
        rows: Some rows, [N, ...].
    """
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    # With gradients: without them torch's attention layers take a fused path that the counter does not see.
    with torch.inference_mode(mode=False), torch.enable_grad(), FlopCounterMode(display=False) as counter:
        model(rows.clone())
    for module, mode in training:
        module.training = mode
    return int(counter.get_total_flops()) // (2 * len(rows))

"""Solves the last layer of a published network on what the network sees in the training images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lepton_automl.training.solve import fit_head

from .network import BackboneNet

BATCH = 32  # images at a time: the activations of large images fill the memory


def solve_last_layer(network: BackboneNet, data: Any, wait: Callable[[], None]) -> None:
    """Set the last layer to the solution for the training rows, in place; the network's mode is restored.

    Args:
        network: With published weights.
        data: A `data.open.Data`; its training rows and its spec are used.
        wait: Called before each batch; returns when work may go on.
    """

    def features(image: Tensor) -> Tensor:
        parts = []
        for batch in torch.split(image, BATCH):
            wait()
            parts.append(network.embed(batch))
        return torch.cat(parts)

    training = network.training
    network.eval()
    fit_head(network.head, features, data.train.inputs, data.train.targets, data.spec, wait=wait)
    network.train(training)

"""How much a channel matters: criteria by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lepton_automl.errors import ConfigError, one_of

from .coupling import Group

Criterion = Callable[[Group], Tensor]


def magnitude(group: Group) -> Tensor:
    """Mean over the group's layers of the squared norm of a channel's weights, each layer's channels averaging 1.

    Fang et al., DepGraph, CVPR 2023: a channel is as large as all that leaves with it. Left out are weights whose scale
    the batch normalisation behind them undoes: their size says nothing, that of the normalisation does.

    Returns:
        One score a channel, [width].
    """
    norms = [member.rows().double().square().sum(1) for member in group.members if not member.scale_free]
    return torch.stack([norm / norm.mean().clamp(min=1e-30) for norm in norms]).mean(0)


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude}


def criterion_of(name: str) -> Criterion:
    """A criterion by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in CRITERIA:
        raise ConfigError(f"there is no criterion {name!r}", where="shrink", fix=one_of(name, CRITERIA))
    return CRITERIA[name]


def most_important(scores: Tensor, count: int) -> list[int]:
    """The places of the `count` greatest scores, in order; of equals, the first."""
    return sorted(scores.argsort(descending=True, stable=True)[:count].tolist())

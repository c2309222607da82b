"""Tell networks of several programs from those that are exported as one."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from lepton_automl.generation import GeneratingDecoder


class ProgramNetwork(Protocol):
    """A network of several programs; `models.generating.GeneratingNetwork` is one.

    Attributes:
        programs: Its programs by name; each returns a dict of tensors.
        decoder: Runs the loop between them.
    """

    programs: nn.ModuleDict
    decoder: GeneratingDecoder


def as_programs(module: Any) -> ProgramNetwork | None:
    """Return a network that is exported as several programs; None for others."""
    network: ProgramNetwork | None = None
    if isinstance(getattr(module, "programs", None), nn.ModuleDict) and hasattr(module, "decoder"):
        network = module
    return network

"""Packages beside ours that break what we import."""

from __future__ import annotations

import importlib
import importlib.util

from lepton_automl.errors import ConfigError, in_one_line


def check_torchvision() -> None:
    """Make sure that torchvision, where it is installed, can be imported: Lightning, torchmetrics and torch-pruning try to.

    Raises:
        ConfigError: It cannot, as where its build is not that of torch.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # its own exceptions, those of a missing operator, of a library that does not load
        raise ConfigError(
            f"torchvision is installed and cannot be imported: {in_one_line(error)}",
            where="torchvision",
            fix="Run `pip uninstall torchvision` (lepton_automl does not need it), or install the build that belongs to your torch.",
        ) from error

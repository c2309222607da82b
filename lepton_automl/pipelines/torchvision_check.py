"""A check for a broken torchvision installation."""

from __future__ import annotations

import importlib
import importlib.util

from lepton_automl.errors import ConfigError, in_one_line


def check_torchvision() -> None:
    """Check that torchvision, if installed, can be imported: Lightning, torchmetrics and torch-pruning import it.

    Raises:
        ConfigError: It cannot be imported, for example because its build does not match torch.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # a missing operator or a library that does not load raise different types
        raise ConfigError(
            f"torchvision is installed but cannot be imported: {in_one_line(error)}",
            where="torchvision",
            fix="Run `pip uninstall torchvision` (lepton_automl does not need it), or install the build that matches your torch.",
        ) from error

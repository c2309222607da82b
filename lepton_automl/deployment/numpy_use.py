"""Find where a forward pass computes with NumPy, which cannot be traced."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

TO_NUMPY = ("numpy", "__array__")
LIBRARIES = (Path(torch.__file__).parent, Path(np.__file__).parent, Path(__file__).parent)


class _Watch(TorchFunctionMode):
    """Records the first function that passes a tensor to NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.location = ""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        if not self.location and getattr(func, "__name__", "") in TO_NUMPY:
            self.location = _caller()
        return func(*args, **(kwargs or {}))


def numpy_use(module: nn.Module, inputs: dict[str, Tensor]) -> str:
    """Where a forward pass computes with NumPy, such as `"Ranks.forward, line 31"`; empty where it does not.

    Args:
        module: Called as `module(**inputs)`; it may change.
        inputs: A few rows.
    """
    watch = _Watch()
    try:
        with watch, torch.no_grad():
            module(**{name: rows[:2] for name, rows in inputs.items()})
    except Exception:  # the failure is reported elsewhere
        return watch.location
    return watch.location


def _caller() -> str:
    """The user's function that is running."""
    frame = sys._getframe(2)  # noqa: SLF001  # as traceback does; the public alternative also reads the source files
    while frame.f_back and any(Path(frame.f_code.co_filename).is_relative_to(library) for library in LIBRARIES):
        frame = frame.f_back
    return f"{frame.f_code.co_qualname}, line {frame.f_lineno}"

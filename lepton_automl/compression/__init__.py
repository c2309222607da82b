"""Networks made smaller: `shrink` is the one move, torch-pruning stands behind it."""

from __future__ import annotations

from .shrink import shrink

__all__ = ["shrink"]

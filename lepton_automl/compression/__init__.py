"""Make networks smaller by removing channels and blocks, with torch-pruning."""

from __future__ import annotations

from .shrink import shrink

__all__ = ["shrink"]

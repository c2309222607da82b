"""Other packages' log messages, held back for a while."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def log_level(level: int, loggers: Collection[str]) -> Iterator[None]:
    """Inside, the named loggers pass on messages of this level and above alone; afterwards they have their own levels again."""
    found = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in found]
    for logger in found:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before in zip(found, levels, strict=True):
            logger.setLevel(before)

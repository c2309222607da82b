"""Temporary log levels for other packages."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def log_level(level: int, loggers: Collection[str]) -> Iterator[None]:
    """Within this context, the named loggers only pass on messages of this level and above; afterwards it is undone."""
    named_loggers = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in named_loggers]
    for logger in named_loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before in zip(named_loggers, levels, strict=True):
            logger.setLevel(before)

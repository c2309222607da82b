"""Silence Lightning and undo its signal handling during a fit."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl

from lepton_automl.log_levels import log_level

LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")


@contextmanager
def silence_lightning() -> Iterator[None]:
    """Hide Lightning's log messages and warnings; those of other modules are shown as before."""
    with warnings.catch_warnings(), log_level(logging.ERROR, LOGGERS):
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\.")
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Context in which Ctrl-C raises KeyboardInterrupt; Lightning would exit the process and leave Ctrl-C disabled."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


class KeepSignals(pl.Callback):
    """Keeps the handler of SIGTERM; Lightning's would only record the signal and end at a later chunk, without an error."""

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Restore the handler, now that Lightning has installed its own."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)

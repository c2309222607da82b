"""Keep Lightning silent, and its signal handlers away, during a fit."""

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
    """Hide Lightning's notes and warnings; those of other modules are shown as before."""
    with warnings.catch_warnings(), log_level(logging.ERROR, LOGGERS):
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\.")
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt; Lightning would exit the process and leave Ctrl-C disabled."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


class KeepSignals(pl.Callback):
    """SIGTERM keeps its handler; Lightning would only record the signal and end at some later chunk, without an error."""

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002  # Lightning's signature
        """Lightning has installed its handler by now."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)

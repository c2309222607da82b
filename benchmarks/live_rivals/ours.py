"""This project's search, as anyone would start it."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from lepton_automl import AutoML, Budget
from lepton_automl.events import StudyConfig

from .setting import Setting

NAME = "ours"


class Fixed(AutoML):
    """The same with a given number of epochs, for short runs of this benchmark."""

    epochs = 0

    def _config(self, *given: Any) -> StudyConfig:
        config = super()._config(*given)
        return config.replace(train=config.train.replace(epochs=self.epochs))


def compete(setting: Setting) -> None:
    """Search; returns when the budget is spent."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    study = (Fixed if setting.epochs else AutoML)(
        name=NAME,
        budget=Budget(minutes=setting.minutes),
        seed=setting.seed,
        workers=setting.workers,
        home=setting.path / "home",
        progress=False,
    )
    if isinstance(study, Fixed):
        study.epochs = setting.epochs
    began = time.monotonic()
    try:
        study.fit(*setting.source())
    except BaseException:
        stop = getattr(study, "stop", None)  # a search in a process of its own would outlive this one
        if stop is not None:
            stop()
        raise
    setting.note(what="kept", minutes=(time.monotonic() - began) / 60)

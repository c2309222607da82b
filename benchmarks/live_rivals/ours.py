"""This project's search, started as a user would start it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time

from lepton_automl import AutoML, Budget, DataSpec, LeptonError, api, configure, open_study
from lepton_automl.study_config import StudyConfig

from .setting import Setting

NAME = "ours"


def fix_epochs(epochs: int) -> None:
    """Set a fixed number of epochs, for short runs of this benchmark."""
    usual = configure.study_config

    def config(request: AutoML, spec: DataSpec, name: str) -> StudyConfig:
        settings = usual(request, spec, name)
        return settings.replace(train=settings.train.replace(epochs=epochs))

    setattr(api, "study_config", config)  # noqa: B010  # the function that `fit` calls


def compete(setting: Setting) -> None:
    """Search; returns when the budget is spent."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if setting.epochs:
        fix_epochs(setting.epochs)
    home = setting.path / "home"
    automl = AutoML(
        name=NAME,
        budget=Budget(minutes=setting.minutes),
        seed=setting.seed,
        workers=setting.workers,
        home=home,
        progress=False,
    )
    began = time.monotonic()
    try:
        automl.fit(*setting.source())
    except BaseException:
        with contextlib.suppress(LeptonError):  # if it had not begun
            open_study(NAME, home).stop()  # the search has its own process, which would outlive this one
        raise
    setting.note(what="kept", minutes=(time.monotonic() - began) / 60)

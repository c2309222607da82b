"""Syne Tune's MOASHA: its scheduler on our virtual clock."""

from __future__ import annotations

import importlib
import importlib.util
import math
from datetime import datetime
from importlib import metadata
from typing import Any

import numpy as np

from lepton_automl.space import Hyperparameter

from .clock import Status, simulate
from .landscape import Deck, Landscape
from .recorded import Moment

MODULE = "syne_tune.optimizer.schedulers.multiobjective.moasha"


def missing() -> str:
    """Return why it is not available; empty if it is."""
    try:
        importlib.import_module(MODULE)
    except ImportError as error:
        return f"pip install syne-tune, or put a folder that contains it on PYTHONPATH ({error})"
    return ""


def version() -> str:
    return "" if missing() else metadata.version("syne-tune")


class Moasha:
    """The scheduler with its own defaults: one bracket, a grace period of one epoch, one third continues, epsilon-net priority."""

    def __init__(self, landscape: Landscape, seed: int) -> None:
        # It samples configurations from NumPy's global generator, whatever its seed.
        np.random.seed(seed)  # noqa: NPY002
        self._landscape, self._deck = landscape, Deck(landscape)
        self._trial = importlib.import_module("syne_tune.backend.trial_status").Trial
        domains = importlib.import_module("syne_tune.config_space")
        self._scheduler = importlib.import_module(MODULE).MOASHA(
            {name: _domain(domains, hyperparameter) for name, hyperparameter in landscape.table.space.items()},
            metrics=["score", "latency"],
            time_attr="epoch",
            max_t=landscape.table.epochs,
            random_seed=seed,
        )
        self._running: dict[int, Any] = {}

    def ask(self) -> int | None:
        row = self._deck.draw(self._scheduler.suggest().config)
        if row is not None:
            config = dict(self._landscape.rows[row].config)
            self._running[row] = self._trial(trial_id=row, config=config, creation_time=datetime.now())
            self._scheduler.on_trial_add(self._running[row])
        return row

    def hear(self, row: int, epoch: int) -> bool:
        result = self._objectives(row, epoch)
        return result is None or bool(self._scheduler.on_trial_result(self._running[row], result) != "STOP")

    def end(self, row: int, epoch: int, status: Status) -> None:
        trial, result = self._running.pop(row), self._objectives(row, epoch)
        if status == "complete" and result is not None:
            self._scheduler.on_trial_complete(trial, result)
        else:
            self._scheduler.on_trial_remove(trial)

    def _objectives(self, row: int, epoch: int) -> dict[str, float] | None:
        if not epoch:
            return None
        score, latency = self._landscape.costs(self._landscape.rows[row], epoch)
        result = {"epoch": epoch, "score": score, "latency": latency}
        return result if math.isfinite(score) and math.isfinite(latency) else None


def moasha(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
    return simulate(landscape, Moasha(landscape, seed), workers=workers)


def _domain(domains: Any, hyperparameter: Hyperparameter) -> Any:
    if hyperparameter.choices:
        return domains.choice(list(hyperparameter.choices))
    kind = ("log" if hyperparameter.log else "") + ("randint" if hyperparameter.integer else "uniform")
    return getattr(domains, kind)(hyperparameter.low, hyperparameter.high)

"""OptunaHub's `multi_metric_pruner`, loaded from a local checkout of the registry."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from .clock import Status, simulate
from .landscape import Landscape
from .optuna_peers import OptunaSearch, tpe
from .recorded import Moment

REGISTRY = "OPTUNAHUB_REGISTRY"  # the environment variable that names the checkout
PACKAGE = Path("package") / "pruners" / "multi_metric_pruner"


def missing() -> str:
    """Return why it is not available; empty if it is."""
    named = os.environ.get(REGISTRY)
    if not named:
        return f"set --hub PATH or ${REGISTRY} to a checkout of github.com/optuna/optunahub-registry"
    return "" if (Path(named) / PACKAGE / "__init__.py").is_file() else f"{named} does not contain {PACKAGE}"


def version() -> str:
    """A digest of the checkout's pruner."""
    return "" if missing() else (Path(os.environ[REGISTRY]) / PACKAGE / "_pruner.py").read_text()


def load() -> Any:
    """Load the package as a module, as OptunaHub does."""
    name = "optunahub_multi_metric_pruner"
    if name not in sys.modules:
        folder = Path(os.environ[REGISTRY]) / PACKAGE
        module_spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert module_spec is not None and module_spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(sys.modules[name])
        lighten(sys.modules[f"{name}._pruner"])
    return sys.modules[name]


def lighten(pruner: Any) -> None:
    """Omit the parameters from the single-objective study that the pruner builds for each report.

    The median rule reads only reported values, so its decisions stay the same; copying the parameters takes most of the time.
    """
    create = pruner.create_trial
    pruner.create_trial = lambda **arguments: create(**{**arguments, "params": {}, "distributions": {}})


class MultiMetric(OptunaSearch):
    """TPE with the median rule over Pareto ranks, both objectives reported after each epoch, as on the pruner's own page."""

    def __init__(self, landscape: Landscape, seed: int) -> None:
        self._module = load()
        pruner = self._module.MultiMetricPruner(
            optuna.pruners.MedianPruner(n_startup_trials=3),
            metric_directions={"score": "minimize", "latency": "minimize"},
            joint=True,
        )
        super().__init__(landscape, tpe(seed), pruner=pruner)

    def hear(self, row: int, epoch: int) -> bool:
        costs = self.landscape.costs(self.landscape.rows[row], epoch)
        if not all(map(math.isfinite, costs)):
            return True
        trial = self._module.MultiMetricPrunerTrial(self._trial(row))
        trial.report(dict(zip(("score", "latency"), costs, strict=True)), step=epoch)
        return not trial.should_prune()

    def _trial(self, row: int) -> optuna.Trial:
        frozen = self.study.get_trials(deepcopy=False)[self.numbers[row]]
        return optuna.Trial(self.study, frozen._trial_id)  # noqa: SLF001  # there is no other access to a trial that was added

    def end(self, row: int, epoch: int, status: Status) -> None:
        if status == "stopped":
            self.study.tell(self.numbers.pop(row), state=TrialState.PRUNED)
        else:
            super().end(row, epoch, status)


def multi_metric_pruner(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
    return simulate(landscape, MultiMetric(landscape, seed), workers=workers)

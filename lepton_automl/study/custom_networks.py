"""A study of custom networks: the user's factory is checked before the search starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton_automl.custom import CUT
from lepton_automl.errors import Complaints
from lepton_automl.execution.executor import Executor
from lepton_automl.jobs import FactoryCheck, FactoryCheckJob
from lepton_automl.space import Hyperparameter, Space
from lepton_automl.study_config import StudyConfig


def checked(
    config: StudyConfig,
    folder: Path,
    executor: Executor,
    on_tick: Callable[[], None] = lambda: None,
    limit: float | None = None,
) -> tuple[StudyConfig, tuple[str, ...]]:
    """The configuration after the user's factory was checked, and notes on it; unchanged if there is no factory.

    If channels cannot be pruned, the pruning ratio is removed from the search space, and one note gives the reason.

    Raises:
        ConfigError: The factory makes nothing that can be searched; all problems are listed.
    """
    if config.factory is None:
        return config, ()
    cut = config.space.get(CUT)
    request = FactoryCheckJob(
        data=config.data,
        factory=config.factory,
        usual=config.space.defaults,
        train=config.train,
        ratio=max(float(setting) for setting in _ends(cut)) if cut else 0.0,
        folder=str(folder),
    )
    check = executor.run(request, on_tick, limit=limit)
    assert isinstance(check, FactoryCheck)
    complaints = Complaints("model")
    for what, fix in check.wrong:
        complaints.add(what, fix)
    complaints.raise_any()
    if not check.unprunable_reason:
        return config, check.notes
    space = Space(hyperparameters={name: hyperparameter for name, hyperparameter in config.space.items() if name != CUT})
    return config.replace(space=space), (*check.notes, f"No channels are pruned in this study: {check.unprunable_reason}.")


def others(config: StudyConfig) -> dict[str, tuple[Any, ...]]:
    """The choices or bounds of a custom network's hyperparameters: their names do not tell which value is the fastest."""
    if config.factory is None:
        return {}
    return {name: _ends(hyperparameter) for name, hyperparameter in config.space.items() if name.startswith("model.")}


def _ends(hyperparameter: Hyperparameter) -> tuple[Any, ...]:
    if hyperparameter.choices:
        return hyperparameter.choices
    assert hyperparameter.low is not None and hyperparameter.high is not None
    return (
        (int(hyperparameter.low), int(hyperparameter.high))
        if hyperparameter.integer
        else (hyperparameter.low, hyperparameter.high)
    )

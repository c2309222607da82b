"""Settings of a search in a TOML file: `lepton search --config study.toml`, and `lepton show-config STUDY` that writes one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lepton_automl.errors import Complaints, ConfigError, did_you_mean
from lepton_automl.objective import Objective, cost_named
from lepton_automl.plugins import names

if TYPE_CHECKING:
    from lepton_automl.study_config import StudyConfig


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Use the settings of a TOML file as the defaults of a command's options; options on the command line override them.

    Raises:
        ConfigError: The file cannot be read, or has unknown settings; all are listed.
    """
    if path is None:
        return None
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", where="--config", fix="Give a TOML file.") from error
    complaints, parameters = Complaints(str(path)), {str(known.name): known for known in context.command.params}
    settings: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in parameters or name == "config":
            complaints.add(f"there is no setting {key!r}.{did_you_mean(name, parameters)}", "See: lepton search --help")
            continue
        joined = isinstance(value, list) and not getattr(parameters[name], "multiple", False)
        settings[name] = ",".join(map(str, value)) if joined else value
    complaints.raise_any()
    context.default_map = {**(context.default_map or {}), **settings}
    return path


def _option(goal: Objective) -> str:
    """The name of an objective in `--objectives`."""
    return next((name for name in names("objectives") if cost_named(name).objective.name == goal.name), goal.name)


def config_text(config: StudyConfig) -> str:
    """The settings of a study as TOML, for `lepton search --config`; families, hyperparameters, passwords and how data are read are not in it."""
    device, budget = config.deployment, config.budget
    size = None if device.max_size_bytes is None else device.max_size_bytes / 1000
    settings: dict[str, Any] = {
        "sql": config.query.sql if config.query else None,
        "connection": config.query.connection if config.query else None,
        "target": config.data.target,
        "task": config.data.task,
        "metric": config.metric,
        "objectives": ["accuracy", *(_option(goal) for goal in config.objectives if not goal.is_score)],
        "minutes": budget.minutes,
        "trials": budget.trials,
        "epochs": budget.epochs,
        "cost": budget.cost,
        "price": [f"{name}={price}" for name, price in budget.prices.items()],
        "workers": config.workers,
        "max_latency_ms": device.max_latency_ms,
        "max_size_kb": size,
        "threads": device.threads,
        "batch_size": device.batch_size,
        "runtimes": list(device.runtimes),
        "max_score_drop": device.max_score_drop,
        "sampler": config.sampler,
        "grid": list(config.grid),
        "teacher": config.teacher if config.teacher != "given" else None,
        "refit": config.refit,
        "ensemble": config.ensemble,
        "seed": config.seed,
    }
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items() if value not in (None, [], "")
    ]
    return (
        "\n".join(
            [
                f"# Settings of the study {config.name}, without families, hyperparameters, passwords and how data are read",
                *lines,
            ]
        )
        + "\n"
    )

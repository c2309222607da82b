"""What a search optimises, and what may limit it: the score, and the costs of an exported model.

A cost is a plug-in of the group `lepton_automl.objectives`, or a user-defined function of the exported file.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from . import plugins
from ._json import Value
from .errors import ConfigError
from .factory import Factory, factory_of

Direction = Literal["maximize", "minimize"]
SCORE = "score"  # the study's metric, on the validation split
TOO_SMALL = 1e-12


@dataclass(frozen=True, kw_only=True)
class Objective(Value):
    """One thing that a search optimises.

    Args:
        name: `"score"` (the study's metric), or a cost: `"latency_ms"`, `"size_bytes"`, or another one's name.
        direction: Whether a higher or a lower value is better.
        label: The name to show; `name` if empty.
        unit: Its unit, such as `"ms"`.
        scale: Whether the search compares ratios (`"log"`) or differences (`"linear"`) of it.
        function: A user-defined function that measures it: called with the path of the exported file, it returns a number.
    """

    name: str
    direction: Direction
    label: str = ""
    unit: str = ""
    scale: Literal["log", "linear"] = "log"
    function: Factory | None = None

    @property
    def is_score(self) -> bool:
        """Whether it is the study's metric; all others are costs, which are known before any training."""
        return self.name == SCORE

    @property
    def title(self) -> str:
        """The name to show."""
        return self.label or self.name

    def cost(self, value: float) -> float:
        """The value as something to minimise."""
        return -value if self.direction == "maximize" else value

    def scaled(self, value: float) -> float:
        """The value on its scale, in its own direction; NaN if the logarithm is undefined."""
        if self.is_score or self.scale == "linear":
            return value
        return math.log(value) if value > 0 else math.nan

    def search_cost(self, value: float) -> float:
        """The value on its scale, as something to minimise."""
        return self.cost(self.scaled(value))

    def show(self, value: float) -> str:
        """A value with its unit."""
        number = f"{value:.0f}" if self.unit == "bytes" else f"{value:.3g}"
        return f"{number} {self.unit}".rstrip()

    @classmethod
    def of(
        cls,
        function: Callable[[str], float],
        *,
        name: str = "",
        unit: str = "",
        direction: Direction = "minimize",
        scale: Literal["log", "linear"] = "log",
    ) -> Objective:
        """A cost of your own.

        Args:
            function: Called in a worker process with the path of the exported ONNX file, or of the folder if there are several
                programs; returns a number. It is imported there, or sent as source if it is defined in a notebook or script,
                like a factory of networks.
            name: Its name; by default the function's.
            unit: Its unit.
            direction: Whether a higher or a lower value is better.
            scale: `"log"` for positive values that are compared by ratio, else `"linear"`.

        Raises:
            ConfigError: Another process cannot import the function or get its source.
        """
        if not inspect.isfunction(function):
            raise ConfigError(f"{function!r} is not a function", where="Objective", fix="Pass a function of the file's path.")
        title = name or function.__name__
        return cls(name=title, direction=direction, unit=unit, scale=scale, function=factory_of(function))


@dataclass(frozen=True, kw_only=True)
class CustomMetric(Value):
    """A user-defined score.

    Args:
        name: Its name.
        direction: Whether a higher or a lower value is better.
        function: Called as `function(truth, answers)`; returns a number.
        on: Whether it gets answers as `predict` gives them, or the model's `"outputs"`, such as probabilities [N, K].
        labels: The name of each class of the data, with what the function gets in its place; empty for the classes themselves.
    """

    name: str
    direction: Direction
    function: Factory
    on: Literal["answers", "outputs"] = "answers"
    labels: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        function: Callable[[Any, Any], float],
        *,
        direction: Direction = "maximize",
        name: str = "",
        on: Literal["answers", "outputs"] = "answers",
    ) -> CustomMetric:
        """A score of your own.

        Args:
            function: Called in a worker process as `function(truth, answers)`, like a metric of scikit-learn: decode_targets in the
                form that the data have, [N], and answers as `predict` gives them, or the model's outputs. It is imported
                there, or sent as source if it is defined in a notebook or script.
            direction: Whether a higher or a lower value is better.
            name: Its name; by default the function's.
            on: What it gets: `"answers"`, or the model's `"outputs"`.

        Raises:
            ConfigError: Another process cannot import the function or get its source.
        """
        if not inspect.isfunction(function):
            raise ConfigError(f"{function!r} is not a function", where="metric", fix="Pass a function of truth and answers.")
        return cls(name=name or function.__name__, direction=direction, function=factory_of(function), on=on)

    def score(self, truth: Any, answers: Any) -> float:
        """The score of some answers; NaN if the function returns NaN.

        Args:
            truth: The true targets, [N].
            answers: The answers, [N], or the model's outputs.

        Raises:
            ConfigError: The function fails, or does not return a number.
        """
        if self.labels:
            truth, answers = self._labelled(truth), self._labelled(answers) if self.on == "answers" else answers
        try:
            return float(self.function.load()(truth, answers))
        except ConfigError:
            raise
        except Exception as error:
            what = f"the metric {self.name!r} fails: {type(error).__name__}: {error}"
            fix = "It is called as metric(truth, answers) and must return a number."
            raise ConfigError(what, where="metric", fix=fix) from error

    def _labelled(self, classes: Any) -> Any:
        import numpy as np  # imported here, as `lepton status` does not need it

        labels = dict(self.labels)
        return np.array([labels[str(name)] for name in classes])


class Artifact(Protocol):
    """An exported network as a cost sees it; `pipelines.cost.ExportedArtifact` is one."""

    @property
    def path(self) -> Any: ...  # noqa: D102  # the file that is run, a Path, in its runtime's format; the folder of several programs
    @property
    def graph(self) -> Any: ...  # noqa: D102  # the float ONNX file that it was made from, or the folder of those, a Path
    @property
    def macs(self) -> int: ...  # noqa: D102  # multiply-accumulates of one example, by its recipe
    @property
    def cold_start(self) -> Any: ...  # noqa: D102  # a measuring.cold_start.ColdStart, measured at the first use
    @property
    def energy(self) -> Any: ...  # noqa: D102  # a Measurement of one call; raises LeptonError without a meter


class Cost(Protocol):
    """A cost of an exported network.

    Attributes:
        objective: Its declaration.
    """

    objective: Objective

    def measure(self, artifact: Artifact) -> float:
        """Its value; NaN if it is already part of every profile.

        Raises:
            LeptonError: It cannot be measured here; the error says why.
        """


def cost_named(name: str) -> Cost:
    """A cost by the name that `AutoML(objectives=)` takes.

    Raises:
        ConfigError: There is none of this name.
    """
    cost: Cost = plugins.instance("objectives", name)
    return cost


def known_costs() -> dict[str, Objective]:
    """The declarations of all costs that are plug-ins, by the names of their objectives."""
    declared = (cost_named(name).objective for name in plugins.names("objectives"))
    return {objective.name: objective for objective in declared}


def measured(objective: Objective, artifact: Artifact) -> float:
    """Measure a cost that is not part of every profile.

    Raises:
        LeptonError: It cannot be measured here.
        ConfigError: A user-defined function fails, or does not return a number.
    """
    if objective.function is None:
        name = next(name for name in plugins.names("objectives") if cost_named(name).objective.name == objective.name)
        return cost_named(name).measure(artifact)
    try:
        value = float(objective.function.load()(str(artifact.path)))
    except ConfigError:
        raise
    except Exception as error:
        what = f"the function of the objective {objective.name!r} fails: {type(error).__name__}: {error}"
        raise ConfigError(what, where="objectives", fix="It gets the path of an ONNX file and must return a number.") from error
    if not math.isfinite(value):
        what = f"the function of the objective {objective.name!r} returns {value}"
        raise ConfigError(what, where="objectives", fix="It must return a finite number.")
    return value

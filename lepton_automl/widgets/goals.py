"""The form for objectives, target device and budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from lepton_automl.execution.capacity import affordable_workers, cores
from lepton_automl.specs import Budget, DataSpec, Deployment
from lepton_automl.study_store import StudyStore
from lepton_automl.task import task_of

from .fields import choice_field, number_field, set_options, text_field
from .pins import Pins
from .plan import MINUTES, argument_error
from .view import View

OBJECTIVES = {
    "latency": "Measured latency per call on the target device, in milliseconds",
    "size": "Size of the exported model file, in bytes",
}
USUAL = ("latency",)
KILOBYTE = 1_000


class Goals(View):
    """Objectives, target device, budget, hyperparameters and name.

    Args:
        make: The class of searches, which validates their arguments.
        home: The folder of all studies.
        changed: Called when a value was changed.
    """

    def __init__(self, make: Callable[..., Any], home: StudyStore, changed: Callable[[], None]) -> None:
        self._make, self._home = make, home
        self.metric = choice_field("metric", "The score to optimize", [("default", None)])
        self.objectives = {
            name: w.Checkbox(name in USUAL, description=name, tooltip=tip, indent=False, layout={"width": "auto"})
            for name, tip in OBJECTIVES.items()
        }
        self.deployment = {
            "max_latency_ms": number_field(
                "max latency, ms", "no limit", "Hard limit on the latency per call, in milliseconds"
            ),
            "max_size_bytes": number_field(
                "max size, kB", "no limit", "Hard limit on the exported model file, in kB of 1,000 bytes"
            ),
            "threads": number_field("threads", "1", "Threads per call"),
            "batch_size": number_field("batch size", "1", "Rows per call"),
        }
        self.budget = {
            "minutes": number_field(
                "minutes", "no limit", "Minutes of search, from the start to the finished model", str(MINUTES)
            ),
            "trials": number_field("trials", "no limit", "Number of trials, including stopped and failed ones"),
            "epochs": number_field("epochs", "no limit", "Total training epochs of all trials"),
        }
        self.workers = number_field(
            "workers", str(affordable_workers(cores())[0]), "Maximum number of worker processes, one thread each"
        )
        self.name = text_field("name", "from the data", "The study's name, to open it again later")
        self.pins = Pins(changed)
        for field in (self.metric, *self.deployment.values(), *self.budget.values(), self.workers, self.name):
            field.on_change(changed)
        for field in self.objectives.values():
            field.observe(lambda _: changed(), "value")
        better = w.HBox([w.Label("also optimize"), *self.objectives.values()])
        better.add_class("l-wrap")
        super().__init__(
            w.HTML("<h4>Objectives</h4>"),
            self.metric,
            better,
            w.HTML("<h4>Deployment: this machine's CPU</h4>"),
            *self.deployment.values(),
            w.HTML("<h4>Budget</h4>"),
            *self.budget.values(),
            self.workers,
        )
        self.search = w.VBox([w.HTML("<h4>Search</h4>"), self.name, self.pins])  # placed by the builder

    def update(self, spec: DataSpec | None) -> None:
        """Update the choices for the data."""
        scores = list(task_of(spec).metrics) if spec else []
        usual = f"default: {scores[0]}" if scores else "default"
        set_options(self.metric, [(usual, None), *((name, name) for name in scores)])
        self.pins.update(spec)

    def automl_arguments(self) -> dict[str, Any]:
        """The entered arguments of `AutoML`, except deployment and budget."""
        objectives = ("accuracy", *(name for name, box in self.objectives.items() if box.value))
        arguments = {
            "name": self.name.value,
            "objectives": objectives if objectives != ("accuracy", *USUAL) else None,
            "metric": self.metric.value,
            "hyperparameters": dict(self.pins.held) or None,
            "workers": self.workers.value,
        }
        return _without_none(arguments)

    def deployment_arguments(self) -> dict[str, Any]:
        """The entered arguments of `Deployment`."""
        arguments = {name: field.value for name, field in self.deployment.items()}
        size = arguments["max_size_bytes"]
        arguments["max_size_bytes"] = int(size * KILOBYTE) if _finite(size) else size
        return _without_none(arguments)

    def budget_arguments(self) -> dict[str, Any]:
        """The entered arguments of `Budget`."""
        return _without_none({name: field.value for name, field in self.budget.items()})

    def show_errors(self) -> int:
        """Show the errors beside their fields, and return their number."""
        deployment, budget = self.deployment_arguments(), self.budget_arguments()
        complaints = {field: _field_error(Deployment, name, deployment) for name, field in self.deployment.items()}
        complaints |= {field: _field_error(Budget, name, budget) for name, field in self.budget.items()}
        automl_arguments = self.automl_arguments()
        complaints |= {
            field: _field_error(self._make, name, automl_arguments)
            for name, field in (("workers", self.workers), ("metric", self.metric))
        }
        complaints[self.name] = _field_error(self._make, "name", automl_arguments) or self._name_error(
            automl_arguments.get("name")
        )
        if not budget:
            complaints[self.budget["minutes"]] = argument_error(Budget)
        for field, complaint in complaints.items():
            field.show_error(complaint)
        return sum(map(bool, complaints.values())) + bool(self.pins.complaint)

    def _name_error(self, name: str | None) -> str:
        """The error if a study of the name exists; else empty."""
        if name is None or not self._home.path(name).exists():
            return ""
        return f"A study of this name exists in {self._home.folder}. Try {self._home.free_name(name)!r}."


def _without_none(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _field_error(make: Any, name: str, arguments: dict[str, Any]) -> str:
    """The error of one argument, independent of the others; empty if it is valid."""
    return argument_error(make, **{name: arguments[name]}) if name in arguments else ""


def _finite(number: Any) -> bool:
    return isinstance(number, int | float) and abs(number) < float("inf")

"""A search as it is being described: one value that is read as a line of Python, as arguments, and for what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lepton_automl.errors import ConfigError
from lepton_automl.specs import Budget, Deployment

MINUTES = 10  # of a budget, where nothing is said


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a person has said so far; what they left alone is not in here.

    Args:
        data: The source, as the arguments of `fit` are written: `df`, `x, y`, `"photos/"`.
        automl_arguments: Arguments of `AutoML` beside the next two.
        deployment: Of `Deployment`.
        budget: Of `Budget`.
        fit_arguments: Arguments of `fit` beside the source.
        test: The test data, as they are written; empty where they are cut off from the others.
    """

    data: str = "..."
    automl_arguments: Mapping[str, Any] = field(default_factory=dict)
    deployment: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    fit_arguments: Mapping[str, Any] = field(default_factory=dict)
    test: str = ""

    @property
    def code(self) -> str:
        """The line of Python that it equals."""
        deployment = {"deployment": Code(call_source("Deployment", self.deployment))} if self.deployment else {}
        budget = {"budget": Code(call_source("Budget", self.budget or {"minutes": MINUTES}))}
        automl_arguments = call_source(
            "AutoML", {**_named(self.automl_arguments), **deployment, **budget, **_rest(self.automl_arguments)}
        )
        test = {"test": Code(self.test)} if self.test else {}
        return f"{automl_arguments}.fit({', '.join([self.data, *arguments({**self.fit_arguments, **test})])})"

    @property
    def imports(self) -> str:
        """The line that must stand above it."""
        return f"from lepton_automl import AutoML, Budget{', Deployment' * bool(self.deployment)}"

    def arguments(self) -> dict[str, Any]:
        """The same as arguments of `AutoML`.

        Raises:
            ConfigError: Something is out of range.
        """
        return {
            **self.automl_arguments,
            "deployment": Deployment(**self.deployment),
            "budget": Budget(**self.budget or {"minutes": MINUTES}),
        }


class Code(str):
    """Text that is Python already."""

    __slots__ = ()


def call_source(name: str, values: Mapping[str, Any]) -> str:
    """A call with named arguments, written out."""
    return f"{name}({', '.join(arguments(values))})"


def arguments(values: Mapping[str, Any]) -> list[str]:
    """Named arguments, each written out."""
    return [f"{name}={python_literal(value)}" for name, value in values.items()]


def python_literal(value: Any) -> str:
    """A value as it is written in Python, with the quotation marks that people use."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        literal = repr(value)
        return literal if '"' in value or "'" in value else f'"{literal[1:-1]}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{python_literal(key)}: {python_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        items = ", ".join(map(python_literal, value))
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' * (len(value) == 1)})"
    return repr(value)


def argument_error(make: Any, **arguments: Any) -> str:
    """What a constructor has against arguments, without its own name before it; empty where all is well."""
    try:
        make(**arguments)
    except ConfigError as error:
        return f"{error.what}. {error.fix}".replace("..", ".").strip()
    return ""


def _named(automl_arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": automl_arguments["name"]} if "name" in automl_arguments else {}


def _rest(automl_arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in automl_arguments.items() if name != "name"}

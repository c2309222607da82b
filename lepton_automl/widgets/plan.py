"""The settings of a search in the builder, as Python code and as validated arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lepton_automl.errors import ConfigError
from lepton_automl.specs import Budget, Deployment

MINUTES = 10  # the default budget


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings that were entered; defaults are left out.

    Args:
        data: The source, as code of the arguments of `fit`: `df`, `x, y`, `"photos/"`.
        automl_arguments: Arguments of `AutoML`, except the next two.
        deployment: Arguments of `Deployment`.
        budget: Arguments of `Budget`.
        fit_arguments: Arguments of `fit`, except the source.
        test: The test data, as code; empty if they are split from the data.
    """

    data: str = "..."
    automl_arguments: Mapping[str, Any] = field(default_factory=dict)
    deployment: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    fit_arguments: Mapping[str, Any] = field(default_factory=dict)
    test: str = ""

    @property
    def code(self) -> str:
        """The equivalent Python code."""
        deployment = {"deployment": Code(call_source("Deployment", self.deployment))} if self.deployment else {}
        budget = {"budget": Code(call_source("Budget", self.budget or {"minutes": MINUTES}))}
        automl_arguments = call_source(
            "AutoML", {**_named(self.automl_arguments), **deployment, **budget, **_rest(self.automl_arguments)}
        )
        test = {"test": Code(self.test)} if self.test else {}
        return f"{automl_arguments}.fit({', '.join([self.data, *arguments({**self.fit_arguments, **test})])})"

    @property
    def imports(self) -> str:
        """The import that the code needs."""
        return f"from lepton_automl import AutoML, Budget{', Deployment' * bool(self.deployment)}"

    def arguments(self) -> dict[str, Any]:
        """The arguments of `AutoML`.

        Raises:
            ConfigError: A value is out of range.
        """
        return {
            **self.automl_arguments,
            "deployment": Deployment(**self.deployment),
            "budget": Budget(**self.budget or {"minutes": MINUTES}),
        }


class Code(str):
    """Text that is Python code already."""

    __slots__ = ()


def call_source(name: str, values: Mapping[str, Any]) -> str:
    """The source code of a call with keyword arguments."""
    return f"{name}({', '.join(arguments(values))})"


def arguments(values: Mapping[str, Any]) -> list[str]:
    """The source code of each keyword argument."""
    return [f"{name}={python_literal(value)}" for name, value in values.items()]


def python_literal(value: Any) -> str:
    """A value as a Python literal, with double quotes."""
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
    """The error that a constructor raises for arguments, without the place; empty if they are valid."""
    try:
        make(**arguments)
    except ConfigError as error:
        return f"{error.what}. {error.fix}".replace("..", ".").strip()
    return ""


def _named(automl_arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": automl_arguments["name"]} if "name" in automl_arguments else {}


def _rest(automl_arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in automl_arguments.items() if name != "name"}

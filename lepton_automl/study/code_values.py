"""Values as Python code: `ConvRecipe(stem=16, ...)`, with the imports that it needs."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
from collections import defaultdict
from typing import Any

from lepton_automl._json import Value

WIDTH = 110  # characters of a line of code
INDENT = "    "


class Imports:
    """The names that some code imports, by module."""

    def __init__(self) -> None:
        self._names: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, *paths: str) -> None:
        """Add names, such as `lepton_automl.models.build`."""
        for path in paths:
            module, _, name = path.rpartition(".")
            self._names[module].add(name)

    def lines(self, others: str = "") -> str:
        """The import statements, sorted: those of the standard library, others, and those of other packages.

        Args:
            others: Statements that are written already.
        """
        known = sorted(self._names.items())
        groups: tuple[list[str], list[str]] = [], []
        for module, names in known:
            groups[module.partition(".")[0] not in sys.stdlib_module_names].append(_import(module, sorted(names)))
        parts = ["\n".join(groups[0]), others.strip(), "\n".join(groups[1])]
        return "\n\n".join(part for part in parts if part)


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"{INDENT}{name}," for name in names), ")"])


def written(value: Any, imports: Imports, *, name: str = "", whole: type[Value] | tuple[type[Value], ...] = ()) -> str:
    """A value as Python code, in lines of at most `WIDTH` characters where it can be broken.

    Args:
        value: JSON-able objects, tuples and `Value`s.
        imports: Gets the classes that the code needs.
        name: The variable that it is assigned to; empty for none.
        whole: Values of which fields that have their defaults are written too.
    """
    head = f"{name} = " if name else ""
    return head + _code(value, imports, whole, start=len(head), level=0)


def _code(value: Any, imports: Imports, whole: Any, *, start: int, level: int) -> str:
    """Code that begins at a column, inside some brackets."""
    if isinstance(value, Value):
        kind = type(value)
        imports.add(f"{kind.__module__}.{kind.__name__}")
        fields = [
            (f"{field.name}=", getattr(value, field.name))
            for field in dataclasses.fields(value)  # type: ignore[arg-type]  # every subclass is a dataclass
            if isinstance(value, whole) or not _is_default(field, getattr(value, field.name))
        ]
        return _bracketed(f"{kind.__name__}(", fields, ")", imports, whole, start=start, level=level)
    if isinstance(value, tuple | list):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return _bracketed(opening, [("", item) for item in value], closing, imports, whole, start=start, level=level)
    if isinstance(value, dict):
        items = [(f"{key!r}: ", item) for key, item in value.items()]
        return _bracketed("{", items, "}", imports, whole, start=start, level=level)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(field.default == value)
    return field.default_factory is not dataclasses.MISSING and bool(field.default_factory() == value)


def _bracketed(
    opening: str, items: list[tuple[str, Any]], closing: str, imports: Imports, whole: Any, *, start: int, level: int
) -> str:
    """Items in brackets: on one line if they fit; else on lines of their own, short ones side by side."""
    code = functools.partial(_code, imports=imports, whole=whole)
    flat = ", ".join(prefix + code(item, start=0, level=0) for prefix, item in items)
    if "\n" not in flat and start + len(opening + flat + closing) < WIDTH:
        return opening + flat + closing
    inner = INDENT * (level + 1)
    lines = [inner]
    for prefix, item in items:
        text = prefix + code(item, start=len(inner + prefix), level=level + 1) + ","
        fits = "\n" not in text and len(lines[-1]) + 1 + len(text) <= WIDTH
        if lines[-1] == inner:
            lines[-1] += text
        elif fits and "\n" not in lines[-1]:
            lines[-1] += " " + text
        else:
            lines.append(inner + text)
    return "\n".join([opening, *lines, INDENT * level + closing.removeprefix(",")])

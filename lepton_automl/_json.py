"""Frozen dataclasses to JSON and back, by their type hints alone."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, Self


class Value:
    """A frozen, keyword-only dataclass that travels as JSON.

    Subclasses are written `@dataclass(frozen=True, kw_only=True)`. Fields may be JSON scalars, other values, tuples,
    string-keyed (or int-keyed) dicts, and unions of these with None.
    """

    def to_json(self) -> dict[str, Any]:
        """The value as JSON-able objects."""
        return {field.name: _encode(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The value back from `to_json`; unknown keys are ignored, so that an older reader opens a newer file."""
        hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable; mypy asks the instances
        return cls(**{name: _decode(hints[name], item) for name, item in data.items() if name in hints})

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # every subclass is a dataclass


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _encode(item: Any) -> Any:
    if isinstance(item, Value):
        return item.to_json()
    if isinstance(item, tuple | list):
        return [_encode(part) for part in item]
    if isinstance(item, dict):
        return {str(key): _encode(part) for key, part in item.items()}
    return item


def _decode(hint: Any, item: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if item is None or hint is Any:
        return item
    if origin in (typing.Union, types.UnionType):
        return _decode(_choose([part for part in args if part is not type(None)], item), item)
    if origin is tuple:
        parts = args[:1] * len(item) if len(args) == 2 and args[1] is Ellipsis else args
        return tuple(_decode(part, one) for part, one in zip(parts, item, strict=True))
    if origin is dict:
        return {args[0](key): _decode(args[1], part) for key, part in item.items()}
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.from_json(item)
    if hint is float and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    return item


def _choose(options: list[Any], item: Any) -> Any:
    """The member of a union that `item` was encoded from."""
    values = [option for option in options if isinstance(option, type) and issubclass(option, Value)]
    if isinstance(item, dict) and values:
        tagged = [option for option in values if item.get("family") == getattr(option, "family", None)]
        return (tagged or values)[0]
    others = [option for option in options if option not in values]
    return others[0] if len(others) == 1 else Any

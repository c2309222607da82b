"""Frozen dataclasses to JSON and back, from their type hints alone."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any, Self

DEEPEST = 100  # levels of nesting in a field of type Any; this package writes fewer


class Value:
    """Base of the frozen, keyword-only dataclasses that are stored and sent as JSON.

    Subclasses are written `@dataclass(frozen=True, kw_only=True)`. Fields may be JSON scalars, other values, tuples,
    string-keyed (or int-keyed) dicts, and unions of these with None.
    """

    def to_json(self) -> dict[str, Any]:
        """The value as JSON-able objects."""
        return {field.name: _encode(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The value from the result of `to_json`; unknown keys are ignored, so that an older version can read a newer file."""
        hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable; mypy checks its instances
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
    return item if item is None else _decoder(hint)(item)


@functools.cache
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """A function that turns JSON other than None into a value of this type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        options = [part for part in args if part is not type(None)]
        return lambda item: _decode(_choose(options, item), item)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return lambda item: tuple(_decode(args[0], part) for part in item)
    if origin is tuple:
        return lambda item: tuple(_decode(inner, part) for inner, part in zip(args, item, strict=True))
    if origin is dict:
        return lambda item: {args[0](key): _decode(args[1], part) for key, part in item.items()}
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.from_json
    if hint is float:
        return lambda item: float(item) if isinstance(item, int) and not isinstance(item, bool) else item
    return lambda item: item


def _choose(options: list[Any], item: Any) -> Any:
    """The member of a union that `item` was encoded from."""
    values = [option for option in options if isinstance(option, type) and issubclass(option, Value)]
    if isinstance(item, dict) and values:
        tagged = [option for option in values if item.get("family") == getattr(option, "family", None)]
        return (tagged or values)[0]
    rest = [option for option in options if option not in values]
    return rest[0] if len(rest) == 1 else Any


def conforms(kind: type[Value], data: Any) -> bool:
    """Whether JSON could be a value of this class: every required field is present, and every field has the right type."""
    return _test(kind)(data)  # type: ignore[arg-type]  # as for `_hints`


@functools.cache
def _test(hint: Any) -> Callable[[Any], bool]:
    """A function that checks whether JSON could be of this type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _is_shallow
    if origin in (typing.Union, types.UnionType):
        tests = [_test(part) for part in args]
        return lambda item: any(test(item) for test in tests)
    if origin is typing.Literal:
        kinds = tuple({type(option) for option in args})
        return lambda item: isinstance(item, kinds)  # a newer version may allow more values
    if origin is tuple:
        return _tuple_test(args)
    if origin is dict:
        inner = _test(args[1])
        integer_keys = args[0] is int
        return lambda item: (
            isinstance(item, dict) and all(inner(part) and (not integer_keys or _is_integer(key)) for key, part in item.items())
        )
    if isinstance(hint, type) and issubclass(hint, Value):
        return _value_test(hint)
    if hint is float:
        return lambda item: isinstance(item, int | float) and not isinstance(item, bool)
    if hint is int:
        return lambda item: isinstance(item, int) and not isinstance(item, bool)
    return lambda item: isinstance(item, hint)


def _tuple_test(args: tuple[Any, ...]) -> Callable[[Any], bool]:
    if len(args) == 2 and args[1] is Ellipsis:
        inner = _test(args[0])
        return lambda item: isinstance(item, list) and all(inner(part) for part in item)
    tests = [_test(part) for part in args]
    return lambda item: (
        isinstance(item, list) and len(item) == len(tests) and all(t(i) for t, i in zip(tests, item, strict=True))
    )


def _value_test(kind: type[Value]) -> Callable[[Any], bool]:
    tests = [(name, _test(hint)) for name, hint in _hints(kind).items()]  # type: ignore[arg-type]  # as above
    needed = {
        field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]  # every subclass is a dataclass
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def test(item: Any) -> bool:
        return isinstance(item, dict) and needed <= item.keys() and all(name not in item or t(item[name]) for name, t in tests)

    return test


def _is_integer(text: Any) -> bool:
    return isinstance(text, str) and text.removeprefix("-").isdecimal()


def _is_shallow(item: Any, deepest: int = DEEPEST) -> bool:
    if isinstance(item, dict):
        return deepest > 0 and all(_is_shallow(part, deepest - 1) for part in item.values())
    if isinstance(item, list):
        return deepest > 0 and all(_is_shallow(part, deepest - 1) for part in item)
    return True

"""The source of a function from a notebook or script, with everything that it needs to run in another process.

Nothing is run again: each name is looked up in the running program and written as the shortest code that recreates its
value: an import, a constant, or the source of the class or function.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import linecache
import sys
import types
from collections.abc import Iterator
from typing import Any

from .errors import ConfigError

HEAD = "from __future__ import annotations\n"


def portable_source(entry: Any) -> str:
    """Python code that defines a function or class of the main program, and everything of the main program that it refers to.

    Args:
        entry: A function or class at the top level of a script or notebook.

    Raises:
        ConfigError: Its source is not known, or it refers to a value that cannot be written as code.
    """
    definitions: dict[str, str] = {}
    _add(entry.__name__, entry, inspect.getmodule(entry) or sys.modules["__main__"], definitions)
    return HEAD + "\n\n".join(definitions.values()) + "\n"


def _add(name: str, value: Any, home: Any, definitions: dict[str, str]) -> None:
    """Add the code that defines a name, after everything that this code needs."""
    if name in definitions:
        return
    definitions[name] = ""  # functions may refer to each other; the entry moves to its final place below
    code = _reference(name, value)
    if code is None and name != getattr(value, "__name__", name):  # another name for it
        _add(value.__name__, value, home, definitions)
        code = f"{name} = {value.__name__}"
    if code is None:
        node, code = _definition(name, value, home)
        scope = _scope(value, home)
        for needed in _needs(node):
            if needed in scope and needed not in definitions:
                _add(needed, scope[needed], home, definitions)
    del definitions[name]
    definitions[name] = code


def _reference(name: str, value: Any) -> str | None:
    """Code for a module, a constant, or an object of another module; None for objects that the main program defines."""
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}"
    try:
        if ast.literal_eval(repr(value)) == value:
            return f"{name} = {value!r}"
    except Exception:  # noqa: S110  # its repr is not a literal, whatever the reason
        pass
    module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(qualname, str) and module != "__main__" and "." not in qualname:
        try:
            if getattr(importlib.import_module(module), qualname) is value:
                return f"from {module} import {qualname} as {name}"
        except Exception:  # noqa: S110  # it cannot be imported like this
            pass
    return None


def _definition(name: str, value: Any, home: Any) -> tuple[ast.AST, str]:
    """The statement of the main program that defines a name, parsed and as text."""
    if inspect.isclass(value) or inspect.isfunction(value):
        kinds: tuple[type[ast.stmt], ...] = (ast.ClassDef, ast.FunctionDef)
    else:
        kinds = (ast.Import, ast.ImportFrom)  # made by a library at run time: use the user's own import
    for text in _texts(value, home):
        for node in reversed(_parsed(text)):
            if isinstance(node, kinds) and _binds(node, name, value):
                first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
                return node, "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    what = "its source is not known" if kinds[0] is ast.ClassDef else f"a {type(value).__name__} cannot be written as code"
    raise ConfigError(
        f"{name} cannot be sent to the worker processes: {what}",
        where="model",
        fix="Put the factory and everything that it uses into a file, such as nets.py, and import it from there.",
    )


def _binds(node: Any, name: str, value: Any) -> bool:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return bool(node.name == value.__name__)
    return any((alias.asname or alias.name) == name for alias in node.names)


def _texts(value: Any, home: Any) -> Iterator[str]:
    """Texts that may define an object, the likeliest first: its own file or cell, the script, the notebook's cells."""
    parts = [value, *vars(value).values()] if inspect.isclass(value) else [value]
    codes = [part.__code__ for part in parts if inspect.isfunction(part)]
    files = [code.co_filename for code in codes]
    files += [file for file in [getattr(home, "__file__", None)] if file]
    for file in dict.fromkeys(files):
        if lines := linecache.getlines(file):
            yield "".join(lines)
    yield from (cell for cell in reversed(getattr(home, "In", [])) if isinstance(cell, str))


def _parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError:  # a cell with magics
        return []


def _scope(value: Any, home: Any) -> dict[str, Any]:
    """The global names that an object sees."""
    parts = [value, *vars(value).values()] if inspect.isclass(value) else [value]
    for part in parts:
        if inspect.isfunction(part):
            return dict(part.__globals__)
    return dict(vars(home))


def _needs(node: ast.AST) -> list[str]:
    """Names that a statement reads but does not bind; annotations are skipped, as they are never evaluated."""
    read: dict[str, None] = {}
    bound: set[str] = set()
    ahead: list[Any] = [node]
    while ahead:
        part = ahead.pop()
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, ast.Load):
                read[part.id] = None
            else:
                bound.add(part.id)
        elif isinstance(part, ast.arg):
            bound.add(part.arg)
            continue
        for field, inner in ast.iter_fields(part):
            if field not in ("annotation", "returns"):
                ahead.extend(inner if isinstance(inner, list) else [inner] if isinstance(inner, ast.AST) else [])
    return [name for name in read if name not in bound and not hasattr(builtins, name)]

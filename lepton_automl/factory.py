"""How a user's own code reaches worker processes: by import path, or as source; never pickled."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import linecache
import os
import sys
import types
from dataclasses import dataclass
from typing import Any

from ._json import Value
from .errors import ConfigError, in_one_line
from .portable import portable_source
from .trust import is_trusted, remember

TRUST = "Read the code (`study.state.settings.factory`). If you trust it: lepton resume STUDY --trust, or open_study(NAME, trust=True)."
IN_A_FILE = "Define it at the top level of a file or notebook: def make(config, spec): ..."


@dataclass(frozen=True, kw_only=True)
class Factory(Value):
    """A function or class that makes networks, as a value.

    Args:
        name: Its name in its module.
        module: The module to import it from; `"__main__"` if it is sent as source.
        source: Code that defines it, if it was written in a notebook or script; else empty.
        paths: Folders that the user's program imports from.
    """

    name: str
    module: str
    source: str = ""
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @property
    def digest(self) -> str:
        """SHA-256 of the code and its import paths, by which it is trusted."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def untrusted(self) -> str:
        """Why it may not run, as a sentence; empty if the user trusts it."""
        if is_trusted(self.digest):
            return ""
        place = f"{len(self.source.splitlines())} lines of code in the study" if self.source else f"the module {self.module}"
        return (
            f"the study's networks are made by code that came with it, {self}, and you have not trusted this code yet ({place})"
        )

    def load(self) -> Any:
        """Import the function or class, or run its source.

        Raises:
            ConfigError: The code cannot be run here, or the user has not trusted it.
        """
        if what := self.untrusted():
            raise ConfigError(what, where="model", fix=TRUST)
        sys.path.extend(path for path in self.paths if path not in sys.path)
        try:
            module = self._run() if self.source else importlib.import_module(self.module)
            return getattr(module, self.name)
        except Exception as error:
            raise ConfigError(
                f"{self} cannot be loaded in a worker process: {in_one_line(error)}",
                where="model",
                fix="A worker must be able to import it: put everything that it needs into a file, or install it.",
            ) from error

    def _run(self) -> types.ModuleType:
        """A module made from the source, which runs once per process."""
        name = "lepton_own_" + hashlib.sha256(self.source.encode()).hexdigest()[:12]
        if name not in sys.modules:
            module = types.ModuleType(name, f"The source of {self}.")
            file = f"<{name}>"
            linecache.cache[file] = len(self.source), None, self.source.splitlines(keepends=True), file  # for tracebacks
            sys.modules[name] = module
            try:
                exec(compile(self.source, file, "exec"), module.__dict__)  # noqa: S102  # the user's own code, which they trust
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


def factory_of(function: Any) -> Factory:
    """Describe a function or class as a value.

    Args:
        function: Called as `function(config, spec)`. It must be defined at the top level of an importable module, a script or a
            notebook.

    Raises:
        ConfigError: Another process cannot import it or get its source.
    """
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    if not (inspect.isfunction(function) or inspect.isclass(function)):
        what = f"model is a {type(function).__name__}; it must be a function or class that makes a LightningModule"
        raise ConfigError(what, where="model", fix=IN_A_FILE)
    if "." in name or "<" in name or not module:
        raise ConfigError(f"a worker process cannot import {name}", where="model", fix=IN_A_FILE)
    paths = tuple(dict.fromkeys(os.path.abspath(path or ".") for path in sys.path))  # noqa: PTH100  # "" is the current folder
    if module == "__main__":
        return _trusted(Factory(name=name, module=module, source=portable_source(function), paths=paths))
    if getattr(sys.modules.get(module), name, None) is not function:
        raise ConfigError(f"{module}:{name} is not the object that was passed", where="model", fix=IN_A_FILE)
    return _trusted(Factory(name=name, module=module, paths=paths))


def _trusted(factory: Factory) -> Factory:
    """Trust code that this program itself defines, also in workers that are running already."""
    remember(factory.digest)
    return factory

"""How a person's own code reaches worker processes: by the path it can be imported from, or by its source; never pickled."""

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

TRUST = "Look at it (`state.settings.own` of the study). Where you trust it: lepton resume STUDY --trust, or attach(..., trust=True)."
IN_A_FILE = "Define it at the top level of a file or notebook: def make(config, spec): ..."


@dataclass(frozen=True, kw_only=True)
class Factory(Value):
    """A function or class that makes networks, as a value.

    Args:
        name: Its name in its module.
        module: Where it is imported from; `"__main__"` where it travels by source.
        source: Code that defines it, for one that was written in a notebook or script; else empty.
        paths: Folders that the person's program imports from.
    """

    name: str
    module: str
    source: str = ""
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @property
    def digest(self) -> str:
        """What it is trusted by: the same for the same code from the same places."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def untrusted(self) -> str:
        """What speaks against running it, in words; empty where its user has said that it may run."""
        if is_trusted(self.digest):
            return ""
        where = f"{len(self.source.splitlines())} lines of code in the study" if self.source else f"the module {self.module}"
        return (
            f"the study's networks are made by a person's own code, {self}, and you have not said that you trust it ({where})"
        )

    def load(self) -> Any:
        """The function or class itself.

        Raises:
            ConfigError: The code cannot be run here, or its user has not said that it may.
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
                fix="A worker must be able to import it: put all that it needs into a file, or install it.",
            ) from error

    def _run(self) -> types.ModuleType:
        """A module of the source; run once a process."""
        name = "lepton_own_" + hashlib.sha256(self.source.encode()).hexdigest()[:12]
        if name not in sys.modules:
            module = types.ModuleType(name, f"The source of {self}.")
            file = f"<{name}>"
            linecache.cache[file] = len(self.source), None, self.source.splitlines(keepends=True), file  # for tracebacks
            sys.modules[name] = module
            try:
                exec(compile(self.source, file, "exec"), module.__dict__)  # noqa: S102  # the person's own code, as they gave it
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


def factory_of(made: Any) -> Factory:
    """The value of a function or class.

    Args:
        made: Called as `made(config, spec)`. It must be defined at the top level of an importable module, a script or a
            notebook.

    Raises:
        ConfigError: It cannot be found again from another process.
    """
    name, module = getattr(made, "__qualname__", ""), getattr(made, "__module__", None)
    if not (inspect.isfunction(made) or inspect.isclass(made)):
        what = f"model is a {type(made).__name__}; it must be a function that makes a LightningModule"
        raise ConfigError(what, where="model", fix=IN_A_FILE)
    if "." in name or "<" in name or not module:
        raise ConfigError(f"{name} cannot be found again from a worker process", where="model", fix=IN_A_FILE)
    paths = tuple(dict.fromkeys(os.path.abspath(path or ".") for path in sys.path))  # noqa: PTH100  # "" is the current folder
    if module == "__main__":
        return _own(Factory(name=name, module=module, source=portable_source(made), paths=paths))
    if getattr(sys.modules.get(module), name, None) is not made:
        raise ConfigError(f"{module}:{name} is not what was given", where="model", fix=IN_A_FILE)
    return _own(Factory(name=name, module=module, paths=paths))


def _own(factory: Factory) -> Factory:
    """What this very program defines may run, also in workers that it has started already."""
    remember(factory.digest)
    return factory

"""Checks of the code that a plug-in ships in bundles: it needs only NumPy and what every bundle ships."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from lepton_automl.deployment.bundle import FIRST_SOURCES, LAST_SOURCES, predict_source
from lepton_automl.deployment.runtime import get_runtime
from lepton_automl.modality import Modality
from lepton_automl.task import Task
from lepton_automl.variant import Variant

EVERYWHERE = {"numpy", "__future__", *sys.stdlib_module_names}


def foreign_imports(modules: Iterable[str]) -> list[str]:
    """Imports at load time other than the standard library, NumPy, earlier modules and what every bundle ships.

    Imports inside functions do not count: a decoder of files may import its library when it reads one.

    Args:
        modules: The modules that a plug-in ships, in the order of their imports.

    Returns:
        Each as `"module imports name"`.
    """
    imports: list[str] = []
    shipped = [*FIRST_SOURCES]
    for module in modules:
        for name in _imported(module):
            if name.partition(".")[0] not in EVERYWHERE and name not in shipped:
                imports.append(f"{module} imports {name}")
        shipped.append(module)
    return imports


def clashing_names(modules: Sequence[str]) -> list[str]:
    """Names that a plug-in's modules and others in the same bundle define differently: the later would replace the earlier.

    Args:
        modules: The modules that a plug-in ships, in the order of their imports.

    Returns:
        Each as `"name in module and module"`.
    """
    clashes: list[str] = []
    definitions: dict[str, tuple[str, str]] = {}  # by name: where it is defined, and how
    for module in (*FIRST_SOURCES, *modules, *LAST_SOURCES):
        for name, text in _defined(module):
            earlier, same = definitions.setdefault(name, (module, text))
            if earlier != module and same != text and {earlier, module} & {*modules}:
                clashes.append(f"{name} in {earlier} and {module}")
    return clashes


def bundle_code(modality: Modality, task: Task) -> ModuleType:
    """The code of a bundle, executed as it would be next to a model.

    Args:
        modality: The modality whose preprocessing it contains.
        task: The task whose decoder it contains.

    Returns:
        A module with `load_preprocess` and `load_decoder`.
    """
    code = ModuleType("predict")
    sys.modules[code.__name__] = code  # dataclasses look their module up there
    try:
        exec(compile(predict_source(modality, task, get_runtime(Variant.runtime)), "predict.py", "exec"), vars(code))  # noqa: S102  # our own text
    finally:
        del sys.modules[code.__name__]
    return code


def _imported(module: str) -> list[str]:
    """The absolute names of the modules that a module imports at its top level."""
    names: list[str] = []
    for node in _body(module):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            parent = module.rpartition(".")[0]
            names.append(importlib.util.resolve_name(relative, parent) if node.level else relative)
    return names


def _defined(module: str) -> Iterator[tuple[str, str]]:
    """The names that a module defines at its top level, each with its source text."""
    for node in _body(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, ast.unparse(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in ast.walk(ast.Tuple(targets, ast.Load())):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id, ast.unparse(node)


def _body(module: str) -> list[ast.stmt]:
    module_spec = importlib.util.find_spec(module)
    assert module_spec is not None and module_spec.origin is not None, f"there is no module {module}"
    return ast.parse(Path(module_spec.origin).read_text(encoding="utf-8")).body

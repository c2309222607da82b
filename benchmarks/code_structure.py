"""The structure of the source code, from its syntax trees: sizes, circular imports, and where plug-in names select code."""

from __future__ import annotations

import ast
import functools
import io
import subprocess
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[1]
PACKAGE = "lepton_automl"
FOLDERS = (PACKAGE, "tests", "benchmarks")
PLUGIN_FOLDERS = (f"{PACKAGE}/modalities/", f"{PACKAGE}/tasks/")  # where names of plug-ins belong
REGISTRY = f"{PACKAGE}/plugins.py"  # has a line for each plug-in
Sources = Mapping[str, str]  # path from the root, with slashes -> text
Use = Literal["comparison", "match", "key", "membership", "other"]


@dataclass(frozen=True)
class NameUse:
    """A string literal that equals the name of a plug-in.

    Args:
        path: The file, from the root.
        line: The line number.
        name: The literal.
        use: How it is used; all but `other` select code or values by it.
        code: The enclosing expression.
    """

    path: str
    line: int
    name: str
    use: Use
    code: str


def read_sources(commit: str = "", folders: Collection[str] = FOLDERS) -> dict[str, str]:
    """All Python files of some folders.

    Args:
        commit: The commit to read; the work tree by default.
        folders: Folders, from the root.
    """
    if not commit:
        files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
        return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}
    command = ["git", "archive", "--format=tar", commit, "--", *folders]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    sources = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None and member.name.endswith(".py"):
                sources[member.name] = file.read().decode()
    return sources


def in_folder(sources: Sources, folder: str) -> dict[str, str]:
    """The files of a folder, from the root."""
    return {path: text for path, text in sources.items() if path.startswith(folder.rstrip("/") + "/")}


@functools.cache
def parsed(text: str) -> ast.Module:
    """The syntax tree of a file's text."""
    return ast.parse(text)


# Sizes


def file_lines(sources: Sources) -> dict[str, int]:
    """The number of lines of each file."""
    return {path: len(text.splitlines()) for path, text in sources.items()}


def function_lines(sources: Sources) -> dict[str, int]:
    """The number of lines of each function and method, without decorators."""
    lengths = {}
    for path, text in sources.items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lengths[f"{path}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    return lengths


def assertion_counts(sources: Sources) -> dict[str, int]:
    """Count test functions, `assert` statements and `pytest.raises`; a parametrized test counts once."""
    nodes = [node for text in sources.values() for node in ast.walk(parsed(text))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    raises = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises"]
    return {"tests": len(functions), "asserts": sum(isinstance(node, ast.Assert) for node in nodes), "raises": len(raises)}


# Imports


def imports(sources: Sources, package: str = PACKAGE) -> dict[str, set[str]]:
    """The files of the package that each of its files imports, also inside functions, but not for type checking only."""
    modules = {_module(path): path for path in sources if path.startswith(package + "/")}
    return {path: _imported(path, sources[path], modules) - {path} for path in modules.values()}


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(path: str, text: str, modules: Mapping[str, str]) -> set[str]:
    imported = set()
    parts = path.removesuffix(".py").split("/")[:-1]
    for node in _running(parsed(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = {f"{source}.{alias.name}" for alias in node.names}
            imported |= {name if name in modules else source for name in names}
    return {modules[name] for name in imported if name in modules}


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """A tree's nodes, except those under `if TYPE_CHECKING`."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.expr):
            continue  # an expression contains no import
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            left += node.orelse
            continue
        yield node
        left += ast.iter_child_nodes(node)


def circles(graph: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Files that import one another, directly or indirectly: strongly connected components of more than one file."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[tuple[str, ...]] = []

    def visit(node: str) -> None:  # Tarjan's algorithm
        numbers[node] = lowest[node] = len(numbers)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in numbers:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], numbers[other])
        if lowest[node] == numbers[node]:
            at = stack.index(node)
            part = tuple(sorted(stack[at:]))
            del stack[at:]
            if len(part) > 1:
                groups.append(part)

    for node in sorted(graph):
        if node not in numbers:
            visit(node)
    return sorted(groups)


def plugin_imports(graph: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
    """Imports of a modality or a task by a file outside it: (importing file, imported file)."""
    return sorted(
        (path, other)
        for path, others in graph.items()
        for other in others
        if other.startswith(PLUGIN_FOLDERS) and _owner(path) != _owner(other)
    )


def _owner(path: str) -> str:
    """The modality or task that a file belongs to; empty for other files."""
    return "/".join(path.removesuffix(".py").split("/")[:3]) if path.startswith(PLUGIN_FOLDERS) else ""


# Names of plug-ins


def name_uses(sources: Sources, names: Collection[str], package: str = PACKAGE) -> list[NameUse]:
    """String literals that equal a plug-in's name, outside the plug-ins' own folders and the registry.

    Args:
        sources: The files.
        names: Names of modalities and tasks.
        package: The package to look at.
    """
    uses = []
    quoted = [f"{mark}{name}{mark}" for name in names for mark in "'\""]  # most files contain none and need not be parsed
    for path, text in in_folder(sources, package).items():
        if path.startswith(PLUGIN_FOLDERS) or path == REGISTRY or not any(name in text for name in quoted):
            continue
        tree = parsed(text)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in names and isinstance(node.value, str):
                use, around = _use(node, parents)
                uses.append(NameUse(path, node.lineno, node.value, use, ast.unparse(around).partition("\n")[0][:160]))
    return uses


def selecting_uses(
    sources: Sources, names: Collection[str], planned: Collection[str] = (), package: str = PACKAGE
) -> list[NameUse]:
    """Places where a plug-in's name selects code or values, outside the plug-ins' own folders.

    Args:
        sources: The files.
        names: Names of modalities or tasks.
        planned: Names of planned plug-ins. They are common words that other libraries use as keys, so a use as a key does not
            count.
        package: The package to look at.
    """
    uses = [use for use in name_uses(sources, names, package) if use.use != "other"]
    return uses + [use for use in name_uses(sources, planned, package) if use.use not in {"other", "key"}]


def _use(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> tuple[Use, ast.AST]:
    inner: ast.AST = node
    outer = parents[inner]
    while isinstance(outer, ast.Tuple | ast.List | ast.Set | ast.MatchValue | ast.MatchOr):
        inner, outer = outer, parents[outer]
    if isinstance(outer, ast.Compare):
        among = any(isinstance(operator, ast.In | ast.NotIn) for operator in outer.ops)
        return ("membership" if among else "comparison"), outer
    if isinstance(outer, ast.For | ast.comprehension) and inner is outer.iter:
        return "membership", outer
    if isinstance(outer, ast.match_case) or isinstance(inner, ast.MatchValue):
        return "match", inner
    if isinstance(outer, ast.Dict):
        return ("key" if inner in outer.keys else "other"), outer
    if isinstance(outer, ast.Subscript) and inner is outer.slice and not _is_type(outer):
        return "key", outer
    if (
        isinstance(outer, ast.Call)
        and isinstance(outer.func, ast.Attribute)
        and outer.func.attr in {"get", "pop", "setdefault"}
    ):
        return ("key" if outer.args[:1] == [inner] else "other"), outer
    return "other", outer


def _is_type(node: ast.Subscript) -> bool:
    return ast.unparse(node.value).rpartition(".")[2] in {"Literal", "get_args"}

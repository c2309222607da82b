"""`python -m benchmarks` lists the benchmarks, `python -m benchmarks NAME [--json]` runs one.

A benchmark is a module in this folder with a function `run(...) -> Result`; the function's parameters are its flags.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from .report import Result


def descriptions() -> dict[str, str]:
    """Name and one-line description of every benchmark, read without importing them."""
    listed = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(file.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            listed[file.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return listed


def flags(name: str, run: Callable[..., Result]) -> argparse.ArgumentParser:
    """A parser with one flag for each parameter of `run`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=sys.modules[run.__module__].__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    for parameter in inspect.signature(run).parameters.values():
        flag, default = f"--{parameter.name.replace('_', '-')}", parameter.default
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default, help=f"default: {default}")
    return parser


def main(arguments: list[str]) -> int:
    """List the benchmarks, or run one and print its result."""
    listed = descriptions()
    name = arguments[0] if arguments else ""
    if name not in listed:
        print("Benchmarks (python -m benchmarks NAME [--json]; NAME --help shows its settings):")
        print("\n".join(f"  {known.ljust(max(map(len, listed)))}  {description}" for known, description in listed.items()))
        return 0 if name in {"", "-h", "--help"} else 2
    run: Callable[..., Result] = importlib.import_module(f"benchmarks.{name}").run
    settings = vars(flags(name, run).parse_args(arguments[1:]))
    as_json = settings.pop("json")
    result = run(**settings)
    print(result.table())
    if as_json:
        print(result.line(name, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

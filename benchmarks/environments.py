"""Python environments of rivals, made by the benchmarks that use them, and the versions in them. Needs no packages."""

from __future__ import annotations

import os
import platform
import site
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
WORK = CHECKOUT / "mlruns" / "benchmarks"  # ignored by git
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LAST_OUTPUT = 4000  # characters of a failed process's output in the error


def rival_python(name: str, requirements: Sequence[str], *, extends: bool = False) -> Path:
    """The interpreter of a virtual environment with some requirements; made on first use.

    Args:
        name: The environment's name.
        requirements: What pip installs, with exact versions.
        extends: Whether it has this environment's packages, too; then only the requirements themselves are installed.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    folder = WORK / "environments" / name
    stamp, python = folder / "requirements.txt", folder / "bin" / "python"
    wanted = "\n".join([*requirements, f"extends={sys.prefix}" if extends else ""])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {', '.join(requirements)} in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        if extends:
            own = next(folder.glob("lib/python*/site-packages"))
            lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
            (own / "extended.pth").write_text("\n".join(lines) + "\n")
        options = ["--no-deps"] if extends else []
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *options, *requirements], check=True)
        stamp.write_text(wanted)
    return python


def run_module(python: Path | str, module: str, arguments: Sequence[str], *, threads: int) -> None:
    """Run a module of this checkout in an interpreter, and wait for its end.

    Raises:
        RuntimeError: It failed; the message ends with its last output.
    """
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONPATH": str(CHECKOUT)}
    command = [str(python), "-m", module, *arguments]
    ended = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if ended.returncode:
        output = (ended.stdout + ended.stderr)[-LAST_OUTPUT:]
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}:\n{output}")


def last_line(error: Exception) -> str:
    """The last line of an error's text."""
    return str(error).strip().splitlines()[-1]


def versions(*packages: str) -> dict[str, str]:
    """The version of Python, and of each of these packages that is installed."""
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed

"""A bundle's first run: in a separate process, with limits, so that a hostile model does no harm."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from lepton_automl.errors import BundleError, LeptonError, error_from_json

from .integrity import model_files
from .predictor import Predictor

SECONDS = 60.0  # a small model takes one; the machine may be busy
MIN_MEMORY = 4 << 30  # bytes of address space: Python and a runtime reserve much more than they use
MEMORY_PER_MODEL_BYTE = 20  # a runtime unpacks, rearranges and copies weights


def try_bundle(folder: Path, public_key: str | os.PathLike[str] | None = None, *, seconds: float = SECONDS) -> None:
    """Open a bundle and predict one row, in a separate process.

    Args:
        folder: The bundle.
        public_key: As for `Predictor`.
        seconds: Time limit.

    Raises:
        LeptonError: As for `Predictor`.
        BundleError: The model takes too long or too much memory, or crashes.
    """
    command = [sys.executable, "-P", "-m", __name__, str(folder), *([] if public_key is None else [os.fspath(public_key)])]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise _refusal(folder, f"its model has not predicted one row after {seconds:g} s") from None
    if process.returncode == 0:
        return
    try:
        error = error_from_json(json.loads(process.stdout.strip().splitlines()[-1]), BundleError)
    except (ValueError, IndexError):
        error = None
    if error is None:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise _refusal(folder, f"its model crashed the process that ran it ({process.returncode}): {last[0]}")
    raise error


def _refusal(folder: Path, what: str) -> BundleError:
    return BundleError(what, where=str(folder), fix="Do not use it; contact its author.")


def _model_size(folder: Path) -> int:
    """Bytes of the model's files; 0 where one is missing, which `Predictor` then reports."""
    try:
        return sum(file.stat().st_size for file in model_files(folder))
    except (OSError, LeptonError):
        return 0


def main(arguments: list[str]) -> int:
    """Predict one row under limits; an error is printed as JSON."""
    folder = Path(arguments[0])
    size = _model_size(folder)
    limit = max(MIN_MEMORY, MEMORY_PER_MODEL_BYTE * size)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        Predictor(folder, public_key=arguments[1] if len(arguments) > 1 else None)
        return 0
    except LeptonError as error:
        failure = error
    except MemoryError:
        failure = _refusal(folder, f"its model needs more than {limit / 1e6:,.0f} MB")
    print(json.dumps(failure.to_json()))  # noqa: T201  # the report
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Results about a model, cached beside its bundle as long as the artifact is the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TypeVar

from lepton_automl._json import Value
from lepton_automl.deployment.integrity import model_files
from lepton_automl.study_store import BUNDLE

Result = TypeVar("Result", bound=Value)


def save_result(folder: Path, name: str, result: Result) -> Result:
    """Cache a result in a trial's folder; if the disk is full, the result is only computed again later.

    Args:
        folder: The trial's folder, with its bundle.
        name: The name of the result, such as `"portrait"`.
        result: The result.
    """
    with contextlib.suppress(OSError):
        (folder / f"{name}.json").write_text(json.dumps({"model": _digest(folder), "found": result.to_json()}))
    return result


def cached_result(folder: Path, name: str, kind: type[Result]) -> Result | None:
    """The cached result; None if there is none, or if it is about another artifact than the current one."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads((folder / f"{name}.json").read_text())
        if content["model"] == _digest(folder):
            return kind.from_json(content["found"])
    return None


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in model_files(folder / BUNDLE):
        digest.update(file.read_bytes())
    return digest.hexdigest()

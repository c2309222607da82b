"""What was found out about a model, kept beside its bundle for as long as the same artifact lies there."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TypeVar

from lepton_automl._json import Value
from lepton_automl.deployment.integrity import model_files

Result = TypeVar("Result", bound=Value)


def save_result(folder: Path, name: str, result: Result) -> Result:
    """Leave what was found out in a trial's folder; a disk without room for it only costs the work again.

    Args:
        folder: The trial's, with its bundle.
        name: What it is, such as `"portrait"`.
        result: The value.
    """
    with contextlib.suppress(OSError):
        (folder / f"{name}.json").write_text(json.dumps({"model": _digest(folder), "found": result.to_json()}))
    return result


def cached_result(folder: Path, name: str, kind: type[Result]) -> Result | None:
    """What was found out before; None where nothing was, or about another artifact than lies there now."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads((folder / f"{name}.json").read_text())
        if content["model"] == _digest(folder):
            return kind.from_json(content["found"])
    return None


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in model_files(folder / "bundle"):
        digest.update(file.read_bytes())
    return digest.hexdigest()

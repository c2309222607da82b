"""Open a model's file in the runtime that was chosen for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lepton_automl.shipped import artifact_loader

from .integrity import model_path

RUNTIME = "runtime.json"  # in a bundle: the runtime that its file was measured in, and that runtime's settings


class InferenceSession(Protocol):
    """An opened model."""

    @property
    def any_rows(self) -> bool:
        """Whether it takes any number of rows."""

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows, from one array for each input, all with the same first axis."""


class ArtifactLoader(Protocol):
    """Opens a runtime's files; it travels in bundles, and is constructed from a `Variant` as JSON, which may hold more."""

    def operations(self, content: bytes) -> list[str]:
        """What a file does beyond plain arithmetic and could run forever or run other code; a bundle's manifest lists it.

        Args:
            content: The file's.
        """

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> InferenceSession:
        """Open a file, or its bytes.

        Args:
            source: What `Runtime.write` wrote.
            threads: Threads that one call may use.
            rows: The usual number of rows in a call; 0 where there is none.
            strict: Whether another runtime must not be used where this one is missing.

        Raises:
            BundleError: The runtime cannot open the file.
            ExtraError: The runtime is not installed.
        """


def open_model(
    source: Path | bytes, how: Mapping[str, Any], threads: int = 1, *, rows: int = 0, strict: bool = True
) -> InferenceSession:
    """Open a model's file, or its bytes.

    Args:
        source: The file, or its bytes.
        how: A `Variant` as JSON: the runtime, the precision, the options.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.
        strict: Whether only the named runtime may be used; else another may open the same file where it is missing, after a
            warning.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    fewest = min(threads, dict(how.get("options", {})).get("threads", threads))
    session: InferenceSession = artifact_loader(how).open(source, fewest, rows=rows, strict=strict)
    return session


def open_bundle(folder: Path, threads: int = 1, *, rows: int = 0) -> InferenceSession:
    """Open a bundle's model file as it was measured, for calls of so many rows; the caller checks its digests.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    settings = folder / RUNTIME
    how = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    return open_model(model_path(folder), how, threads, rows=rows)

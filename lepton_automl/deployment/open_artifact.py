"""Open a model's file in the runtime of its variant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import BundleError
from lepton_automl.generation import GeneratingDecoder, Generation
from lepton_automl.shipped import artifact_loader, load_decoder

from .integrity import PREPROCESS, model_programs

RUNTIME = "runtime.json"  # in a bundle: the runtime that the model was measured with, and that runtime's settings


class InferenceSession(Protocol):
    """An opened model."""

    @property
    def any_rows(self) -> bool:
        """Whether it takes any number of rows."""

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows, from one array for each input, all with the same first axis; the first of several outputs."""

    def outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs for some rows, by their names."""


class ArtifactLoader(Protocol):
    """Opens a runtime's files; bundles include it, and it is constructed from a `Variant` as JSON, which may have more keys."""

    def operations(self, content: bytes) -> list[str]:
        """The operations of a file that could run forever or run other code; a bundle's manifest lists them.

        Args:
            content: The file's content.
        """

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> InferenceSession:
        """Open a file, or its bytes.

        Args:
            source: What `Runtime.write` wrote.
            threads: Threads that one call may use.
            rows: The usual number of rows in a call; 0 where there is none.
            strict: Whether a missing runtime is an error; else another one may be used.

        Raises:
            BundleError: The runtime cannot open the file.
            ExtraError: The runtime is not installed.
        """


def open_model(
    source: Path | bytes, variant: Mapping[str, Any], threads: int = 1, *, rows: int = 0, strict: bool = True
) -> InferenceSession:
    """Open a model's file, or its bytes.

    Args:
        source: The file, or its bytes.
        variant: A `Variant` as JSON: the runtime, the precision, the options.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.
        strict: Whether a missing runtime is an error; else another one may open the same file, after a warning.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    used_threads = min(threads, dict(variant.get("options", {})).get("threads", threads))
    session: InferenceSession = artifact_loader(variant).open(source, used_threads, rows=rows, strict=strict)
    return session


def open_programs(
    sources: Mapping[str, Path | bytes],
    variant: Mapping[str, Any],
    threads: int = 1,
    *,
    decoder: Any,
    rows: int = 0,
    strict: bool = True,
) -> InferenceSession:
    """Open a model of one program or of several.

    Args:
        sources: The file of each program, or its bytes, by the program's name; an empty name stands for the whole model.
        variant: As for `open_model`, as are `threads`, `rows` and `strict`.
        decoder: The model's decoder, which runs the loop between several programs.

    Raises:
        BundleError: The runtime cannot open a file, or the decoder has no loop.
        ExtraError: The runtime is not installed.
    """
    sessions = {name: open_model(source, variant, threads, rows=rows, strict=strict) for name, source in sources.items()}
    if "" in sessions:
        return sessions[""]
    if not isinstance(decoder, GeneratingDecoder):
        what = f"the model has the programs {', '.join(sessions)}, and its task has no loop for them"
        raise BundleError(what, where="the bundle", fix="Export the model again.")
    return Generation(sessions, decoder)


def open_bundle(folder: Path, threads: int = 1, *, rows: int = 0) -> InferenceSession:
    """Open a bundle's model as it was measured, for calls of `rows` rows; the caller checks its digests.

    Raises:
        BundleError: The runtime cannot open a file.
        ExtraError: The runtime is not installed.
    """
    settings = folder / RUNTIME
    variant = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    sources = model_programs(folder)
    decoder = None if "" in sources else load_decoder(json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))["output"])
    return open_programs(sources, variant, threads, decoder=decoder, rows=rows)

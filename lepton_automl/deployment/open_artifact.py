"""Open a model's file in the runtime that was chosen for it."""

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

RUNTIME = "runtime.json"  # in a bundle: the runtime that its file was measured in, and that runtime's settings


class InferenceSession(Protocol):
    """An opened model."""

    @property
    def any_rows(self) -> bool:
        """Whether it takes any number of rows."""

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for some rows, from one array for each input, all with the same first axis; the first of several."""

    def outputs(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs for some rows, by their names."""


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
    source: Path | bytes, variant: Mapping[str, Any], threads: int = 1, *, rows: int = 0, strict: bool = True
) -> InferenceSession:
    """Open a model's file, or its bytes.

    Args:
        source: The file, or its bytes.
        variant: A `Variant` as JSON: the runtime, the precision, the options.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.
        strict: Whether only the named runtime may be used; else another may open the same file where it is missing, after a
            warning.

    Raises:
        BundleError: The runtime cannot open the file.
        ExtraError: The runtime is not installed.
    """
    fewest = min(threads, dict(variant.get("options", {})).get("threads", threads))
    session: InferenceSession = artifact_loader(variant).open(source, fewest, rows=rows, strict=strict)
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
        sources: The file of each program by its name, or its bytes; one without a name is the whole model.
        variant: As for `open_model`, likewise `threads`, `rows` and `strict`.
        decoder: The model's, which runs the loop between several programs.

    Raises:
        BundleError: The runtime cannot open a file, or the decoder has no loop.
        ExtraError: The runtime is not installed.
    """
    opened = {name: open_model(source, variant, threads, rows=rows, strict=strict) for name, source in sources.items()}
    if "" in opened:
        return opened[""]
    if not isinstance(decoder, GeneratingDecoder):
        what = f"the model is the programs {', '.join(opened)}, and its task has no loop for them"
        raise BundleError(what, where="the bundle", fix="Export the model again.")
    return Generation(opened, decoder)


def open_bundle(folder: Path, threads: int = 1, *, rows: int = 0) -> InferenceSession:
    """Open a bundle's model as it was measured, for calls of so many rows; the caller checks its digests.

    Raises:
        BundleError: The runtime cannot open a file.
        ExtraError: The runtime is not installed.
    """
    settings = folder / RUNTIME
    variant = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    sources = model_programs(folder)
    decoder = None if "" in sources else load_decoder(json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))["output"])
    return open_programs(sources, variant, threads, decoder=decoder, rows=rows)

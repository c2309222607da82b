"""Files of raw examples that every modality reads: arrays and JSON. This file is shipped with every deployed model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.errors import InputError, LeptonError

LONGEST = 80  # characters of a source in a message: it may be a row of megabytes


def shown(source: str) -> str:
    """A source's name, shortened for a message."""
    return repr(source if len(source) <= LONGEST else source[:LONGEST] + "…")


def read_npy(path: Path) -> Any:
    """The memory-mapped array of a file; a header that claims more than the file contains is refused and takes no memory."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise InputError(f"{shown(str(path))} is not an .npy file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8-sig"))


READERS: dict[str, Callable[[Path], Any]] = {".npy": read_npy, ".json": read_json}


def read_examples(source: str, preprocess: Any) -> Any:
    """Read an input of the command line: a file or folder of examples, arrays, or an example as text.

    Args:
        source: The name, or the example itself.
        preprocess: The model's `Preprocess`.

    Returns:
        What `Predictor.predict` takes.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    try:
        return preprocess.read(source)
    except InputError:
        raise
    except LeptonError as error:
        raise InputError(str(error)) from error
    except Exception as error:  # a file may contain anything, and fail in any way
        raise InputError(f"{shown(source)} cannot be read: {error}") from error

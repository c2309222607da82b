"""Files of raw examples that every modality reads: arrays and JSON. This file is shipped with every deployed model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.errors import InputError

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

"""Arrays in a .npz file, with their splits if their names say so, as in the files of Keras and MedMNIST."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.split_column import ROLE_NAMES
from lepton_automl.data.splits import OPEN
from lepton_automl.errors import DataError
from lepton_automl.source import ReadRequest
from lepton_automl.unpacked import check_memory

from .parts import joined

INPUTS = ("x", "images", "data", "inputs", "features", "arr_0")
LABELS = ("y", "labels", "targets", "arr_1")
NAMES = "Name the arrays x and y; or x_train, y_train, x_test and y_test."


class NpzReader:
    """Reads arrays by their names."""

    name = "npz"
    accepts = "an .npz file with arrays x and y"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is the path of an .npz file."""
        del request
        return isinstance(source, str | Path) and str(source).lower().endswith(".npz") and Path(source).is_file()

    def read(self, source: Any, request: ReadRequest) -> Any:
        """A pair `(X, y)`, or the splits together; in a prediction, X; a DataFrame if all arrays are columns.

        Raises:
            DataError: The file is damaged, or its arrays have other names.
        """
        arrays = read_arrays(Path(source))
        parts: dict[str, dict[int, Array]] = {"x": {}, "y": {}}
        for name, array in arrays.items():
            kind, role = _meaning(name)
            if kind and role in parts[kind]:
                raise DataError(f"several arrays may be {kind}: {', '.join(arrays)}", where=str(source), fix=NAMES)
            if kind:
                parts[kind][role] = array
        if not parts["x"]:
            return _columns(arrays, source)
        if not request.labelled:
            if len(parts["x"]) > 1:
                fix = "Load it with numpy.load and pass one of them."
                raise DataError(f"it holds the inputs of several splits: {', '.join(arrays)}", where=str(source), fix=fix)
            return next(iter(parts["x"].values()))
        if parts["x"].keys() != parts["y"].keys():
            raise DataError(f"inputs and labels do not match: {', '.join(arrays)}", where=str(source), fix=NAMES)
        return joined([((parts["x"][role], parts["y"][role]), role) for role in parts["x"]], str(source), request)


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an .npz file.

    Raises:
        DataError: It is damaged, holds Python objects, or does not fit into memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_memory(2 * sum(item.file_size for item in archive.infolist()), path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DataError:
        raise
    except ValueError as error:
        fix = "Save texts with dtype=str and lists as arrays; objects are never read, as they may run code."
        objects = "allow_pickle" in str(error)
        what = "it holds Python objects" if objects else f"the arrays cannot be read: {error}"
        raise DataError(what, where=str(path), fix=fix if objects else "Save the file again.") from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"the arrays cannot be read: {error}", where=str(path), fix="Check that the file is complete."
        ) from error


def _meaning(name: str) -> tuple[str, int]:
    """Whether an array is `"x"`, `"y"` or neither, and its split."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    role = next((ROLE_NAMES[word] for word in words if word in ROLE_NAMES), OPEN)
    rest = "_".join(word for word in words if word not in ROLE_NAMES)
    meant = {rest, f"{rest}s"}  # a name may be in the singular
    return "x" if meant & set(INPUTS) else "y" if meant & set(LABELS) else "", role


def _columns(arrays: dict[str, Array], source: Any) -> Any:
    """Arrays [N] as the columns of a table."""
    import pandas as pd

    if not arrays or any(array.ndim != 1 for array in arrays.values()) or len({len(array) for array in arrays.values()}) > 1:
        listed = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items()) or "none"
        raise DataError(
            f"it is not clear which arrays are the inputs and which the labels: {listed}", where=str(source), fix=NAMES
        )
    return pd.DataFrame(arrays)

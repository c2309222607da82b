"""The files of a prepared dataset: `rows/` with the training and validation rows, `test/`, which only `open_test` reads."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError, LeptonError, in_one_line
from lepton_automl.specs import DataSpec

Array = NDArray[Any]
ROWS, TEST_FOLDER = "rows", "test"
SPEC, MARK = "spec.json", ".preparing"
PREPROCESS = "preprocess.json"
EXAMPLE = "example"  # the raw examples: an array, or JSON
SOURCE_ROWS = "source_rows.npy"  # the number of each stored row among those of the source
WEIGHTS = "weights"  # the folder of published weights that networks start from, by backbone
WEIGHT_FILES = (".safetensors", ".pth", ".pt")
EXAMPLES = 3  # raw examples stored beside the arrays
CHUNK = 4096  # rows copied at a time


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """A folder to prepare in, cleared of an earlier preparation; on failure, everything written is removed.

    Raises:
        DataError: The folder cannot be written, holds other files, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_ours(folder)
        (folder / MARK).touch()
        _clear(folder)
        for part in (ROWS, TEST_FOLDER):
            (folder / part).mkdir()
        yield folder
    except OSError as error:
        _clear(folder)
        raise _explained(error, folder) from error
    except BaseException:
        _clear(folder)
        raise
    finally:
        with suppress(OSError):
            (folder / MARK).unlink(missing_ok=True)


def _check_ours(folder: Path) -> None:
    """Refuse to overwrite the user's own files, such as images in a folder called test."""
    ours = (folder / SPEC).is_file() or (folder / MARK).is_file()
    if not ours and any((folder / part).exists() for part in (ROWS, TEST_FOLDER)):
        fix = "Give a new folder to prepare the data in."
        raise DataError("the folder holds other files", where=str(folder), fix=fix)


def _clear(folder: Path) -> None:
    """Remove what a preparation writes, by name, and nothing else."""
    if not (folder / MARK).is_file():
        return
    for part in (ROWS, TEST_FOLDER):
        for path in (folder / part).glob("*.npy"):
            path.unlink()
        if (folder / part).is_dir():
            (folder / part).rmdir()
    weights = folder / WEIGHTS
    for path in weights.iterdir() if weights.is_dir() else ():
        if path.suffix in WEIGHT_FILES:
            path.unlink()
    with suppress(OSError):  # missing, or it holds other files
        weights.rmdir()
    for name in (SPEC, PREPROCESS, SOURCE_ROWS, f"{EXAMPLE}.json", f"{EXAMPLE}.npy"):
        (folder / name).unlink(missing_ok=True)


def _explained(error: OSError, folder: Path) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "Free disk space, choose a smaller image_size, or give another folder; nothing else was lost."
        return DataError("the disk is full", where=str(folder), fix=fix)
    reason = error.strerror or str(error)
    return DataError(f"cannot write the prepared data: {reason}", where=str(folder), fix="Give a folder that you may write to.")


def write_split(folder: Path, arrays: dict[str, Array], order: Array) -> None:
    """Write some rows of arrays, in chunks, so that the arrays may be larger than memory.

    Args:
        folder: `rows/` or `test/`.
        arrays: Each [N, ...], by name.
        order: Which rows, in which order.
    """
    for name, array in arrays.items():
        path, shape = folder / f"{name}.npy", (len(order), *array.shape[1:])
        with open(path, "wb") as file:  # plain writes: a full disk raises here, where a memory map would crash
            header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            file.writelines(np.ascontiguousarray(array[order[at : at + CHUNK]]).data for at in range(0, len(order), CHUNK))


def write_json(path: Path, data: Any) -> None:
    """Write JSON; infinite numbers and NaN are refused, as other JSON readers would refuse them."""
    path.write_text(json.dumps(data, allow_nan=False, indent=1))


def write_examples(folder: Path, examples: Any) -> None:
    """Write a few raw examples: an array as `.npy`, others as JSON."""
    if isinstance(examples, np.ndarray):
        np.save(folder / f"{EXAMPLE}.npy", examples)
    else:
        write_json(folder / f"{EXAMPLE}.json", examples)


def read_examples(folder: Path) -> list[Any]:
    """The raw examples from `write_examples`."""
    path = folder / f"{EXAMPLE}.npy"
    examples: list[Any] = list(np.load(path)) if path.is_file() else json.loads((folder / f"{EXAMPLE}.json").read_text())
    return examples


def digest(folder: Path) -> str:
    """SHA-256 over the arrays and the preprocessing in a folder."""
    hasher = hashlib.sha256()
    for path in [*sorted((folder / ROWS).iterdir()), *sorted((folder / TEST_FOLDER).iterdir()), folder / PREPROCESS]:
        hasher.update(path.name.encode())
        with open(path, "rb") as file:
            hasher.update(hashlib.file_digest(file, "sha256").digest())
    return hasher.hexdigest()


def save_spec(spec: DataSpec) -> None:
    """Write the spec to its folder. It is written last, so a folder that has one is complete."""
    write_json(Path(spec.folder) / SPEC, spec.to_json())


def moved(spec: DataSpec, folder: Path, name: str) -> DataSpec:
    """Move prepared data to another folder; returns their new spec.

    Args:
        spec: The spec of the data.
        folder: The new folder, which does not exist yet.
        name: The new display name.

    Raises:
        DataError: They cannot be moved.
    """
    try:
        shutil.move(spec.folder, folder)
    except OSError as error:
        raise _explained(error, folder) from error
    spec = spec.replace(folder=str(folder.resolve()), name=name)
    save_spec(spec)
    return spec


def load_spec(folder: Path) -> DataSpec:
    """The spec of a prepared folder.

    Raises:
        DataError: The folder has no spec, or one that cannot be read here.
    """
    path = folder / SPEC
    if not path.is_file():
        raise DataError(
            "there is no prepared dataset in this folder", where=str(folder), fix="Prepare it with open_data(source, folder)."
        )
    try:
        spec = DataSpec.from_json(json.loads(path.read_text()))
    except (LeptonError, ValueError, TypeError, AttributeError, KeyError) as error:
        what = f"the prepared data cannot be read: {in_one_line(error)}"
        fix = "They were prepared by another version, or a plug-in is missing. Prepare them again, or install the plug-in."
        raise DataError(what, where=str(folder), fix=fix) from error
    return spec.replace(folder=str(folder))  # the folder may have been moved

"""The command line of a bundle, and its one Python function: what a person names is read and answered."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.delimited import read_delimited
from lepton_automl.errors import LeptonError
from lepton_automl.preprocess import InputError
from lepton_automl.unpacked import PARQUET_ENDINGS, check_memory, refuse_foreign

from .predictor import Predictor

IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
BYTES_PER_CELL = 120  # bytes, in all that is made of it until there is an answer
MAX_SHOWN = 80  # characters of a source in a message: it may be a row of megabytes


def read_examples(source: str, modality: str) -> Any:
    """What a command line names: images, a folder of them, a table, arrays, or one row as JSON.

    Args:
        source: A file (`.npy`, `.json`; of a table CSV, packed or not, or Parquet; else an image), a folder of images, or
            JSON itself.
        modality: `"image"` or `"table"`.

    Returns:
        What `Predictor.predict` takes.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    try:
        return _examples(source, modality)
    except InputError:
        raise
    except LeptonError as error:
        raise InputError(str(error)) from error
    except Exception as error:  # a file may hold anything, and fail in ways that nobody has foreseen
        raise InputError(f"{_shorten(source)} cannot be read: {error}") from error


def _examples(source: str, modality: str) -> Any:
    if modality == "table" and source.lstrip().startswith(("{", "[")):
        return json.loads(source)
    path = Path(source)
    if modality == "image" and path.is_dir():
        return _images(path)
    if not path.is_file():
        raise InputError(f"there is no file {_shorten(source)}; give {_accepted_inputs(modality)}")
    read = _READERS.get(path.suffix.lower())
    found = read(path) if read else path if modality == "image" else _table(path)
    # Lists of pixels become an array; as a list they would be so many images.
    return np.asarray(found) if modality == "image" and isinstance(found, list) else found


def _images(folder: Path) -> list[Path]:
    found, seen = [], set()
    for inside, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(inside)
        if real in seen:  # a link back to a folder around it
            folders.clear()
            continue
        seen.add(real)
        found += [Path(inside) / name for name in files if Path(name).suffix.lower() in IMAGE_FILES]
    found.sort()
    if not found:
        raise InputError(f"there are no images in {_shorten(str(folder))}; their names end in {', '.join(IMAGE_FILES)}")
    return found


def _npy(path: Path) -> Any:
    """The array of a file, mapped: a header that promises more than the file holds is refused and takes no memory."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise InputError(f"{_shorten(str(path))} is no .npy file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _table(path: Path) -> dict[str, list[Any]]:
    """The columns of a table: as verbatim text from a CSV, which the preprocessing reads as it did in training."""
    if not path.name.lower().endswith(PARQUET_ENDINGS):
        return dict(read_delimited(path))
    with path.open("rb") as file:
        refuse_foreign(file.read(512), path, texts_only=True)
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"reading {_shorten(str(path))} needs pyarrow, which is not installed: pip install pyarrow") from None
    described = parquet.read_metadata(path)
    check_memory(described.num_rows * described.num_columns * BYTES_PER_CELL, path)
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


_READERS: dict[str, Callable[[Path], Any]] = {".npy": _npy, ".json": _json}


def _accepted_inputs(modality: str) -> str:
    files = "a CSV or Parquet file, one row as JSON" if modality == "table" else "an image file, a folder of them"
    return f"{files}, or arrays in a .npy or .json file"


def _shorten(source: str) -> str:
    return repr(source if len(source) <= MAX_SHOWN else source[:MAX_SHOWN] + "…")


def answer_lines(predictor: Predictor, raw: Any, *, proba: bool = False) -> list[str]:
    """The answers for people: a label or number a line, or a line of JSON with the probability of every class."""
    if not proba:
        return [str(answer) for answer in np.atleast_1d(predictor.predict(raw))]
    rows = np.atleast_2d(predictor.predict_proba(raw)).tolist()
    labels = [str(label) for label in predictor.classes]
    return [json.dumps({label: round(p, 6) for label, p in zip(labels, row, strict=True)}) for row in rows]


@functools.cache
def _own_predictor() -> Predictor:
    """The model in the folder of this file, opened once."""
    return Predictor(Path(__file__).resolve().parent)


def predict(raw: Any) -> Any:
    """Labels or numbers by the model beside this file; `Predictor` offers more.

    Args:
        raw: One example or many, as for `Predictor.predict`; or the name of a file, as for the command line.

    Raises:
        BundleError: The model's folder is damaged.
        InputError: The input does not fit the model.
    """
    model = _own_predictor()
    named = isinstance(raw, str | os.PathLike)
    return model.predict(read_examples(os.fspath(raw), model.modality) if named else raw)


def main(arguments: list[str] | None = None) -> None:
    """The command line: one answer a line."""
    parser = argparse.ArgumentParser(description="Predict with this model.")
    parser.add_argument("input", nargs="+", help=f"{_accepted_inputs('image')}; of a table: {_accepted_inputs('table')}")
    parser.add_argument("--proba", action="store_true", help="print the probability of every class, as JSON")
    parser.add_argument("--threads", type=int, default=1, help="threads that one call may use (default: 1)")
    signed = "refuse a folder that the holder of this Ed25519 key has not signed (a PEM or OpenSSH file; needs cryptography)"
    parser.add_argument("--public-key", metavar="FILE", help=signed)
    given = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a label may hold what the terminal cannot say
    try:
        predictor = Predictor(Path(__file__).resolve().parent, given.threads, public_key=given.public_key)
        for source in given.input:
            for line in answer_lines(predictor, read_examples(source, predictor.modality), proba=given.proba):
                print(line)  # noqa: T201  # it is a command line
    except (LeptonError, InputError) as error:
        parser.exit(1, f"{error}\n")

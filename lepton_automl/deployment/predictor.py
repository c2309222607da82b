"""A finished model, ready to answer: needs NumPy and ONNX Runtime, and neither torch nor the rest of this package."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import BundleError, ConfigError
from lepton_automl.preprocess import InputError, load_preprocess

from .session import OnnxModel

MANIFEST, MODEL, PREPROCESS = "manifest.json", "model.onnx", "preprocess.json"
FORMAT = 1  # of a bundle; a reader refuses newer ones
CHUNK = 256  # rows in one call of the runtime: more cost memory and gain no time
MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "None")  # as cells of a CSV file
IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Predictor:
    """Answers for raw rows and images.

    Args:
        folder: A bundle.
        threads: Threads that one call may use.

    Raises:
        BundleError: A file of the bundle is missing or was changed.
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int = 1) -> None:
        self.folder = Path(folder)
        contents = read_bundle(self.folder, (MODEL, PREPROCESS))
        described = json.loads(contents[PREPROCESS])
        self.preprocess = load_preprocess(described)
        self.modality: str = described["input"]["modality"]
        self.task: str = described["output"]["task"]
        self.target: str = described["output"]["target"]
        self.classes: list[Any] = list(described["output"]["classes"])
        self.model = OnnxModel(contents[MODEL], threads)

    def __repr__(self) -> str:
        return f"<Predictor of {self.target!r} ({self.task}) from {str(self.folder)!r}>"

    def predict(self, raw: Any) -> Any:
        """Labels, or numbers in the target's own unit.

        Args:
            raw: One example (a dict, a Series, a path, a Pillow image, an array) or many (a DataFrame, a list, a dict of
                columns, an array with one axis more).

        Returns:
            One answer for one example, an array [N] for many.

        Raises:
            InputError: The input does not fit the model.
        """
        answers, one = self._answers(raw)
        if self.classes:
            picked = answers.argmax(1)
            labels = np.empty(len(self.classes), object)
            labels[:] = self.classes
            # Labels of one kind make an array of that kind.
            uniform = len({type(label) for label in self.classes}) == 1
            answers = (np.asarray(self.classes) if uniform else labels)[picked]
        return answers.tolist()[0] if one else answers

    def predict_proba(self, raw: Any) -> NDArray[np.float32]:
        """Probabilities of the classes, in the order of `classes`.

        Args:
            raw: As for `predict`.

        Returns:
            An array [classes] for one example, [N, classes] for many.

        Raises:
            InputError: The input does not fit the model.
            ConfigError: The model gives numbers, not classes.
        """
        if not self.classes:
            raise ConfigError(f"this model predicts the number {self.target!r} and has no probabilities", fix="Use predict().")
        answers, one = self._answers(raw)
        first: NDArray[np.float32] = answers[0] if one else answers
        return first

    def _answers(self, raw: Any) -> tuple[NDArray[Any], bool]:
        """The model's answers, and whether one example was given rather than a list of examples."""
        arrays = self.preprocess.arrays(raw)
        rows = len(next(iter(arrays.values())))
        if not rows:
            return np.empty((0, len(self.classes)) if self.classes else 0, np.float32), False
        one = rows == 1 and is_one(raw, self.modality)
        if rows <= CHUNK:
            return self.model(arrays), one
        parts = [{name: part[n : n + CHUNK] for name, part in arrays.items()} for n in range(0, rows, CHUNK)]
        return np.concatenate([self.model(part) for part in parts]), one


def is_one(raw: Any, modality: str) -> bool:
    """Whether an input that holds one example is that example, and not a list of one."""
    if isinstance(raw, Mapping):
        return not any(isinstance(cell, list | tuple) or getattr(cell, "ndim", 0) for cell in raw.values())
    if isinstance(raw, list | tuple):
        nested = isinstance(raw[0], Mapping | list | tuple) or getattr(raw[0], "ndim", 0) > 0
        return modality == "table" and not nested
    axes: int = getattr(raw, "ndim", 0)
    return axes < (4 if modality == "image" else 2)


def read_bundle(folder: Path, wanted: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Check every file of a bundle against its manifest.

    This finds damage and changes, not a forger, who would write a new manifest as well.

    Args:
        folder: The bundle.
        wanted: Files whose contents are returned, exactly as they were checked.

    Raises:
        BundleError: The manifest or a file is missing, was changed, or lies outside of the folder.
    """
    listed = _manifest(folder)
    lacking = [name for name in wanted if name not in listed]
    if lacking:
        raise BundleError(f"{lacking[0]} is not in the manifest", where=str(folder), fix="Export the model again.")
    contents = {}
    for name, digest in listed.items():
        path = folder / name
        if not _is_inside(name) or path.is_symlink():
            raise BundleError(f"the manifest names {name!r}, which is not a file of the bundle", where=str(folder))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{name} is missing or cannot be read", where=str(folder), fix="Export the model again."
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise BundleError(
                f"{name} was changed after the bundle was written",
                where=str(folder),
                fix="Do not use it; export the model again.",
            )
        if name in wanted:
            contents[name] = content
    return contents


def _manifest(folder: Path) -> dict[str, str]:
    """The digest of every file, by name."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = int(manifest["format"]), {str(name): str(digest) for name, digest in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"there is no readable {MANIFEST}", where=str(folder), fix="Name the folder of a bundle.") from error
    if version > FORMAT:
        raise BundleError(f"the bundle is of format {version}; this version reads {FORMAT}", where=str(folder), fix="Upgrade.")
    return files


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


def read_examples(source: str, modality: str) -> Any:
    """What a command line names: an image or a folder of images; a CSV file, or one row as JSON.

    Raises:
        InputError: It is none of these.
    """
    path = Path(source)
    if modality == "image":
        return sorted(one for one in path.rglob("*") if one.suffix.lower() in IMAGE_FILES) if path.is_dir() else path
    if source.lstrip().startswith(("{", "[")):
        return json.loads(source)
    if not path.is_file():
        raise InputError(f"there is no file {source!r}; give a CSV file, or one row as JSON")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{name: None if cell in MISSING_TEXTS else cell for name, cell in row.items()} for row in csv.DictReader(file)]


def answer_lines(predictor: Predictor, raw: Any, *, proba: bool = False) -> list[str]:
    """The answers for people: a label or number a line, or a line of JSON with the probability of every class."""
    if not proba:
        return [str(answer) for answer in np.atleast_1d(predictor.predict(raw))]
    rows = np.atleast_2d(predictor.predict_proba(raw)).tolist()
    labels = [str(label) for label in predictor.classes]
    return [json.dumps({label: round(p, 6) for label, p in zip(labels, row, strict=True)}) for row in rows]


def main(arguments: list[str] | None = None) -> None:
    """The command line: one answer a line."""
    parser = argparse.ArgumentParser(description="Predict with this model.")
    parser.add_argument("input", nargs="+", help="image files or a folder of them; a CSV file, or one row as JSON")
    parser.add_argument("--proba", action="store_true", help="print the probability of every class, as JSON")
    parser.add_argument("--threads", type=int, default=1, help="threads that one call may use (default: 1)")
    given = parser.parse_args(arguments)
    try:
        predictor = Predictor(Path(__file__).resolve().parent, given.threads)
        for source in given.input:
            for line in answer_lines(predictor, read_examples(source, predictor.modality), proba=given.proba):
                print(line)  # noqa: T201  # it is a command line
    except (BundleError, ConfigError, InputError) as error:
        parser.exit(1, f"{error}\n")

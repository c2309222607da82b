"""Photos in folders of their classes, and their outer splits."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.environments import WORK

SUFFIXES = {".jpg", ".jpeg", ".png"}
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tar.xz")
TEST_SHARE = 0.2  # share of the photos of each class in the outer test split, which no system sees
LEAST_TEST = 1000  # a smaller official test split says little about a point of accuracy
MODEL, BUNDLE = "model.onnx", "bundle"  # what a rival exports, and what our search exports
Rows = NDArray[np.int64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photos:
    """A folder of photos.

    If it has folders `train` and `test`, and at least 1,000 photos in `test`, that is the outer test split for every seed; a
    folder `validation` belongs to the training photos. Otherwise all photos are pooled, and a fifth of each class is drawn by seed.

    Args:
        name: The folder's name.
        files: All photos.
        labels: Their classes, as indices of `classes`.
        classes: The names of the classes.
        official_test: Places of the official test photos; empty if there are too few.
    """

    name: str
    files: list[Path]
    labels: Rows
    classes: list[str]
    official_test: Rows

    @classmethod
    def read(cls, source: Path) -> Photos:
        """Read a folder, or an archive of it, which is unpacked on first use.

        Raises:
            ValueError: There are not two classes of photos.
        """
        name = source.name.partition(".")[0]
        folder = _unpacked(source, WORK / "photos" / "unpacked" / name) if source.name.endswith(ARCHIVES) else source
        while len(inside := [path for path in folder.iterdir() if path.is_dir()]) == 1:
            folder = inside[0]
        has_test = {"train", "test"} <= {path.name for path in inside}
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        depth = 1 if has_test else 0  # of the class in a path within the folder
        names = [path.relative_to(folder).parts[depth] for path in files]
        classes = sorted(set(names))
        if len(classes) < 2:
            raise ValueError(f"{source} has no two folders of photos, one for each class")
        test = np.array([has_test and path.relative_to(folder).parts[0] == "test" for path in files])
        official = np.flatnonzero(test) if test.sum() >= LEAST_TEST else np.array([], np.int64)
        labels = np.array([classes.index(label) for label in names])
        return cls(name, files, labels, classes, official)

    def test_rows(self, seed: int) -> Rows:
        """Places of the outer test photos."""
        if len(self.official_test):
            return self.official_test
        order = np.random.default_rng(seed).permutation(len(self.files))
        parts = [order[self.labels[order] == label] for label in range(len(self.classes))]
        return np.sort(np.concatenate([rows[: round(TEST_SHARE * len(rows))] for rows in parts]))

    def train_rows(self, seed: int) -> Rows:
        """All other photos."""
        return np.setdiff1d(np.arange(len(self.files)), self.test_rows(seed))

    @cached_property
    def digest(self) -> str:
        """Identifies the photos by their names and sizes."""
        text = "\n".join(
            f"{label}/{path.name} {path.stat().st_size}" for path, label in zip(self.files, self.labels, strict=True)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def shorter_side(self) -> int:
        """Median length of the shorter side of the first photos of each class, in pixels."""
        first = [self.files[np.flatnonzero(self.labels == label)[0]] for label in range(len(self.classes))]
        sides = []
        for file in first:
            with Image.open(file) as photo:
                sides.append(min(photo.size))
        return int(np.median(sides))

    def pixels(self, side: int) -> Pixels:
        """All photos, scaled to a shorter side and cropped to its square around the centre; kept for the next run.

        Returns:
            Bytes [N, 3, side, side].
        """
        kept = WORK / "photos" / "pixels" / f"{self.digest}-{side}.npy"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part.npy")
            np.save(part, np.stack([_square(file, side) for file in self.files]))
            part.replace(kept)
        loaded: Pixels = np.load(kept, mmap_mode="r")
        return loaded

    def link_training(self, seed: int, folder: Path) -> None:
        """Fill a folder with links to the training photos, one folder for each class."""
        for place in self.train_rows(seed):
            part = folder / self.classes[self.labels[place]]
            part.mkdir(parents=True, exist_ok=True)
            (part / f"{place}{self.files[place].suffix}").symlink_to(self.files[place].resolve())


def _square(file: Path, side: int) -> Any:
    with Image.open(file) as opened:
        opened.draft("RGB", (side, side))  # JPEG files are decoded at the nearest larger scale
        photo = ImageOps.exif_transpose(opened).convert("RGB")
    scale = side / min(photo.size)
    width, height = (max(side, round(length * scale)) for length in photo.size)
    photo = photo.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(photo.crop((left, top, left + side, top + side))).transpose(2, 0, 1)


def _unpacked(archive: Path, folder: Path) -> Path:
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, part)
        else:
            shutil.unpack_archive(archive, part, filter="data")
        part.rename(folder)
    return folder

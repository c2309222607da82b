"""Pixels and labels become a prepared data set; also idx files and arrays of images."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError
from lepton_automl.preprocess import CHANNELS, ImagePreprocess, to_bytes
from lepton_automl.values import DataSpec

from .deal import deal
from .options import DataOptions
from .pictures import Progress, album, choose_shape, decode_all, listed, look, room_for
from .splits import OPEN, TEST, TRAIN, VALIDATION
from .store import EXAMPLES, write_json
from .targets import read_targets

Array = NDArray[Any]
IDX = re.compile(r"(?P<stem>.*?)images[-.]idx3-ubyte(\.gz)?$")
STATISTICS_ROWS = 20_000  # images that mean and deviation are taken from
LABEL = "label"
MOST_CLASSES_BY_GUESS = 1_000  # whole numbers on images are labels, where on tables they may be quantities


@dataclass
class Images:
    """Images that are in memory or in a file.

    Args:
        pixels: uint8 [N, C, H, W].
        rows: Which of them count.
        labels: One for each of these rows, of any type.
        given: The role that the source gives each of these rows.
        levels: Black and white in the source's numbers; None for bytes.
    """

    pixels: Array
    rows: Array
    labels: Array
    given: Array
    levels: tuple[float, float] | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def from_album(source: Path, test: Path | None, folder: Path, options: DataOptions, progress: Progress | None) -> Images:
    """The images of a folder or zip, and of a test folder kept apart."""
    with album(source) as found:
        seen = look(found)
        if not seen.sizes:
            fix = "Restore these files, or give others."
            raise DataError(
                f"none of the {len(found.pictures):,} pictures can be read: {listed(found, seen.damaged)}",
                where=found.where,
                fix=fix,
            )
        shape, notes = choose_shape(seen, options)
        pixels, rows, damaged = decode_all(found, seen.damaged, shape, folder, progress)
        warnings = [f"{len(damaged):,} pictures cannot be read and are left out: {listed(found, damaged)}"] if damaged else []
        if found.others:
            notes.append(f"{found.others:,} files that are no pictures are left out")
        labels = np.array([found.pictures[at].label for at in rows], object)
        given = np.array([found.pictures[at].role for at in rows], np.int8)
    images = Images(pixels, rows, labels, _open_where_alone(given), None, notes, warnings)
    if test is None:
        return images
    sealed = from_album(test, None, folder, options.replace(image_size=shape[1:], channels=shape[0]), progress)
    return joined(images, sealed)


def _open_where_alone(given: Array) -> Array:
    """Training rows stay open to have a validation or test split cut off, unless both are given."""
    whole = (given == VALIDATION).any() and (given == TEST).any()
    return given if whole else np.where(given == TRAIN, OPEN, given).astype(np.int8)


def joined(images: Images, sealed: Images) -> Images:
    """Images, and others that are their test split."""
    if images.pixels.shape[1:] != sealed.pixels.shape[1:]:
        shapes = f"{images.pixels.shape[1:]} and {sealed.pixels.shape[1:]}"
        raise DataError(f"training and test images differ in shape: {shapes}", where="test", fix="Bring them to one size.")
    given = np.where(images.given == TEST, OPEN, images.given)
    return Images(
        np.concatenate([images.pixels, sealed.pixels]),
        np.concatenate([images.rows, sealed.rows + len(images.pixels)]),
        np.concatenate([images.labels.astype(object), sealed.labels.astype(object)]),
        np.concatenate([given, np.full(len(sealed.rows), TEST)]).astype(np.int8),
        images.levels,
        images.notes,
        images.warnings + [f"test: {warning}" for warning in sealed.warnings],
    )


def idx_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Pairs of idx files (images, labels) in a folder, by what comes before their name, such as `"train-"`."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = IDX.match(path.name)
        if match:
            names = [f"{match['stem']}labels{dot}idx1-ubyte{end}" for dot in "-." for end in (".gz", "")]
            labels = next((folder / name for name in names if (folder / name).is_file()), None)
            if labels is None:
                raise DataError(
                    "an idx file of images has no labels beside it", where=str(path), fix=f"Put {names[0]} beside it."
                )
            pairs.setdefault(match["stem"], (path, labels))
    return pairs


def from_idx(folder: Path, options: DataOptions) -> Images:
    """The images of an idx folder, as MNIST has; files named t10k or test are the test split."""
    parts = [(_role(stem), read_idx(images, 3), read_idx(labels, 1)) for stem, (images, labels) in idx_files(folder).items()]
    for _, pixels, labels in parts:
        if len(pixels) != len(labels):
            raise DataError(f"{len(pixels):,} images and {len(labels):,} labels", where=str(folder), fix="Get the files again.")
    if len({pixels.shape[1:] for _, pixels, _ in parts}) > 1:
        raise DataError(
            "the idx files differ in the size of their images", where=str(folder), fix="Keep one set in the folder."
        )
    pixels = np.concatenate([pixels for _, pixels, _ in parts])
    labels = np.concatenate([labels for _, _, labels in parts])
    given = np.concatenate([np.full(len(labels), role, np.int8) for role, _, labels in parts])
    notes = [f"idx files of {len(pixels):,} images of {pixels.shape[1]}x{pixels.shape[2]} pixels"]
    return _sized(Images(pixels[:, None], np.arange(len(pixels)), labels, given, None, notes), options)


def _role(stem: str) -> int:
    return TEST if re.search(r"t10k|test", stem.lower()) else OPEN


def read_idx(path: Path, axes: int) -> Array:
    """An idx file of bytes, gzipped or not (format: yann.lecun.com/exdb/mnist).

    Raises:
        DataError: It is no such file, or not whole.
    """
    try:
        with open(path, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        data = gzip.decompress(path.read_bytes()) if zipped else path.read_bytes()
        kind, dimensions = struct.unpack_from(">HBB", data)[1:]
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        if (kind, dimensions) != (8, axes):
            raise ValueError(f"it holds type {kind} in {dimensions} dimensions, not bytes in {axes}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (ValueError, struct.error, EOFError, OSError, gzip.zlib.error) as error:  # type: ignore[attr-defined]  # gzip's own zlib
        raise DataError(f"this is no whole idx file: {error}", where=str(path), fix="Get the file again.") from error


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is a batch of images."""
    return len(shape) == 3 or (len(shape) == 4 and (shape[-1] in CHANNELS or shape[1] in CHANNELS))


def from_arrays(X: Array, y: Array, options: DataOptions, levels: tuple[float, float] | None = None) -> Images:
    """Images from arrays [N, H, W], [N, H, W, C] or [N, C, H, W].

    Bytes are pixels. Other numbers are mapped to bytes: 0 to 1, -1 to 1 or 0 to 255 where they lie in these, else their
    own least (0 where none is below) to greatest value.

    Raises:
        DataError: The shapes do not fit, or values are not finite.
    """
    if not is_image_shape(X.shape) or 0 in X.shape:
        raise DataError(f"X has shape {X.shape}", where="images", fix="Give [N, H, W], [N, H, W, C] or [N, C, H, W].")
    if y.shape not in ((len(X),), (len(X), 1)):
        raise DataError(f"{len(X):,} images and targets of shape {y.shape}", where="images", fix="Give one target an image.")
    pixels = X[..., None] if X.ndim == 3 else X
    if pixels.shape[-1] not in CHANNELS:
        pixels = pixels.transpose(0, 2, 3, 1)
    levels, notes = (levels, []) if levels else _levels(pixels)
    if levels:
        pixels = to_bytes(pixels, *levels)
    if pixels.shape[-1] == 4:
        pixels = pixels[..., :3]
        notes.append("the fourth channel (transparency) is left out")
    images = Images(
        pixels.transpose(0, 3, 1, 2), np.arange(len(X)), y.reshape(-1), np.full(len(X), OPEN, np.int8), levels, notes
    )
    return _sized(images, options)


def _levels(pixels: Array) -> tuple[tuple[float, float] | None, list[str]]:
    if pixels.dtype == np.uint8:
        return None, []
    if pixels.dtype.kind not in "fiub":
        raise DataError(f"X holds {pixels.dtype}", where="images", fix="Give numbers.")
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        raise DataError("X holds values that are not finite", where="images", fix="Replace NaN and infinite values.")
    if low == high:
        raise DataError(f"every pixel is {low:g}", where="images", fix="Give images that differ.")
    if -1 <= low < 0 < high <= 1:
        low, high = -1.0, 1.0
    elif low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else 255.0 if 128 <= high <= 255 else high
    return (low, high), [f"pixels from {low:g} (black) to {high:g} (white) are stored as bytes"]


def _sized(images: Images, options: DataOptions) -> Images:
    """With the size and the colours that were asked for."""
    channels, height, width = images.pixels.shape[1:]
    shape = (options.channels or channels, *(options.image_size or (height, width)))
    if shape != (channels, height, width):
        preprocess = ImagePreprocess(shape, {})
        images.pixels = preprocess.arrays(list(images.pixels.transpose(0, 2, 3, 1)))["image"]
    return images


def prepare_images(images: Images, folder: Path, options: DataOptions, name: str) -> DataSpec:
    """Prepare images in a folder.

    Args:
        images: What the source holds.
        folder: Exists and is empty.
        options: What a person said.
        name: For people.

    Raises:
        DataError: The labels cannot be used as they are.
    """
    target = options.target or LABEL
    dealt = deal(read_targets(images.labels, options, target, MOST_CLASSES_BY_GUESS), images.given, target, options)
    rows = images.rows[dealt.told.kept]
    pixels = images.pixels if len(rows) == len(images.pixels) else _picked(images.pixels, rows, folder)
    mean, deviation = _statistics(pixels, dealt.train)
    spec = dealt.spec("image", tuple(int(side) for side in pixels.shape[1:]), folder, name)
    write_json(folder / "preprocess.json", ImagePreprocess(spec.shape, dealt.output, images.levels).to_json())
    dealt.write({"image": pixels}, spec)
    np.save(folder / "example.npy", np.ascontiguousarray(pixels[dealt.train[:EXAMPLES]].transpose(0, 2, 3, 1)))
    return spec.replace(
        pixel_mean=mean,
        pixel_std=deviation,
        notes=(*images.notes, *spec.notes),
        warnings=(*images.warnings, *spec.warnings, *dealt.shared(_hashes(pixels))),
    )


def _picked(pixels: Array, rows: Array, folder: Path) -> Array:
    """Some of the images, again in a file where they are many."""
    chosen = room_for((len(rows), *pixels.shape[1:]), folder)
    for at, row in enumerate(rows):
        chosen[at] = pixels[row]
    return chosen


def _statistics(pixels: Array, train: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over (evenly picked) training images."""
    step = max(1, len(train) // STATISTICS_ROWS)
    counts = np.zeros((pixels.shape[1], 256))
    for start in range(0, len(train), step * 1024):
        some = pixels[train[start : start + step * 1024 : step]]
        for channel in range(pixels.shape[1]):
            counts[channel] += np.bincount(some[:, channel].reshape(-1), minlength=256)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ np.arange(256)
    deviation = np.sqrt(share @ np.arange(256) ** 2.0 - mean**2)
    return tuple(mean.tolist()), tuple(np.maximum(deviation, 1.0).tolist())


def _hashes(pixels: Array) -> Array:
    """64 bits of each image's content."""
    short = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in pixels)
    return np.frombuffer(b"".join(short), np.uint64)

"""Turn images into a prepared dataset: levels, statistics and splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reading import as_array, target_cells
from lepton_automl.data.store import EXAMPLES
from lepton_automl.errors import ConfigError, DataError
from lepton_automl.modalities.image.decode import Progress, allocate_pixels
from lepton_automl.modalities.image.options import image_options
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.image.pretrained.find import copy_weights, find_weights, note_of
from lepton_automl.modalities.image.sources import Images, Levels, check_source, from_files, idx_files, in_memory, joined
from lepton_automl.modalities.image.spec import INPUT, ImageInput
from lepton_automl.modality import Prepared, SplitRows
from lepton_automl.source import Items

STATISTICS_ROWS = 20_000  # images that mean and standard deviation are computed from
LABEL = "label"
DIM = 100  # an image whose maximum is this many times below white is on another scale or shows nothing
FEWEST_GREY = 16  # grey levels that most images should keep
FEWEST_PIXELS = 32  # of the shorter side: published networks halve their input five times
MAX_INFERRED_CLASSES = 1_000  # integers are labels of images, while in tables they may be quantities


def levels_of(ranges: Array) -> tuple[Levels | None, list[str], list[str]]:
    """Black and white in the values of the training images, with notes and warnings.

    0 to 1, -1 to 1 or 0 to 255 if the values fit one of these, else from their minimum (0 if none is below) to their maximum.

    Args:
        ranges: float64 [N, 2]: minimum and maximum of each training image; NaN for images of bytes.

    Raises:
        DataError: All pixels are equal.
    """
    known = ranges[np.isfinite(ranges[:, 0])]
    if not len(known):
        return None, [], []
    low, high = float(known[:, 0].min()), float(known[:, 1].max())
    if low == high:
        raise DataError(f"every pixel is {low:g}", where="images", fix="Give images that differ.")
    if -1 <= low < 0 < high <= 1:
        low, high = -1.0, 1.0
    elif low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else 255.0 if 128 <= high <= 255 else high
    notes = [f"pixels from {low:g} (black) to {high:g} (white) are stored as bytes"]
    warnings = []
    if len(known) < len(ranges):
        warnings.append(f"{len(known):,} of {len(ranges):,} training images are not 8-bit: only these are scaled by the levels")
    usual = float(np.median(known[:, 1] - known[:, 0]))
    grey = 1 + round(255 * usual / (high - low))
    if grey < FEWEST_GREY:
        warnings.append(
            f"half of the training images keep at most {grey} of 256 grey levels, as a few reach {high:g}: "
            "clip or scale those first"
        )
    return (low, high), notes, warnings


def _off_scale(ranges: Array, levels: Levels) -> list[str]:
    """Warnings about validation and test images that are not on the scale of the training images, which set the levels."""
    low, high = levels
    warnings = []
    beyond = int((ranges[:, 1] > 2 * high - low).sum())
    if beyond:
        warnings.append(f"{beyond:,} validation or test images are far brighter than all training images and are clipped")
    dim = int(((ranges[:, 1] > 0) & (ranges[:, 1] <= 1) & (high > DIM * ranges[:, 1])).sum())
    if dim:
        warnings.append(f"{dim:,} images have no value above 1, while others reach {high:g}: they become almost black")
    return warnings


class ImageExamples:
    """Images whose labels are known.

    Args:
        images: The images of the source.
        options: The data options.
        target: What the labels are called; empty if neither the options nor the source say so.
    """

    most_classes = MAX_INFERRED_CLASSES
    decimal = "."

    def __init__(self, images: Images, options: DataOptions, target: str = "") -> None:
        self._images, self._pretrained = images, options.pretrained
        named = options.target if isinstance(options.target, str) else ", ".join(options.target or ())
        self.target = named or target or LABEL
        self.targets, self.roles = images.labels, images.roles
        self.notes, self.warnings = images.notes, images.warnings

    def split_by(self, rows: Array) -> dict[str, Array]:
        """Nothing: images have no groups or times."""
        del rows
        return {}

    def prepare(self, split: SplitRows, folder: Path) -> Prepared:
        """Convert all images to bytes, by the levels of the training images."""
        images, train = self._images, split.train
        ranges = None if images.ranges is None else images.ranges[split.rows][train]
        levels, notes, warnings = (None, [], []) if ranges is None else levels_of(ranges)
        if images.ranges is not None and levels:
            warnings += _off_scale(images.ranges[split.rows], levels)
        rows, loaded = images.rows[split.rows], images.load(levels)
        pixels = loaded if len(rows) == len(loaded) else _select(loaded, rows, folder)
        mean, deviation = _statistics(pixels, train)
        shape = (int(pixels.shape[1]), int(pixels.shape[2]), int(pixels.shape[3]))
        weights = find_weights(self._pretrained) if min(shape[1:]) >= FEWEST_PIXELS else []
        copy_weights(weights, folder)
        if min(shape[1:]) >= FEWEST_PIXELS:
            notes = [*notes, *note_of(weights, self._pretrained)]
        names = tuple(found.backbone for found in weights)
        return Prepared(
            input=ImageInput(shape=shape, pixel_mean=mean, pixel_std=deviation, pretrained=names),
            preprocess=ImagePreprocess(shape, split.output, levels),
            arrays={INPUT: pixels},
            hashes=_hashes(pixels),
            examples=np.ascontiguousarray(pixels[train[:EXAMPLES]].transpose(0, 2, 3, 1)),
            notes=notes,
            warnings=warnings,
        )


@contextmanager
def image_examples(
    source: Any, test: Any, folder: Path, options: DataOptions, progress: Progress | None
) -> Iterator[ImageExamples]:
    """The images of a source, with their labels and split roles; the source stays open until they are loaded.

    Raises:
        DataError: The images cannot be used as they are.
        ConfigError: An option does not fit the source.
    """
    for part in [source] if test is None else [source, test]:
        check_source(part)
    if image_options(options).split is not None and not isinstance(source, str | Path):
        raise ConfigError("split is for folders of images; these are none", where="DataOptions", fix="Leave split out.")
    name = source.target if isinstance(source, Items) else ""
    if _holds_files(source) or _holds_files(test):
        with from_files(_files(source), None if test is None else _files(test), folder, options, progress) as album:
            yield ImageExamples(album, options, name)
        return
    album = in_memory(source, options)
    yield ImageExamples(album if test is None else joined(album, in_memory(test, options)), options, name)


def _holds_files(source: Any) -> bool:
    """Whether the images are decoded one by one, rather than one array."""
    if isinstance(source, Items):
        return not isinstance(source.items, np.ndarray)
    return isinstance(source, str | Path) and not (Path(source).is_dir() and idx_files(Path(source)))


def _files(source: Any) -> Path | Items:
    """A source of files; arrays beside one are decoded one by one, too."""
    if isinstance(source, Items) and _holds_files(source):
        return source
    if isinstance(source, str | Path):
        return Path(source)
    images, labels = (
        (source.items, source.labels) if isinstance(source, Items) else (as_array(source[0]), target_cells(source[1]))
    )
    roles = source.roles if isinstance(source, Items) else None
    return Items(items=list(images), labels=labels, roles=roles)


def _select(pixels: Array, rows: Array, folder: Path) -> Array:
    """The images of some rows, in a file if they are many."""
    chosen = allocate_pixels((len(rows), *pixels.shape[1:]), folder)
    for at, row in enumerate(rows):
        chosen[at] = pixels[row]
    return chosen


def _statistics(pixels: Array, train: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over evenly spaced training images."""
    step = max(1, len(train) // STATISTICS_ROWS)
    counts = np.zeros((pixels.shape[1], 256))
    for start in range(0, len(train), step * 1024):
        batch = pixels[train[start : start + step * 1024 : step]]
        for channel in range(pixels.shape[1]):
            counts[channel] += np.bincount(batch[:, channel].reshape(-1), minlength=256)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ np.arange(256)
    deviation = np.sqrt(share @ np.arange(256) ** 2.0 - mean**2)
    return tuple(mean.tolist()), tuple(np.maximum(deviation, 1.0).tolist())


def _hashes(pixels: Array) -> Array:
    """A 64-bit hash of each image."""
    digests = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in pixels)
    return np.frombuffer(b"".join(digests), np.uint64)

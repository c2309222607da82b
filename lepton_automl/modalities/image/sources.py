"""Images as they come: folders and archives, idx files, arrays; nothing is learned from them yet."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reading import as_array, target_cells
from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.errors import DataError, InputError
from lepton_automl.modalities.image.decode import Progress, choose_shape, decode_all, fill_deep, listed, look, warn_of
from lepton_automl.modalities.image.image_folder import album
from lepton_automl.modalities.image.options import image_options
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.image.preprocess.pixels import CHANNELS, levelled, to_bytes
from lepton_automl.modalities.image.spec import INPUT

IDX = re.compile(r"(?P<stem>.*?)images[-.]idx3-ubyte(\.gz)?$")
Levels = tuple[float, float]


@dataclass
class Images:
    """Images that are in memory or in a file, and wait for the levels of black and white.

    Args:
        shape: (channels, height, width) that they are brought to.
        load: Gives their pixels, uint8 [N, C, H, W], by the levels of those that are no bytes (None where all are).
        rows: Which of them count.
        labels: One for each of these rows, of any type.
        roles: The role that the source gives each of these rows.
        ranges: float64 [rows, 2]: least and greatest number of each that is no bytes, NaN for others; None where all are bytes.
    """

    shape: tuple[int, ...]
    load: Callable[[Levels | None], Array]
    rows: Array
    labels: Array
    roles: Array
    ranges: Array | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@contextmanager
def from_album(
    source: Path, test: Path | None, folder: Path, options: DataOptions, progress: Progress | None
) -> Iterator[Images]:
    """The images of a folder or zip, and of a test folder kept apart; the source stays open until they are loaded."""
    with album(source, options) as source_album:
        headers = look(source_album)
        if not headers.sizes:
            raise DataError(
                f"none of the {len(source_album.pictures):,} pictures can be read: {listed(source_album, headers.damaged)}",
                where=source_album.where,
                fix="Restore these files, or give others.",
            )
        shape, notes = choose_shape(headers, options)
        decoded = decode_all(source_album, headers, shape, folder, progress)

        def load(levels: Levels | None) -> Array:
            if headers.deep:
                fill_deep(source_album, headers, decoded, levels)
            return decoded.pixels

        warnings = [*warn_of(source_album, decoded.damaged), *source_album.warnings]
        if headers.halved:
            warnings.append(f"{headers.halved:,} colour pictures have 16 bits a channel, of which the upper 8 are read")
        labels = np.array([source_album.pictures[at].label for at in decoded.good], object)
        assigned = np.array([source_album.pictures[at].role for at in decoded.good], np.int8)
        ranges = decoded.ranges[decoded.good] if headers.deep else None
        images = Images(
            shape, load, decoded.good, labels, _open_where_alone(assigned), ranges, [*notes, *source_album.notes], warnings
        )
        if test is None:
            yield images
            return
        like = options.replace(image_size=shape[1:], channels=shape[0], split=None)
        with from_album(test, None, folder, like, progress) as sealed:
            yield joined(images, sealed)


def _open_where_alone(assigned: Array) -> Array:
    """Training rows stay open to have a validation or test split cut off, unless both are given."""
    whole = (assigned == VALIDATION).any() and (assigned == TEST).any()
    return assigned if whole else np.where(assigned == TRAIN, OPEN, assigned).astype(np.int8)


def joined(images: Images, sealed: Images) -> Images:
    """Images, and others that are their test split."""
    if images.shape != sealed.shape:
        shapes = f"{images.shape} and {sealed.shape}"
        raise DataError(f"training and test images differ in shape: {shapes}", where="test", fix="Bring them to one size.")
    assigned = np.where(images.roles == TEST, OPEN, images.roles)
    start = int(images.rows.max(initial=-1)) + 1

    def load(levels: Levels | None) -> Array:
        return np.concatenate([images.load(levels)[:start], sealed.load(levels)])

    return Images(
        images.shape,
        load,
        np.concatenate([images.rows, sealed.rows + start]),
        np.concatenate([images.labels.astype(object), sealed.labels.astype(object)]),
        np.concatenate([assigned, np.full(len(sealed.rows), TEST)]).astype(np.int8),
        _ranges(images, sealed),
        images.notes,
        images.warnings + [f"test: {warning}" for warning in sealed.warnings],
    )


def _ranges(*parts: Images) -> Array | None:
    if all(part.ranges is None for part in parts):
        return None
    return np.concatenate([np.full((len(part.rows), 2), np.nan) if part.ranges is None else part.ranges for part in parts])


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
    assigned = np.concatenate([np.full(len(labels), role, np.int8) for role, _, labels in parts])
    notes = [f"idx files of {len(pixels):,} images of {pixels.shape[1]}x{pixels.shape[2]} pixels"]
    shape = _asked_shape(pixels[:, None].shape[1:], options)
    return Images(shape, lambda _: _sized(pixels[:, None], shape), np.arange(len(pixels)), labels, assigned, None, notes)


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


def from_arrays(X: Array, y: Array, options: DataOptions) -> Images:
    """Images from arrays [N, H, W], [N, H, W, C] or [N, C, H, W].

    Bytes are pixels. Other numbers are mapped to bytes by the range of the training images; see `levels_of`.

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
    ranges = _ranges_of(pixels)
    notes = []
    if pixels.shape[-1] == 4:
        pixels = pixels[..., :3]
        notes.append("the fourth channel (transparency) is left out")
    shape = _asked_shape((pixels.shape[-1], *pixels.shape[1:3]), options)

    def load(levels: Levels | None) -> Array:
        if pixels.dtype == np.uint8:
            whole = pixels
        elif levels:
            whole = to_bytes(pixels, *levels)
        else:
            whole = _as_bytes_are(pixels)
        return _sized(whole.transpose(0, 3, 1, 2), shape)

    assigned = np.full(len(X), OPEN, np.int8)
    return Images(shape, load, np.arange(len(X)), y.reshape(-1), assigned, ranges, notes)


def _as_bytes_are(pixels: Array) -> Array:
    """Test images of other numbers beside training images of bytes, as a model of these will read them.

    Raises:
        DataError: They are on another scale.
    """
    try:
        return levelled(pixels, None)
    except InputError as error:
        raise DataError(str(error), where="test", fix="Give bytes, or numbers from 0 to 1 or to 255.") from error


def _ranges_of(pixels: Array) -> Array | None:
    """The least and greatest number of each image, float64 [N, 2]; None for bytes."""
    if pixels.dtype == np.uint8:
        return None
    if pixels.dtype.kind not in "fiub":
        raise DataError(f"X holds {pixels.dtype}", where="images", fix="Give numbers.")
    flat = pixels.reshape(len(pixels), -1)
    ranges = np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1).astype(np.float64)
    if not np.isfinite(ranges).all():
        raise DataError("X holds values that are not finite", where="images", fix="Replace NaN and infinite values.")
    return ranges


def _asked_shape(shape: Sequence[int], options: DataOptions) -> tuple[int, ...]:
    """(channels, height, width) with the size and the colours that were asked for."""
    channels, height, width = shape
    return (image_options(options).channels or channels, *(image_options(options).image_size or (height, width)))


def _sized(pixels: Array, shape: tuple[int, ...]) -> Array:
    """uint8 [N, C, H, W] in another size or other colours."""
    if pixels.shape[1:] == shape:
        return pixels
    return ImagePreprocess(shape, {}).arrays(list(pixels.transpose(0, 2, 3, 1)))[INPUT]


def _in_memory(source: Any, options: DataOptions) -> Images:
    if isinstance(source, str | Path):
        return from_idx(Path(source), options)
    return from_arrays(as_array(source[0]), target_cells(source[1]), options)

"""Images from folders and archives, idx files and arrays, before anything is learned from them."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reading import as_array, is_pair, target_cells
from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.errors import DataError, InputError
from lepton_automl.modalities.image.decode import Progress, choose_shape, damage_warnings, decode_all, fill_deep, listed, look
from lepton_automl.modalities.image.image_folder import album
from lepton_automl.modalities.image.items import album_of_items
from lepton_automl.modalities.image.options import image_options
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.image.preprocess.pixels import CHANNELS, scale_to_bytes, to_bytes
from lepton_automl.modalities.image.spec import INPUT
from lepton_automl.source import Items

IDX = re.compile(r"(?P<stem>.*?)images[-.]idx3-ubyte(\.gz)?$")
Levels = tuple[float, float]


@dataclass
class Images:
    """Images in memory or in a file, to be loaded once the levels of black and white are known.

    Args:
        shape: (channels, height, width) that they are converted to.
        load: Returns their pixels, uint8 [N, C, H, W], given the levels of those that are not bytes (None if all are).
        rows: Indices of the images that are used.
        labels: The label of each of these rows, of any type.
        roles: The role that the source gives each of these rows.
        ranges: float64 [rows, 2]: minimum and maximum of each that is not bytes, NaN for others; None if all are bytes.
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
def from_files(
    source: Path | Items, test: Path | Items | None, folder: Path, options: DataOptions, progress: Progress | None
) -> Iterator[Images]:
    """The images of a folder, an archive or a list, and separate test images; the source stays open until they are loaded."""
    with album_of_items(source) if isinstance(source, Items) else album(source, options) as source_album:
        headers = look(source_album)
        if not headers.sizes:
            reason = next(iter(headers.damaged.values()), "")
            raise DataError(
                f"none of the {len(source_album.pictures):,} images can be read: {listed(source_album, headers.damaged)} ({reason})",
                where=source_album.where,
                fix="Restore these files, or give others.",
            )
        shape, notes = choose_shape(headers, options)
        decoded = decode_all(source_album, headers, shape, folder, progress)

        def load(levels: Levels | None) -> Array:
            if headers.deep:
                fill_deep(source_album, headers, decoded, levels)
            return decoded.pixels

        warnings = [*damage_warnings(source_album, decoded.damaged), *source_album.warnings]
        if headers.halved:
            warnings.append(f"{headers.halved:,} colour images have 16 bits per channel, of which the upper 8 are read")
        labels = np.array([source_album.pictures[at].label for at in decoded.good], object)
        roles = np.array([source_album.pictures[at].role for at in decoded.good], np.int8)
        ranges = decoded.ranges[decoded.good] if headers.deep else None
        images = Images(
            shape, load, decoded.good, labels, _open_unless_complete(roles), ranges, [*notes, *source_album.notes], warnings
        )
        if test is None:
            yield images
            return
        like = options.replace(image_size=shape[1:], channels=shape[0], split=None)
        with from_files(test, None, folder, like, progress) as sealed:
            yield joined(images, sealed)


def _open_unless_complete(roles: Array) -> Array:
    """Mark training rows as open, so that missing splits can be cut off them, unless validation and test are both given."""
    complete = (roles == VALIDATION).any() and (roles == TEST).any()
    return roles if complete else np.where(roles == TRAIN, OPEN, roles).astype(np.int8)


def joined(images: Images, sealed: Images) -> Images:
    """Images together with others that are their test split."""
    if images.shape != sealed.shape:
        shapes = f"{images.shape} and {sealed.shape}"
        raise DataError(f"training and test images differ in shape: {shapes}", where="test", fix="Resize them to one size.")
    roles = np.where(images.roles == TEST, OPEN, images.roles)
    start = int(images.rows.max(initial=-1)) + 1

    def load(levels: Levels | None) -> Array:
        return np.concatenate([images.load(levels)[:start], sealed.load(levels)])

    return Images(
        images.shape,
        load,
        np.concatenate([images.rows, sealed.rows + start]),
        np.concatenate([images.labels.astype(object), sealed.labels.astype(object)]),
        np.concatenate([roles, np.full(len(sealed.rows), TEST)]).astype(np.int8),
        _ranges(images, sealed),
        images.notes,
        images.warnings + [f"test: {warning}" for warning in sealed.warnings],
    )


def _ranges(*parts: Images) -> Array | None:
    if all(part.ranges is None for part in parts):
        return None
    return np.concatenate([np.full((len(part.rows), 2), np.nan) if part.ranges is None else part.ranges for part in parts])


def idx_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Pairs of idx files (images, labels) in a folder, by the prefix of their names, such as `"train-"`."""
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
    """The images of a folder of idx files, such as MNIST; files named t10k or test are the test split."""
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
    roles = np.concatenate([np.full(len(labels), role, np.int8) for role, _, labels in parts])
    notes = [f"idx files of {len(pixels):,} images of {pixels.shape[1]}x{pixels.shape[2]} pixels"]
    shape = _shape_by_options(pixels[:, None].shape[1:], options)
    return Images(shape, lambda _: _sized(pixels[:, None], shape), np.arange(len(pixels)), labels, roles, None, notes)


def _role(stem: str) -> int:
    return TEST if re.search(r"t10k|test", stem.lower()) else OPEN


def read_idx(path: Path, axes: int) -> Array:
    """An idx file of bytes, gzipped or not (format: yann.lecun.com/exdb/mnist).

    Raises:
        DataError: It is not such a file, or is incomplete.
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
        raise DataError(f"this is not a complete idx file: {error}", where=str(path), fix="Get the file again.") from error


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is a batch of images."""
    return len(shape) == 3 or (len(shape) == 4 and (shape[-1] in CHANNELS or shape[1] in CHANNELS))


def from_arrays(X: Array, y: Array, options: DataOptions, roles: Array | None = None) -> Images:
    """Images from arrays [N, H, W], [N, H, W, C] or [N, C, H, W].

    Bytes are used as pixels. Other values are mapped to bytes by the range of the training images; see `levels_of`.

    Raises:
        DataError: The shapes do not fit, or values are not finite.
    """
    if not is_image_shape(X.shape) or 0 in X.shape:
        raise DataError(f"X has shape {X.shape}", where="images", fix="Give [N, H, W], [N, H, W, C] or [N, C, H, W].")
    if y.shape not in ((len(X),), (len(X), 1)):
        raise DataError(f"{len(X):,} images and targets of shape {y.shape}", where="images", fix="Give one target per image.")
    pixels = X[..., None] if X.ndim == 3 else X
    if pixels.shape[-1] not in CHANNELS:
        pixels = pixels.transpose(0, 2, 3, 1)
    ranges = _ranges_of(pixels)
    notes = []
    if pixels.shape[-1] == 4:
        pixels = pixels[..., :3]
        notes.append("the fourth channel (transparency) is left out")
    shape = _shape_by_options((pixels.shape[-1], *pixels.shape[1:3]), options)

    def load(levels: Levels | None) -> Array:
        if pixels.dtype == np.uint8:
            as_bytes = pixels
        elif levels:
            as_bytes = to_bytes(pixels, *levels)
        else:
            as_bytes = _like_bytes(pixels)
        return _sized(as_bytes.transpose(0, 3, 1, 2), shape)

    roles = np.full(len(X), OPEN, np.int8) if roles is None else roles
    return Images(shape, load, np.arange(len(X)), y.reshape(-1), roles, ranges, notes)


def _like_bytes(pixels: Array) -> Array:
    """Test images that are not bytes, while the training images are, converted as a model of these data will convert them.

    Raises:
        DataError: They are on another scale.
    """
    try:
        return scale_to_bytes(pixels, None)
    except InputError as error:
        raise DataError(str(error), where="test", fix="Give bytes, or numbers from 0 to 1 or from 0 to 255.") from error


def _ranges_of(pixels: Array) -> Array | None:
    """The minimum and maximum of each image, float64 [N, 2]; None for bytes."""
    if pixels.dtype == np.uint8:
        return None
    if pixels.dtype.kind not in "fiub":
        raise DataError(f"X holds {pixels.dtype}", where="images", fix="Give numbers.")
    flat = pixels.reshape(len(pixels), -1)
    ranges = np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1).astype(np.float64)
    if not np.isfinite(ranges).all():
        raise DataError("X holds values that are not finite", where="images", fix="Replace NaN and infinite values.")
    return ranges


def _shape_by_options(shape: Sequence[int], options: DataOptions) -> tuple[int, ...]:
    """(channels, height, width), with the size and channels of the options if they are set."""
    channels, height, width = shape
    return (image_options(options).channels or channels, *(image_options(options).image_size or (height, width)))


def _sized(pixels: Array, shape: tuple[int, ...]) -> Array:
    """The pixels in another size or with other channels, uint8 [N, C, H, W]."""
    if pixels.shape[1:] == shape:
        return pixels
    return ImagePreprocess(shape, {}).arrays(list(pixels.transpose(0, 2, 3, 1)))[INPUT]


def check_source(source: Any) -> None:
    """Check that a source is one of images, as it may not have been recognised.

    Raises:
        DataError: It is not.
    """
    if not (isinstance(source, str | Path | Items) or is_pair(source)):
        fix = "Give a folder, an archive, arrays (X, y), or a table with a column that names the files: file_column=."
        raise DataError(f"a {type(source).__name__} holds no images", where="data", fix=fix)


def in_memory(source: Any, options: DataOptions) -> Images:
    """The images of a folder of idx files, or of arrays.

    Raises:
        DataError: Its shapes do not fit.
    """
    if isinstance(source, str | Path):
        return from_idx(Path(source), options)
    if isinstance(source, Items):
        assert isinstance(source.items, np.ndarray) and source.labels is not None
        images = from_arrays(source.items, source.labels, options, source.roles)
        return replace(images, notes=[*source.notes, *images.notes], warnings=[*source.warnings, *images.warnings])
    return from_arrays(as_array(source[0]), target_cells(source[1]), options)

"""Read the headers of images, choose a common size, and decode each image once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.data.options import DataOptions
from lepton_automl.data.splits import TEST
from lepton_automl.errors import DataError, InputError
from lepton_automl.modalities.image.preprocess.pixels import (
    check_jpeg_size,
    check_size,
    decode,
    open_image,
    read_image,
    to_bytes,
)

from .folder_layout import Picture
from .image_folder import Album
from .options import image_options
from .pretrained.find import find_weights

Array = NDArray[Any]
Progress = Callable[[int, int], None]
LARGEST_COMMON = 224  # pixels per side: a common size up to this is kept
MOSTLY = 0.9  # share of images of one size that makes it the common size
USUAL_SIDE = 128  # pixels of the longer side if sizes differ or are larger
PRETRAINED_SIDE = 160  # the same for networks that start from published weights, which were trained on larger images
MANY = 20_000  # images that are stored in the usual size in any case
MOST_DAMAGED = 0.05  # share of images that may be damaged before it is an error
IN_MEMORY = 1 << 29  # bytes of pixels; more are decoded into a file


@dataclass(frozen=True)
class Look:
    """What the headers of images say.

    Args:
        sizes: (height, width) of the images that may decide the network's size, with their counts.
        grey: How many of these are grey.
        colour: How many of these are not.
        damaged: Error messages of images that cannot be opened or are too large, by index.
        deep: Indices of images whose values have more than 8 bits.
        halved: How many colour images have 16 bits per channel, of which Pillow reads the upper 8.
    """

    sizes: Counter[tuple[int, int]]
    grey: int
    colour: int
    damaged: dict[int, str]
    deep: list[int]
    halved: int


@dataclass(frozen=True)
class _Header:
    size: tuple[int, int]
    mode: str
    halved: bool


def look(album: Album) -> Look:
    """Read the header of every image. Test images do not count for size and colours, unless there are no others."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = colour = halved = 0
    damaged: dict[int, str] = {}
    deep: list[int] = []
    test_only = all(entry.role == TEST for entry in album.pictures)
    with ThreadPoolExecutor(_threads()) as pool:
        for at, header in enumerate(pool.map(lambda entry: _header(album, entry), album.pictures)):
            if isinstance(header, str):
                damaged[at] = header
                continue
            if header.mode.startswith(("I", "F")):
                deep.append(at)
            halved += header.halved
            if album.pictures[at].role == TEST and not test_only:
                continue
            is_grey = header.mode in ("1", "L", "LA") or header.mode.startswith(("I", "F"))
            sizes[header.size] += 1
            grey, colour = grey + is_grey, colour + (not is_grey)
    return Look(sizes, grey, colour, damaged, deep, halved)


def _header(album: Album, entry: Picture) -> _Header | str:
    try:
        with open_image(album.open(entry.path)) as image:
            width, height = image.size
            if image.format in ("JPEG", "MPO"):
                check_jpeg_size(image)
            else:
                check_size(width, height)
            halved = image.mode[:3] == "RGB" and "16" in str(getattr(image, "tile", ""))
            return _Header((height, width), image.mode, halved)
    except Exception as error:  # a damaged file can make a decoder raise anything
        return str(error)


def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def choose_shape(look: Look, options: DataOptions) -> tuple[tuple[int, int, int], list[str]]:
    """Return the network's (channels, height, width), and notes on why."""
    notes = []
    if look.grey and look.colour:
        notes.append(f"{look.grey:,} images are grey and {look.colour:,} in colour: all are read as RGB")
    channels = image_options(options).channels or (3 if look.colour else 1)
    if size := image_options(options).image_size:
        return (channels, *size), notes
    (height, width), count = look.sizes.most_common(1)[0]
    if count >= MOSTLY * look.sizes.total() and max(height, width) <= LARGEST_COMMON:
        others = look.sizes.total() - count
        notes.append(
            f"the images are {height}x{width} pixels" + (f" ({others:,} of another size are resized)" if others else "")
        )
        return (channels, height, width), notes
    if len(look.sizes) > 1:
        sizes = list(look.sizes.elements())
        height, width = round(median(size[0] for size in sizes)), round(median(size[1] for size in sizes))
    large = look.sizes.total() <= MANY and bool(find_weights(options.pretrained))
    scale = min(1.0, (PRETRAINED_SIDE if large else USUAL_SIDE) / max(height, width))
    height, width = (max(8, round(side * scale / 8) * 8) for side in (height, width))
    why = f"the images have {len(look.sizes):,} different sizes" if len(look.sizes) > 1 else "the images are large"
    notes.append(f"{why}: all are stored with {height}x{width} pixels (set image_size to choose another size)")
    return (channels, height, width), notes


@dataclass(frozen=True)
class Decoded:
    """Images in memory or in a file; those with more than 8 bits are filled in by `fill_deep`.

    Args:
        pixels: uint8 [N, C, H, W], one for each image of the album; damaged and deep ones are not filled in yet.
        good: Indices of the images that can be read.
        damaged: Error messages of the others, by index.
        ranges: float64 [N, 2]: the minimum and maximum of each deep image; NaN for others.
    """

    pixels: Array
    good: Array
    damaged: dict[int, str]
    ranges: Array


def decode_all(album: Album, look: Look, shape: tuple[int, int, int], folder: Path, progress: Progress | None) -> Decoded:
    """Decode every 8-bit image once, and find the value range of the others.

    Args:
        album: The images.
        look: What their headers say.
        shape: (channels, height, width).
        folder: Where the pixels are put into a file if they are many.
        progress: Called with how many of how many are done.

    Raises:
        DataError: More than 5 % are damaged; the message names some.
    """
    pixels = allocate_pixels((len(album.pictures), *shape), folder)
    ranges = np.full((len(album.pictures), 2), np.nan)
    deep = set(look.deep)

    def decode_one(at: int) -> None:
        if at in deep:
            ranges[at] = _range(album.open(album.pictures[at].path))
        else:
            pixels[at] = read_image(album.open(album.pictures[at].path), shape)

    todo = [at for at in range(len(album.pictures)) if at not in look.damaged]
    damaged = look.damaged | _each(todo, decode_one, progress)
    if len(damaged) > MOST_DAMAGED * len(album.pictures):
        raise DataError(
            f"{len(damaged):,} of {len(album.pictures):,} images cannot be read: {listed(album, damaged)}",
            where=album.where,
            fix=f"Restore or remove these files{_why(damaged)}.",
        )
    return Decoded(pixels, np.array([at for at in todo if at not in damaged], np.int64), damaged, ranges)


def fill_deep(album: Album, look: Look, decoded: Decoded, levels: tuple[float, float] | None) -> None:
    """Decode the images with more than 8 bits.

    Args:
        album: The images.
        look: What their headers say.
        decoded: The other images, with room for these.
        levels: Black and white of the training images, beyond which values are clipped; None if those are 8-bit: each image is
            then read as a model of these data will read it.

    Raises:
        DataError: An image cannot be read this way, or has changed since its header was read.
    """
    from PIL import Image, ImageOps

    def decode_one(at: int) -> None:
        file, shape = album.open(album.pictures[at].path), decoded.pixels.shape[1:]
        if levels is None:
            decoded.pixels[at] = read_image(file, shape)
            return
        with open_image(file) as image:
            upright = ImageOps.exif_transpose(image)
            decoded.pixels[at] = decode(Image.fromarray(to_bytes(np.asarray(upright), *levels)), shape)

    failed = _each([at for at in look.deep if at not in decoded.damaged], decode_one, None)
    if failed:
        at, why = next(iter(failed.items()))
        raise DataError(why, where=f"{album.where}/{album.pictures[at].path}", fix="Restore, scale or remove this file.")


def _range(file: Any) -> tuple[float, float]:
    """The minimum and maximum of an image."""
    with open_image(file) as image:
        values = np.asarray(image)
    least, most = float(values.min()), float(values.max())
    if not np.isfinite(least + most):
        raise InputError("it holds values that are not finite")
    return least, most


def _each(todo: list[int], do: Callable[[int], None], progress: Progress | None) -> dict[int, str]:
    """Call `do` for many images in parallel; return the error messages of those that failed, by index."""

    def error_of(at: int) -> str:
        try:
            do(at)
        except InputError as error:
            return str(error)
        except Exception as error:  # as in _header
            return f"{type(error).__name__}: {error}"
        return ""

    failed: dict[int, str] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        for done, (at, problem) in enumerate(zip(todo, pool.map(error_of, todo), strict=True), 1):
            if problem:
                failed[at] = problem
            if progress and (done % 64 == 0 or done == len(todo)):
                progress(done, len(todo))
    return failed


def _why(damaged: dict[int, str]) -> str:
    """The reason if an image is too large: such files are intact and can be scaled down."""
    large = next((why for why in damaged.values() if "is too large" in why), "")
    return f"; {large}" if large else ""


def damage_warnings(album: Album, damaged: dict[int, str]) -> list[str]:
    """Warnings about images that are left out."""
    if not damaged:
        return []
    return [f"{len(damaged):,} images cannot be read and are left out: {listed(album, damaged)}{_why(damaged)}"]


def listed(album: Album, damaged: dict[int, str]) -> str:
    """The paths of the first few damaged images, as text."""
    first = [repr(album.pictures[at].path) for at in sorted(damaged)[:5]]
    return ", ".join(first) + (f" and {len(damaged) - 5:,} more" if len(damaged) > 5 else "")


def allocate_pixels(shape: tuple[int, ...], folder: Path) -> Array:
    """An array for pixels: in memory if it is small, else in a file whose disk space is allocated first.

    Raises:
        OSError: The disk is full. (Writing to a memory map on a full disk would kill the process.)
    """
    size = int(np.prod(shape))
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    path = folder / "decoded.tmp"
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    pixels = np.memmap(path, np.uint8, "r+", shape=shape)
    path.unlink()  # the memory map keeps the data for as long as it is open
    return pixels

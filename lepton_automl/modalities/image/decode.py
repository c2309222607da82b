"""The pixels of pictures: what their headers tell, the size that suits them all, and each decoded once."""

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

Array = NDArray[Any]
Progress = Callable[[int, int], None]
LARGEST_COMMON = 224  # pixels a side: pictures of one size up to this keep it
MOSTLY = 0.9  # share of pictures of one size that makes it the common size
USUAL_SIDE = 128  # pixels of the longer side where sizes differ, or are larger
MOST_DAMAGED = 0.05  # share of pictures that may be damaged before it is an error
IN_MEMORY = 1 << 29  # bytes of pixels; more are decoded into a file


@dataclass(frozen=True)
class Look:
    """What the headers of pictures tell.

    Args:
        sizes: (height, width) of those that may decide the network's, and how many have each.
        grey: How many of these are grey.
        colour: How many are not.
        damaged: What cannot be opened, or is too large, by index, and why.
        deep: Indices of those that hold numbers beyond bytes.
        halved: How many colour pictures have 16 bits a channel, of which Pillow reads the upper 8.
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
    """Read every picture's header. Size and colours come from pictures outside of the test split alone, where that is given."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = colour = halved = 0
    damaged: dict[int, str] = {}
    deep: list[int] = []
    every_sealed = all(picture.role == TEST for picture in album.pictures)
    with ThreadPoolExecutor(_threads()) as pool:
        for at, header in enumerate(pool.map(lambda picture: _header(album, picture), album.pictures)):
            if isinstance(header, str):
                damaged[at] = header
                continue
            if header.mode.startswith(("I", "F")):
                deep.append(at)
            halved += header.halved
            if album.pictures[at].role == TEST and not every_sealed:
                continue
            is_grey = header.mode in ("1", "L", "LA") or header.mode.startswith(("I", "F"))
            sizes[header.size] += 1
            grey, colour = grey + is_grey, colour + (not is_grey)
    return Look(sizes, grey, colour, damaged, deep, halved)


def _header(album: Album, picture: Picture) -> _Header | str:
    try:
        with open_image(album.open(picture.path)) as image:
            width, height = image.size
            if image.format in ("JPEG", "MPO"):
                check_jpeg_size(image)
            else:
                check_size(width, height)
            halved = image.mode[:3] == "RGB" and "16" in str(getattr(image, "tile", ""))
            return _Header((height, width), image.mode, halved)
    except Exception as error:  # whatever a damaged file makes a decoder raise, it is about this file alone
        return str(error)


def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def choose_shape(look: Look, options: DataOptions) -> tuple[tuple[int, int, int], list[str]]:
    """(channels, height, width) for the network, and why."""
    notes = []
    if look.grey and look.colour:
        notes.append(f"{look.grey:,} pictures are grey and {look.colour:,} in colour: all are taken as RGB")
    channels = image_options(options).channels or (3 if look.colour else 1)
    if size := image_options(options).image_size:
        return (channels, *size), notes
    (height, width), many = look.sizes.most_common(1)[0]
    if many >= MOSTLY * look.sizes.total() and max(height, width) <= LARGEST_COMMON:
        few = look.sizes.total() - many
        notes.append(f"the pictures are {height}x{width} pixels" + (f", but for {few:,} that are brought to it" if few else ""))
        return (channels, height, width), notes
    if len(look.sizes) > 1:
        every = list(look.sizes.elements())
        height, width = round(median(size[0] for size in every)), round(median(size[1] for size in every))
    scale = min(1.0, USUAL_SIDE / max(height, width))
    height, width = (max(8, round(side * scale / 8) * 8) for side in (height, width))
    differing = f"sizes differ ({len(look.sizes):,} of them)" if len(look.sizes) > 1 else "the pictures are large"
    notes.append(f"{differing}: all are brought to {height}x{width} pixels (set image_size to choose)")
    return (channels, height, width), notes


@dataclass(frozen=True)
class Decoded:
    """Pictures in memory or in a file; those that are deeper than bytes wait for their levels.

    Args:
        pixels: uint8 [N, C, H, W], one for each picture of the album; what is damaged or deep holds nothing yet.
        good: Indices of the pictures that can be read.
        damaged: Why the others cannot.
        ranges: float64 [N, 2]: the least and greatest number of each deep picture; NaN elsewhere.
    """

    pixels: Array
    good: Array
    damaged: dict[int, str]
    ranges: Array


def decode_all(album: Album, look: Look, shape: tuple[int, int, int], folder: Path, progress: Progress | None) -> Decoded:
    """Decode every picture of bytes once, and find the range of the others.

    Args:
        album: The pictures.
        look: What their headers tell.
        shape: (channels, height, width).
        folder: For a file of the pixels where they are many.
        progress: Told how many of how many are done.

    Raises:
        DataError: More than 5 % are damaged; some are named.
    """
    pixels = room_for((len(album.pictures), *shape), folder)
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
            f"{len(damaged):,} of {len(album.pictures):,} pictures cannot be read: {listed(album, damaged)}",
            where=album.where,
            fix=f"Restore or remove these files{_why(damaged)}.",
        )
    return Decoded(pixels, np.array([at for at in todo if at not in damaged], np.int64), damaged, ranges)


def fill_deep(album: Album, look: Look, decoded: Decoded, levels: tuple[float, float] | None) -> None:
    """Decode the pictures that are deeper than bytes.

    Args:
        album: The pictures.
        look: What their headers tell.
        decoded: The others, and room for these.
        levels: Black and white of the training pictures, beyond which numbers are clipped; None where those are bytes: each is
            read as a model of these data will read it.

    Raises:
        DataError: One cannot be read so, or has changed since it was looked at.
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
    """The least and the greatest number in a picture."""
    with open_image(file) as image:
        values = np.asarray(image)
    least, most = float(values.min()), float(values.max())
    if not np.isfinite(least + most):
        raise InputError("it holds values that are no finite numbers")
    return least, most


def _each(todo: list[int], do: Callable[[int], None], progress: Progress | None) -> dict[int, str]:
    """Do something with many pictures at once; returns what failed, and why."""

    def tried(at: int) -> str:
        try:
            do(at)
        except InputError as error:
            return str(error)
        except Exception as error:  # as in _header
            return f"{type(error).__name__}: {error}"
        return ""

    failed: dict[int, str] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        for done, (at, problem) in enumerate(zip(todo, pool.map(tried, todo), strict=True), 1):
            if problem:
                failed[at] = problem
            if progress and (done % 64 == 0 or done == len(todo)):
                progress(done, len(todo))
    return failed


def _why(damaged: dict[int, str]) -> str:
    """The reason where pictures are too large: these are whole, and can be scaled down."""
    large = next((why for why in damaged.values() if "is too large" in why), "")
    return f"; {large}" if large else ""


def warn_of(album: Album, damaged: dict[int, str]) -> list[str]:
    """Warnings on pictures that are left out."""
    if not damaged:
        return []
    return [f"{len(damaged):,} pictures cannot be read and are left out: {listed(album, damaged)}{_why(damaged)}"]


def listed(album: Album, damaged: dict[int, str]) -> str:
    """The first few damaged pictures by path."""
    first = [repr(album.pictures[at].path) for at in sorted(damaged)[:5]]
    return ", ".join(first) + (f" and {len(damaged) - 5:,} more" if len(damaged) > 5 else "")


def room_for(shape: tuple[int, ...], folder: Path) -> Array:
    """An array for pixels: in memory where they are few, else in a file whose room is claimed beforehand.

    Raises:
        OSError: The disk is full. (Writing to a memory map of a full disk would end the process.)
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
    path.unlink()  # the map keeps it alive for as long as it is needed, and no longer
    return pixels

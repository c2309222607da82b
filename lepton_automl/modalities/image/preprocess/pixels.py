"""Decode and resize images, and convert them to bytes."""

from __future__ import annotations

import io
import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.errors import InputError

CHANNELS = (1, 3, 4)
MOST_PIXELS = (
    1 << 30
) // 12  # of one image: Pillow's own limit, a quarter of a gigabyte in RGB; a small file may decompress to more
MOST_JPEG_PIXELS = 4 * MOST_PIXELS  # a JPEG that is scaled down is decoded at up to an eighth of its sides
JPEG = b"\xff\xd8\xff"  # the first bytes of a JPEG file
FEW_PIXELS = 0.01  # share of an image's pixels that may be far above white: hot pixels, not another scale
UNSUPPORTED_FORMATS = {"EPS", "MPEG", "HDF5", "GRIB", "BUFR", "WMF"}  # these need other programs, or do not hold a single image


def scale_to_bytes(array: Array, levels: tuple[float, float] | None, *, deepest: float = 255.0) -> Array:
    """Convert values that are not bytes to uint8.

    Args:
        array: Pixels of any shape and number type.
        levels: Black and white; None if the training images were bytes.
        deepest: The largest value that may mean white if there are no levels: 65535 in 16-bit files.

    Raises:
        InputError: They are not finite numbers, or so far outside the levels that they are on another scale.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"an image of {array.dtype} holds no numbers")
    if not array.size:
        return array.astype(np.uint8)
    least, most = float(array.min()), float(array.max())
    if not math.isfinite(least + most):
        raise InputError(f"an image of {array.dtype} holds values that are not finite")
    if levels is None:
        if most > deepest:
            raise InputError(
                f"an image holds values up to {most:g}; the model was trained on pixels from 0 to 255: scale it to that range"
            )
        return to_bytes(array, 0.0, 1.0 if most <= 1 else 255.0 if most <= 255 else deepest)
    low, high = levels
    span = high - low
    # Single hot pixels are clipped; an image that is brighter overall, or almost black, was not scaled like the training images.
    beyond = most > high + span and int((array > high + span).sum()) > max(4, FEW_PIXELS * array.size)
    tiny = high > 100 * most and 0 < most <= 1 and array.dtype.kind == "f" and bool((array % 1 != 0).any())
    if beyond or tiny:
        what = (
            f"an image holds values from {least:g} to {most:g}; those of the training images lie between {low:g} and {high:g}"
        )
        raise InputError(f"{what}: scale it like those")
    return to_bytes(array, low, high)


def to_bytes(array: Array, low: float, high: float) -> Array:
    """Values from `low` (black) to `high` (white) as uint8, rounded and clipped."""
    scaled = (array.astype(np.float32) - low) * (255.0 / (high - low))
    rounded: Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return rounded


def pillow(what: str) -> Any:
    """Pillow's `Image` module, imported only if there is something to decode or resize.

    Args:
        what: What it is needed for.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise InputError(f"{what} needs Pillow, which is not installed: pip install pillow") from None
    return Image


def check_size(width: int, height: int) -> None:
    """Reject an image that may be a decompression bomb.

    Raises:
        InputError: It has more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise _too_large(f"{width:,} x {height:,} pixels")


def _too_large(size: str) -> InputError:
    limits = f"at most {MOST_PIXELS:,} pixels are read, of a JPEG {MOST_JPEG_PIXELS:,}"
    return InputError(f"an image of {size} is too large ({limits}); scale it down")


def decode(image: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """Convert a Pillow image to an upright array of one size, in grey or RGB.

    Args:
        image: The image; it is loaded here.
        shape: (channels, height, width).
        levels: Black and white of images that are not bytes; see `scale_to_bytes`.

    Returns:
        uint8 [C, H, W].

    Raises:
        InputError: It is so large that it may be an attack; this is read from its header, and nothing is decoded.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    _reduce(image, (2 * width, 2 * height))
    converted = _flattened(ImageOps.exif_transpose(image), levels).convert("L" if channels == 1 else "RGB")
    if converted.size != (width, height):
        converted = ImageOps.fit(converted, (width, height), Image.Resampling.BILINEAR)  # the middle, aspect ratio kept
    pixels: Array = np.asarray(converted, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def resized(pixels: Array, size: tuple[int, int]) -> Array:
    """Pixels in a smaller size, by Pillow's antialiased bilinear filter; as they are if they have it.

    Args:
        pixels: uint8 [C, H, W], grey or RGB.
        size: (height, width).

    Returns:
        uint8 [C, *size].
    """
    if pixels.shape[1:] == size:
        return pixels
    library = pillow("an image of another size than the model's")
    image = library.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))
    smaller: Array = np.asarray(image.resize(size[::-1], library.Resampling.BILINEAR), np.uint8)
    return np.ascontiguousarray(smaller[None] if smaller.ndim == 2 else smaller.transpose(2, 0, 1))


def _reduce(image: Any, least: tuple[int, int]) -> None:
    """Set a large JPEG to be decoded at a fraction of its size, and reject an image that is still too large.

    Raises:
        InputError: It may be an attack.
    """
    if image.format in ("JPEG", "MPO"):
        check_jpeg_size(image)
        image.draft(None, least)
    check_size(*image.size)


def check_jpeg_size(image: Any) -> None:
    """Reject a JPEG that takes too much memory even when decoded at a fraction of its size: a progressive one is held in full.

    Raises:
        InputError: It has too many pixels.
    """
    width, height = image.size
    if width * height > (MOST_PIXELS * 3 // 2 if image.info.get("progressive") else MOST_JPEG_PIXELS):
        check_size(width, height)


def _flattened(image: Any, levels: tuple[float, float] | None) -> Any:
    """The image composited on white if it is transparent, and converted to bytes if it has other values."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(scale_to_bytes(np.asarray(image), levels, deepest=65535.0))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def open_image(item: Any) -> Any:
    """A file as a Pillow image that is not decoded yet.

    Pillow's own check for bombs assumes that an image is decoded at full size; `decode` checks a JPEG after reducing it.

    Args:
        item: A path, or a file that is open in binary mode.
    """
    from PIL import Image, JpegImagePlugin

    if hasattr(item, "read"):
        start = item.tell()
        is_jpeg = item.read(3) == JPEG
        item.seek(start)
    else:
        with open(item, "rb") as file:
            is_jpeg = file.read(3) == JPEG
    try:
        return JpegImagePlugin.JpegImageFile(item) if is_jpeg else Image.open(item)
    except Image.DecompressionBombError as error:  # Pillow's message contains the number of pixels
        pixels = next((int(word) for word in re.findall(r"[0-9]+", str(error))), 0)
        raise _too_large(f"{pixels:,} pixels") from None


def read_image(item: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """A file, or its content as bytes, as uint8 [C, H, W]; see `decode`.

    Raises:
        InputError: It is not a path, file or content, or the file is missing, damaged, not an image, or so large that it may be an attack.
    """
    if isinstance(item, bytes):
        item = io.BytesIO(item)
    if not isinstance(item, str | Path) and not hasattr(item, "read"):
        raise InputError(f"a {type(item).__name__} is not an image; give a path, a Pillow image or an array")
    library = pillow(f"reading {str(item)!r}")
    try:
        with open_image(item) as image:
            if image.format in UNSUPPORTED_FORMATS:
                raise InputError(f"files of the format {image.format} are not supported")
            return decode(image, shape, levels)
    except FileNotFoundError:
        raise InputError(f"there is no file {str(item)!r}") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, library.DecompressionBombError) as error:
        raise InputError(f"{str(item)!r} cannot be read as an image: {error}") from None

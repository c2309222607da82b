"""Images decoded, resized and brought to bytes."""

from __future__ import annotations

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
) // 12  # of one image: Pillow's own mark, a quarter of a gigabyte in RGB; a small file may unpack to more
MOST_JPEG_PIXELS = 4 * MOST_PIXELS  # a JPEG is decoded at an eighth of its sides where it is scaled down that much anyway
JPEG = b"\xff\xd8\xff"  # how such a file begins
FEW_PIXELS = 0.01  # share of an image's pixels that may lie far above white: hot pixels, not another scale
NO_PICTURES = {"EPS", "MPEG", "HDF5", "GRIB", "BUFR", "WMF"}  # these need other programs, or hold no one picture


def levelled(array: Array, levels: tuple[float, float] | None, *, deepest: float = 255.0) -> Array:
    """Numbers that are no bytes as uint8.

    Args:
        array: Pixels of any shape and number type.
        levels: Black and white; None where the training pictures were bytes.
        deepest: The largest number that may mean white where there are no levels: 65535 in files of 16 bits.

    Raises:
        InputError: They are no finite numbers, or lie so far outside of the levels that they are on another scale.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"an image of {array.dtype} holds no numbers")
    if not array.size:
        return array.astype(np.uint8)
    least, most = float(array.min()), float(array.max())
    if not math.isfinite(least + most):
        raise InputError(f"an image of {array.dtype} holds values that are no finite numbers")
    if levels is None:
        if most > deepest:
            raise InputError(
                f"an image holds values up to {most:g}; the model was trained on pixels from 0 to 255: scale it to these"
            )
        return to_bytes(array, 0.0, 1.0 if most <= 1 else 255.0 if most <= 255 else deepest)
    low, high = levels
    span = high - low
    # Single hot pixels are clipped; what is brighter as a whole, or all but black, was not scaled as the training pictures.
    beyond = most > high + span and int((array > high + span).sum()) > max(4, FEW_PIXELS * array.size)
    tiny = high > 100 * most and 0 < most <= 1 and array.dtype.kind == "f" and bool((array % 1 != 0).any())
    if beyond or tiny:
        what = (
            f"an image holds values from {least:g} to {most:g}; those of the training images lie between {low:g} and {high:g}"
        )
        raise InputError(f"{what}: scale it as they are")
    return to_bytes(array, low, high)


def to_bytes(array: Array, low: float, high: float) -> Array:
    """Values from `low` (black) to `high` (white) as uint8, rounded and clipped."""
    scaled = (array.astype(np.float32) - low) * (255.0 / (high - low))
    whole: Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return whole


def pillow(what: str) -> Any:
    """Pillow's `Image` module, asked for only where there is something to decode or to resize.

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
    """Refuse an image that may be a decompression bomb.

    Raises:
        InputError: It has more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise _too_large(f"{width:,} x {height:,} pixels")


def _too_large(size: str) -> InputError:
    limits = f"at most {MOST_PIXELS:,} pixels are read, of a JPEG {MOST_JPEG_PIXELS:,}"
    return InputError(f"an image of {size} is too large ({limits}); scale it down")


def decode(image: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """A Pillow image upright, in grey or RGB, of one size.

    Args:
        image: The image; it is loaded here.
        shape: (channels, height, width).
        levels: Black and white of images that are no bytes; see `levelled`.

    Returns:
        uint8 [C, H, W].

    Raises:
        InputError: It is so large that it may be an attack; its header tells, and nothing is decoded.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    _reduce(image, (2 * width, 2 * height))
    converted = _flattened(ImageOps.exif_transpose(image), levels).convert("L" if channels == 1 else "RGB")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    pixels: Array = np.asarray(converted, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _reduce(image: Any, least: tuple[int, int]) -> None:
    """Let a large JPEG be decoded at a fraction of its size, and refuse what is too large even so.

    Raises:
        InputError: It may be an attack.
    """
    if image.format in ("JPEG", "MPO"):
        check_jpeg_size(image)
        image.draft(None, least)
    check_size(*image.size)


def check_jpeg_size(image: Any) -> None:
    """Refuse a JPEG that would take much memory although it is decoded at a fraction: a progressive one is held whole.

    Raises:
        InputError: It has more pixels than are decoded.
    """
    width, height = image.size
    if width * height > (MOST_PIXELS * 3 // 2 if image.info.get("progressive") else MOST_JPEG_PIXELS):
        check_size(width, height)


def _flattened(image: Any, levels: tuple[float, float] | None) -> Any:
    """Without transparency (laid on white), and numbers that are no bytes brought to bytes."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(levelled(np.asarray(image), levels, deepest=65535.0))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def open_image(item: Any) -> Any:
    """A file as a Pillow image that is not decoded yet.

    Pillow's own mark for bombs is for what is decoded whole; a JPEG is measured by `decode`, after it was reduced.

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
    except Image.DecompressionBombError as error:  # its words are the library's own; the number of pixels is among them
        pixels = next((int(word) for word in re.findall(r"[0-9]+", str(error))), 0)
        raise _too_large(f"{pixels:,} pixels") from None


def read_image(item: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """A file as uint8 [C, H, W]; see `decode`.

    Raises:
        InputError: It is no path, or the file is missing, damaged, no image, or so large that it may be an attack.
    """
    if not isinstance(item, str | Path) and not hasattr(item, "read"):
        raise InputError(f"a {type(item).__name__} is no image; give a path, a Pillow image or an array")
    library = pillow(f"reading {str(item)!r}")
    try:
        with open_image(item) as image:
            if image.format in NO_PICTURES:
                raise InputError(f"files of the format {image.format} are not decoded")
            return decode(image, shape, levels)
    except FileNotFoundError:
        raise InputError(f"there is no file {str(item)!r}") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, library.DecompressionBombError) as error:
        raise InputError(f"{str(item)!r} cannot be read as an image: {error}") from None

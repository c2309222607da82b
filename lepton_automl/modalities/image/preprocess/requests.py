"""Images in a request: nothing in it is treated as a path, and sizes are added up before anything is decoded."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from lepton_automl.arrays import Array

from .pixels import pillow

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow supports more, some of which run other programs
HINT = 'Give PNG or JPEG files in base64, such as {"inputs": {"image": ["iVBORw0..."]}}, or lists of pixels.'


def images_of_request(
    cells: Sequence[Any], most_pixels: int, read: Callable[[Any], Array], fit: Callable[[Any], Array], *, trained_on_bytes: bool
) -> Array:
    """The images in the model's size, uint8 [N, H, W, C].

    Args:
        cells: Files as bytes or in base64, arrays, or nested lists [H, W] or [H, W, C] of pixels.
        most_pixels: Limit for all images together.
        read: Converts a Pillow image to uint8 [C, H, W].
        fit: Converts an array to uint8 [C, H, W].
        trained_on_bytes: Whether the training images were bytes, so that integers from 0 to 255 are bytes.

    Raises:
        ValueError: A cell is not an image (the error gives its number), or the images are too large together.
    """
    loaders, pixels = [], 0
    for number, cell in enumerate(cells, 1):
        size, load = _numbered(number, partial(_open, trained_on_bytes=trained_on_bytes), cell, read, fit)
        pixels += size
        if pixels > most_pixels:
            what = f"The images have more than {most_pixels:,} pixels together"
            raise ValueError(f"{what}; send smaller or fewer ones in one request.")
        loaders.append(load)
    return np.stack([_numbered(number, load) for number, load in enumerate(loaders, 1)])


def _open(
    cell: Any, read: Callable[[Any], Array], fit: Callable[[Any], Array], *, trained_on_bytes: bool
) -> tuple[int, Callable[[], Array]]:
    """The size of an image as it counts towards the limit, and a function that loads it as uint8 [H, W, C]."""
    if isinstance(cell, str):
        cell = _decoded(cell)
    if isinstance(cell, bytes):
        library = pillow("reading an image file")
        with _readable(library):
            image = library.open(io.BytesIO(cell), formats=FORMATS)
        return image.width * image.height, lambda: _loaded(image, library, read)
    if not isinstance(cell, list | np.ndarray):
        raise ValueError(f"{type(cell).__name__} is not an image. {HINT}")  # noqa: TRY004  # one type of error for all
    array = _nested(cell, trained_on_bytes=trained_on_bytes)
    return array.size, lambda: fit(array).transpose(1, 2, 0)


def _loaded(image: Any, library: Any, read: Callable[[Any], Array]) -> Array:
    with _readable(library):
        return read(image).transpose(1, 2, 0)


@contextlib.contextmanager
def _readable(library: Any) -> Iterator[None]:
    """Turn Pillow's various exceptions into one."""
    try:
        yield
    except (OSError, SyntaxError, EOFError, LookupError, struct.error, library.DecompressionBombError) as error:
        raise ValueError(f"it cannot be read as an image: it is in another format, damaged or too large. {HINT}") from error


def _numbered(number: int, do: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function for an image; its error gives the image's number."""
    try:
        return do(*arguments)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"image {number}: {error}") from error


def _decoded(text: str) -> bytes:
    """The bytes of base64, with or without `data:image/png;base64,` before it."""
    _, _, after = text.partition(";base64,") if text.startswith("data:") else ("", "", text)
    try:
        content = base64.b64decode("".join(after.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"its text is not base64 of an image file; paths and URLs are not read. {HINT}") from error
    if not content:
        raise ValueError(f"its text is empty. {HINT}")
    return content


def _nested(cell: Any, *, trained_on_bytes: bool) -> Array:
    """Nested lists as an array; integers from 0 to 255 become bytes if the model was trained on bytes."""
    try:
        array = np.asarray(cell)
    except (ValueError, OverflowError):  # lists of unequal length
        array = np.empty(0)
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise ValueError(f"its lists are not rows of pixels of equal length. {HINT}")
    if trained_on_bytes and array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array


def grey_png(shape: tuple[int, int, int]) -> str:
    """A grey PNG file in base64; a single colour compresses well at any size."""
    channels, height, width = shape
    file = io.BytesIO()
    pillow("an example").new("L" if channels == 1 else "RGB", (width, height), "grey").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def missing_column_error(number: int, column: str) -> ValueError:
    """The error for a row without its image."""
    return ValueError(f"Row {number} has no column {column!r}. {HINT}")

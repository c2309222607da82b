"""Images in a request: nothing in it is ever taken for a path, and sizes are added up before anything is decoded."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array

from .pixels import decode, pillow

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow knows more, and some of those run programs
HINT = 'Give PNG or JPEG files in base64, such as {"inputs": {"image": ["iVBORw0..."]}}, or lists of pixels.'


def images_of_request(
    cells: Sequence[Any],
    most_pixels: int,
    shape: tuple[int, int, int],
    levels: tuple[float, float] | None,
    fit: Callable[[Any], Array],
) -> Array:
    """uint8 [N, H, W, C] of the model's size.

    Args:
        cells: Files as bytes or in base64, arrays, or nested lists [H, W] or [H, W, C] of pixels.
        most_pixels: Of all images together.
        shape: (channels, height, width) of the model's images.
        levels: Black and white of images that are no bytes.
        fit: Brings an array to uint8 [C, H, W].

    Raises:
        ValueError: A cell is no image, or they are too large together; the error names the image.
    """
    opened, pixels = [], 0
    for number, cell in enumerate(cells, 1):
        size, load = _numbered(number, _open, cell, shape, levels, fit)
        pixels += size
        if pixels > most_pixels:
            what = f"The images have more than {most_pixels:,} pixels together"
            raise ValueError(f"{what}; send smaller or fewer ones in one request.")
        opened.append(load)
    return np.stack([_numbered(number, load) for number, load in enumerate(opened, 1)])


def _open(
    cell: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None, fit: Callable[[Any], Array]
) -> tuple[int, Callable[[], Array]]:
    """An image's pixels as they are counted, and what loads them: uint8 [H, W, C]."""
    if isinstance(cell, str):
        cell = _decoded(cell)
    if isinstance(cell, bytes):
        library = pillow("reading an image file")
        with _readable(library):
            picture = library.open(io.BytesIO(cell), formats=FORMATS)
        return picture.width * picture.height, lambda: _loaded(picture, library, shape, levels)
    if not isinstance(cell, list | np.ndarray):
        raise ValueError(f"{type(cell).__name__} is no image. {HINT}")  # noqa: TRY004  # one kind of error for all
    array = _nested(cell, bytes_alone=levels is None)
    return array.size, lambda: fit([array]).transpose(1, 2, 0)


def _loaded(picture: Any, library: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None) -> Array:
    with _readable(library):
        return decode(picture, shape, levels).transpose(1, 2, 0)


@contextlib.contextmanager
def _readable(library: Any) -> Iterator[None]:
    """Pillow's many exceptions as one."""
    try:
        yield
    except (OSError, SyntaxError, EOFError, LookupError, struct.error, library.DecompressionBombError) as error:
        raise ValueError(f"it cannot be read as an image: it is of another kind, damaged or too large. {HINT}") from error


def _numbered(number: int, do: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives for an image; its error says which image it was."""
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
        raise ValueError(f"its text is no base64 of an image file; paths and addresses are not read. {HINT}") from error
    if not content:
        raise ValueError(f"its text is empty. {HINT}")
    return content


def _nested(cell: Any, *, bytes_alone: bool) -> Array:
    """Nested lists as an array; whole numbers from 0 to 255 are bytes where the model learnt from bytes."""
    try:
        array = np.asarray(cell)
    except (ValueError, OverflowError):  # lists of unequal length
        array = np.empty(0)
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise ValueError(f"its lists are no rows of pixels, all of one length. {HINT}")
    if bytes_alone and array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array


def grey_png(shape: tuple[int, int, int]) -> str:
    """A grey PNG file in base64; one colour packs well, whatever the size."""
    channels, height, width = shape
    file = io.BytesIO()
    pillow("an example").new("L" if channels == 1 else "RGB", (width, height), "grey").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def lacking(number: int, column: str) -> ValueError:
    """The error for a row without its image."""
    return ValueError(f"Row {number} has no column {column!r}. {HINT}")

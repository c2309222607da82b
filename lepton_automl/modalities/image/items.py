"""Images that are given one by one: paths, Pillow images, encoded files, arrays of several sizes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.reading import as_array
from lepton_automl.data.splits import OPEN
from lepton_automl.errors import DataError, InputError
from lepton_automl.modalities.image.preprocess.files import IMAGE_FILES
from lepton_automl.modalities.image.preprocess.pixels import CHANNELS
from lepton_automl.source import Items

from .folder_layout import Picture
from .image_folder import Album

AXES = 2  # of an image at least
SHOWN = "image {}"  # what one that is not a file is called in messages


def are_images(items: Sequence[Any] | Array) -> bool:
    """Whether the first of some items is an image, by its type or the ending of its name."""
    if isinstance(items, np.ndarray) and items.dtype.kind != "O":
        return items.ndim > AXES
    first = items[0] if len(items) else None
    if isinstance(first, str | Path):
        return str(first).lower().endswith(IMAGE_FILES)
    return isinstance(first, bytes) or hasattr(first, "getbands") or getattr(first, "ndim", 0) >= AXES


@contextmanager
def album_of_items(items: Items) -> Iterator[Album]:
    """Images that are given one by one, as an album.

    Raises:
        DataError: There are no labels, or another number of them.
    """
    if items.labels is None:
        raise DataError("the images have no labels", where=items.where, fix="Pass one label per image as y.")
    if len(items.labels) != len(items):
        what = f"{len(items):,} images and {len(items.labels):,} labels"
        raise DataError(what, where=items.where, fix="Give one label per image.")
    places: dict[str, int] = {}
    pictures = []
    for at in range(len(items)):
        item = items.items[at] if isinstance(items.items, list) else None  # others may be read from a disk
        name = str(item) if isinstance(item, str | Path) else SHOWN.format(at)
        name = name if name not in places else f"{name} (row {at})"
        places[name] = at
        pictures.append(Picture(name, items.labels[at], OPEN if items.roles is None else int(items.roles[at])))
    yield Album(items.where, pictures, lambda name: opened_item(items.items[places[name]]), items.notes, items.warnings)


def opened_item(item: Any) -> Any:
    """A path, or a file in memory, of one item.

    Raises:
        InputError: It is not an image.
    """
    if isinstance(item, str | Path):
        if not Path(item).is_file():
            raise InputError(f"there is no file {str(item)!r}")
        return Path(item)
    if isinstance(item, bytes):
        return io.BytesIO(item)
    if not hasattr(item, "getbands"):
        return _as_file(_picture(as_array(item)))
    return _own_file(item) or _as_file(item)


def _own_file(image: Any) -> Any:
    """The file of a Pillow image that has not been loaded, which is decoded as in a prediction; None for other images."""
    if not getattr(image, "tile", None) or image.tell():
        return None
    if image.filename and Path(image.filename).is_file():
        return Path(image.filename)
    return io.BytesIO(image.fp.getvalue()) if isinstance(image.fp, io.BytesIO) else None


def _picture(pixels: Any) -> Any:
    """An array [H, W], [H, W, C] or [C, H, W] as a Pillow image."""
    from PIL import Image

    if pixels.ndim == AXES + 1 and pixels.shape[-1] not in CHANNELS and pixels.shape[0] in CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == AXES + 1 and pixels.shape[-1] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (AXES, AXES + 1) or 0 in pixels.shape or (pixels.ndim > AXES and pixels.shape[-1] not in CHANNELS):
        raise InputError(f"an array of shape {pixels.shape} is not an image; give [H, W], [H, W, 3] or [3, H, W]")
    if pixels.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(pixels))
    if pixels.ndim > AXES:
        raise InputError(f"colour images of several sizes must be bytes, not {pixels.dtype}; scale them to 0 to 255")
    return Image.fromarray(np.ascontiguousarray(pixels, np.float32))


def _as_file(image: Any) -> io.BytesIO:
    """A Pillow image, upright, as a file without loss."""
    from PIL import ImageOps

    file = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("F", "I"):
        upright.save(file, "TIFF")
    elif upright.mode in ("1", "L", "LA", "RGB", "RGBA", "I;16"):
        upright.save(file, "PNG", compress_level=1)
    else:  # palettes, CMYK and others
        clear = "transparency" in upright.info or "A" in upright.getbands()
        upright.convert("RGBA" if clear else "RGB").save(file, "PNG", compress_level=1)
    file.seek(0)
    return file

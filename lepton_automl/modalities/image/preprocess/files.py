"""Images that a command line names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.errors import InputError
from lepton_automl.example_files import READERS, shown

IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_images(source: str, takes: str) -> Any:
    """A file, a folder of files, or arrays.

    Args:
        source: A file (`.npy`, `.json`, else an image) or a folder of images.
        takes: What it may be, for the message.

    Raises:
        InputError: It is none of these.
    """
    path = Path(source)
    if path.is_dir():
        return images_in(path)
    if not path.is_file():
        raise InputError(f"there is no file {shown(source)}; give {takes}")
    read = READERS.get(path.suffix.lower())
    pixels = read(path) if read else path
    # Lists of pixels become an array; as a list they would be so many images.
    return np.asarray(pixels) if isinstance(pixels, list) else pixels


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder and those below it, in order."""
    pictures, visited = [], set()
    for inside, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(inside)
        if real in visited:  # a link back to a folder around it
            folders.clear()
            continue
        visited.add(real)
        pictures += [Path(inside) / name for name in files if Path(name).suffix.lower() in IMAGE_FILES]
    pictures.sort()
    if not pictures:
        raise InputError(f"there are no images in {shown(str(folder))}; their names end in {', '.join(IMAGE_FILES)}")
    return pictures

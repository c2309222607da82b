"""Read the images named on a command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.errors import InputError
from lepton_automl.example_files import READERS, shown

IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_images(source: str, takes: str) -> Any:
    """Return an image file, the image files of a folder, or arrays.

    Args:
        source: A file (`.npy`, `.json`, else an image) or a folder of images.
        takes: What is accepted, for the error message.

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
    # Lists of pixels become one array: a list would be read as several images.
    return np.asarray(pixels) if isinstance(pixels, list) else pixels


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder and its subfolders, sorted."""
    paths, visited = [], set()
    for inside, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(inside)
        if real in visited:  # a link back to a folder that contains it
            folders.clear()
            continue
        visited.add(real)
        paths += [Path(inside) / name for name in files if Path(name).suffix.lower() in IMAGE_FILES]
    paths.sort()
    if not paths:
        raise InputError(f"there are no images in {shown(str(folder))}; their names end in {', '.join(IMAGE_FILES)}")
    return paths

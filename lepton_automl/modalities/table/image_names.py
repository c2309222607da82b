"""Tables that name image files, which are not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FIRST = 5  # rows that are checked for names of image files
EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif")  # of image files
LONGEST_PATH = 1024  # characters


def image_warnings(source: Any, frame: Any) -> list[str]:
    """A warning if a table's first rows name image files, next to it or in the current folder: the user may have meant them."""
    beside = Path(source).parent if isinstance(source, str | Path) else Path()
    for name in frame.columns:
        cells = [
            cell for cell in frame[name].head(FIRST).tolist() if isinstance(cell, str) and cell.lower().endswith(EXTENSIONS)
        ]
        if cells and all(len(cell) < LONGEST_PATH and (beside / cell).is_file() for cell in cells):
            return [f"{name!r} names image files, which are not used; to learn from the images, set file_column={name!r}"]
    return []

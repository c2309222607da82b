"""Options for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lepton_automl._json import Value
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import Complaints

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class ImageOptions(Value):
    """Options that override what is inferred about images.

    Args:
        split: Which folders are splits: None to decide by their names, False if every folder is a class, or the split of
            each by its name, such as `{"Part1": "train", "Part2": "test"}`.
        image_size: (height, width), or one number for both.
        channels: 1 for grey, 3 for RGB.
    """

    split: Any = None
    image_size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None

    def __post_init__(self) -> None:
        size: Any = self.image_size
        if size is not None:
            object.__setattr__(self, "image_size", (size, size) if isinstance(size, int) else tuple(size))

    def check(self, complaints: Complaints) -> None:
        """Report invalid values."""
        split, size = self.split, self.image_size
        known = isinstance(split, dict) and split and all(role in SPLITS for role in split.values())
        complaints.check(
            split is None or split is False or known,
            f"split is {split!r}; it must be False, or name a split for each folder: {', '.join(SPLITS)}",
        )
        sides = size is None or (len(size) == 2 and all(isinstance(side, int) and 4 <= side <= 1024 for side in size))
        complaints.check(sides, f"image_size is {size!r}; each side must be an integer from 4 to 1024")
        complaints.check(self.channels in (None, 1, 3), f"channels is {self.channels!r}; it must be 1 or 3")


def image_options(options: DataOptions) -> ImageOptions:
    """The image options among all data options."""
    part: ImageOptions = options.of("modalities", "image")
    return part

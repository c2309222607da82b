"""Images as a network's arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import InputError
from lepton_automl.modalities.image.preprocess.pixels import (
    CHANNELS,
    check_size,
    decode,
    pillow,
    read_image,
    resized,
    scale_to_bytes,
)

from .files import read_images
from .requests import grey_png, images_of_request, missing_column_error

INPUT = "image"  # the network's one input
COLUMN = "image"  # the column of a request
BATCH_AXES = 4
TAKES = "an image file, a folder of them, or arrays in a .npy or .json file"


class ImagePreprocess:
    """Converts images of any size and colour to `{"image": uint8 [N, C, H, W]}` of one size.

    Image files are rotated by their EXIF tag, composited on white where they are transparent, converted to grey or RGB, and
    resized by Pillow's (antialiased) bilinear filter. The aspect ratio is kept: what does not fit is cropped at two sides. Bytes
    are used as they are. Other values are mapped to 0 to 255 from `levels` if the training images set them; else from 0 to 1 if
    no value is above 1, and from 0 to 255 otherwise (16-bit files: to 65535 if a value is above 255).

    Args:
        shape: (channels, height, width).
        output: What the model predicts: `task`, `target` and `classes`.
        levels: Black and white in the values of the training images; None if those were bytes.
        stored: (channels, height, width) of the stored training images, from which those of the network were resized. Other images
            take the same two steps, so that a prediction sees what training saw. By default `shape`.
    """

    def __init__(
        self,
        shape: Sequence[int],
        output: Json,
        levels: tuple[float, float] | None = None,
        stored: Sequence[int] | None = None,
    ) -> None:
        self.shape, self.stored = _as_shape(shape), _as_shape(stored or shape)
        self.output, self.levels = output, levels

    def to_json(self) -> Json:
        """The preprocessing as JSON."""
        levels = list(self.levels) if self.levels else None
        input_part = {"modality": "image", "shape": list(self.shape), "levels": levels}
        stored = {} if self.stored == self.shape else {"stored": list(self.stored)}
        return {"input": input_part | stored, "output": self.output}

    @classmethod
    def from_json(cls, data: Json) -> ImagePreprocess:
        """The preprocessing from its JSON."""
        input_part = data["input"]
        levels = tuple(input_part["levels"]) if input_part["levels"] else None
        return cls(input_part["shape"], data["output"], levels, input_part.get("stored"))

    def arrays(self, raw: Any) -> dict[str, Array]:
        """The network's input arrays.

        Args:
            raw: A path, a Pillow image, an array or tensor (HW, HWC, CHW; a batch has one axis more, NHW, NHWC or
                NCHW), or a list of these.

        Raises:
            InputError: Something is not an image.
        """
        if isinstance(raw, list | tuple):
            images = [self._example(item) for item in raw]
        else:
            array = _pixels(raw)
            if array is None or not self._is_batch(array):
                return {INPUT: self._example(raw)[None]}
            if self._fits(array):
                return {INPUT: self._convert_batch(array)}
            images = [self._example(item) for item in array]
        return {INPUT: np.stack(images) if images else np.empty((0, *self.shape), np.uint8)}

    request_columns = (COLUMN,)

    def context(self, raw: Any) -> dict[str, Any]:
        """Nothing: decoding needs no context."""
        del raw
        return {}

    def is_single(self, raw: Any) -> bool:
        """Whether the input is a path, a Pillow image, or an array with fewer axes than a batch."""
        if isinstance(raw, list | tuple):
            return False
        axes: int = getattr(raw, "ndim", 0)
        return axes < BATCH_AXES

    def read(self, source: str) -> Any:
        """An image file, a folder of them, or arrays."""
        return read_images(source, TAKES)

    def from_request(self, rows: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> Any:
        """Images in base64, as bytes or in lists, as uint8 [N, H, W, C]."""
        for number, row in enumerate(rows, 1):
            if COLUMN not in row:
                raise missing_column_error(number, COLUMN)
        cells = [row[COLUMN] for row in rows]
        bytes_only = self.levels is None
        return images_of_request(cells, limits["max_pixels"], self._decoded, self._example, trained_on_bytes=bytes_only)

    def sample_request(self) -> dict[str, Any]:
        """One grey image."""
        return {COLUMN: grey_png(self.shape)}

    def _is_batch(self, array: Array) -> bool:
        if array.ndim != 3:
            return array.ndim == 4
        # [N, H, W] of grey images, unless the first or last axis can only be the channels.
        return array.shape[-1] not in CHANNELS and (array.shape[0] not in CHANNELS or self.shape[0] == 1 < array.shape[0])

    def _fits(self, batch: Array) -> bool:
        """Whether a batch can be converted at once: it has the right size, and its scale does not depend on single images."""
        return _channels_last(batch).shape[1:] == self._hwc and (batch.dtype == np.uint8 or self.levels is not None)

    def _convert_batch(self, batch: Array) -> Array:
        return np.ascontiguousarray(self._bytes(_channels_last(batch)).transpose(0, 3, 1, 2))

    @property
    def _hwc(self) -> tuple[int, int, int]:
        channels, height, width = self.shape
        return height, width, channels

    def _example(self, item: Any) -> Array:
        """uint8 [C, H, W]."""
        array = _pixels(item)
        if array is None:
            return (
                self._decoded(item) if hasattr(item, "getbands") else self._resized(read_image(item, self.stored, self.levels))
            )
        if array.ndim == 3 and array.shape[-1] not in CHANNELS and array.shape[0] in CHANNELS:
            array = array.transpose(1, 2, 0)
        if array.ndim == 2:
            array = array[:, :, None]
        if array.ndim != 3 or array.shape[-1] not in CHANNELS or 0 in array.shape:
            raise InputError(f"an array of shape {array.shape} is not an image; give [H, W], [H, W, 3] or [3, H, W]")
        check_size(array.shape[1], array.shape[0])
        pixels = self._bytes(array)
        if pixels.shape == self._hwc:
            return np.ascontiguousarray(pixels.transpose(2, 0, 1))
        image = pillow("an array of another size than the model's").fromarray(
            pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels
        )
        return self._resized(decode(image, self.stored))

    def _decoded(self, image: Any) -> Array:
        """A Pillow image as uint8 [C, H, W]."""
        return self._resized(decode(image, self.stored, self.levels))

    def _resized(self, stored: Array) -> Array:
        """An image of the stored size in the size of the network."""
        return resized(stored, self.shape[1:])

    def _bytes(self, array: Array) -> Array:
        return array if array.dtype == np.uint8 else scale_to_bytes(array, self.levels)


def _as_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    channels, height, width = map(int, shape)
    return channels, height, width


def _channels_last(batch: Array) -> Array:
    """[N, H, W], [N, C, H, W] or [N, H, W, C] as [N, H, W, C]."""
    if batch.ndim == 3:
        return batch[:, :, :, None]
    return batch.transpose(0, 2, 3, 1) if batch.shape[-1] not in CHANNELS and batch.shape[1] in CHANNELS else batch


def _pixels(item: Any) -> Array | None:
    """An array or tensor as an array; None for anything else."""
    if isinstance(item, np.ndarray):
        return item
    if hasattr(item, "detach"):  # a torch tensor, without importing torch
        return np.asarray(item.detach().cpu().numpy())
    return None

"""A bundle as an MLflow model. MLflow copies this file beside the bundle and runs it there, so it stands alone.

It is never imported by this package: the bundle's own `predict.py` does the work, wherever the model is loaded. Nothing
that a request says is ever taken for a path: a text is the base64 of an image file, or a cell of a table.
"""

import base64
import contextlib
import importlib.util
import io
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]  # re-exported without saying so
from numpy.typing import NDArray

Array = NDArray[Any]
IMAGE = "image"
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow knows more, and some of those run programs
HINT = 'Give PNG or JPEG files in base64, such as {"inputs": {"image": ["iVBORw0..."]}}, or lists of pixels.'


class BundleModel(PythonModel):
    """Raw rows or images in; a `prediction` column out, and one `probability_<class>` column a class."""

    def load_context(self, context: Any) -> None:
        """Open the bundle; and where MLflow is about to serve it, put a guard into the server."""
        limits = context.model_config
        self.rows, self.pixels = int(limits["max_rows"]), int(limits["max_pixels"])
        folder = Path(context.artifacts["bundle"])
        self.code = _module(folder / "predict.py")
        self.predictor = self.code.Predictor(folder, int(limits["threads"]))
        self.image = self.predictor.modality == "image"
        self.columns = [IMAGE] if self.image else self.predictor.preprocess.names
        self.names = ["prediction", *(f"probability_{label}" for label in self.predictor.classes)]
        self.lock = threading.Lock()  # the server answers in threads, and a request of OpenVINO's serves one at a time
        request_guard = _module(Path(context.artifacts["request_guard"]))
        seconds = {name: float(limits[name]) for name in ("header_seconds", "body_seconds")}
        request_guard.guard(self.answer, self.columns, max_rows=self.rows, max_bytes=int(limits["max_bytes"]), **seconds)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answers for every row.

        Args:
            context: Not needed any more.
            model_input: Raw rows; or images in a column `image`: files as bytes or in base64, or arrays and nested lists
                [H, W] or [H, W, C].
            params: None are known.

        Raises:
            MlflowException: The input does not fit the model, or there is too much of it.
        """
        del context, params
        table = _unpacked(model_input)
        try:
            if len(table) > self.rows:
                raise ValueError(f"{len(table):,} rows are too many; give at most {self.rows:,} at a time.")
            found = self._found(list(table[IMAGE]) if self.image else table)
        except (ValueError, TypeError, OverflowError) as error:  # ValueError is what the bundle's InputError is
            raise MlflowException(str(error), error_code=BAD_REQUEST) from error
        return pd.DataFrame(dict(zip(self.names, found, strict=True)))

    def answer(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same for rows as JSON has them, without pandas.

        Raises:
            ValueError: A row does not fit the model.
        """
        if self.image:
            found = self._found([row[IMAGE] if IMAGE in row else _lacking(number) for number, row in enumerate(rows, 1)])
        else:
            for name in self.columns:
                if any(isinstance(row.get(name), list | dict) for row in rows):
                    what = f"column {name!r} holds a list or an object"
                    raise ValueError(f"{what}; a cell is a text, a number, true, false or null")
            found = self._found(rows)
        return [dict(zip(self.names, told, strict=True)) for told in zip(*found, strict=True)]

    def _found(self, raw: Any) -> list[list[Any]]:
        """The columns of the answer."""
        given = self._images(raw) if self.image else raw
        classes = self.predictor.classes
        with self.lock:
            found = self.predictor.predict_proba(given) if classes else self.predictor.predict(given)
        if not classes:
            return [found.tolist()]
        return [[classes[n] for n in found.argmax(1).tolist()], *found.T.tolist()]

    def _images(self, cells: list[Any]) -> Array:
        """uint8 [N, H, W, C] of the model's size. Sizes are added up before anything is decoded."""
        opened, pixels = [], 0
        for number, cell in enumerate(cells, 1):
            size, load = _told(number, self._opened, cell)
            pixels += size
            if pixels > self.pixels:
                what = f"The images have more than {self.pixels:,} pixels together"
                raise ValueError(f"{what}; send smaller or fewer ones in one request.")
            opened.append(load)
        return np.stack([_told(number, load) for number, load in enumerate(opened, 1)])

    def _opened(self, cell: Any) -> tuple[int, Callable[[], Array]]:
        """An image's pixels as they are counted, and what loads them: uint8 [H, W, C]."""
        if isinstance(cell, str):
            cell = _decoded(cell)
        if isinstance(cell, bytes):
            pillow = self.code.pillow("reading an image file")
            with _readable(pillow):
                picture = pillow.open(io.BytesIO(cell), formats=FORMATS)
            return picture.width * picture.height, lambda: self._loaded(picture, pillow)
        if not isinstance(cell, list | np.ndarray):
            raise ValueError(f"{type(cell).__name__} is no image. {HINT}")  # noqa: TRY004  # one kind of error for all
        array = _pixels(cell, bytes_alone=self.predictor.preprocess.levels is None)
        return array.size, lambda: self._fitted([array])

    def _loaded(self, picture: Any, pillow: Any) -> Array:
        with _readable(pillow):
            image: Array = self.code.decode(picture, self.predictor.preprocess.shape, self.predictor.preprocess.levels)
        return image.transpose(1, 2, 0)

    def _fitted(self, raw: Any) -> Array:
        image: Array = self.predictor.preprocess.arrays(raw)["image"][0]
        return image.transpose(1, 2, 0)


@contextlib.contextmanager
def _readable(pillow: Any) -> Iterator[None]:
    """Pillow's many exceptions as one."""
    try:
        yield
    except (OSError, SyntaxError, EOFError, LookupError, struct.error, pillow.DecompressionBombError) as error:
        raise ValueError(f"it cannot be read as an image: it is of another kind, damaged or too large. {HINT}") from error


def _told(number: int, do: Callable[..., Any], *given: Any) -> Any:
    """What a function gives for an image; its error says which image it was."""
    try:
        return do(*given)
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


def _pixels(cell: Any, *, bytes_alone: bool) -> Array:
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


def _unpacked(table: pd.DataFrame) -> pd.DataFrame:
    """Rows as they were meant: MLflow makes one row of lists out of a column whose cells are all texts."""
    if len(table) == 1 and all(isinstance(cell, list) and cell and isinstance(cell[0], str) for cell in table.iloc[0]):
        return pd.DataFrame(dict(table.iloc[0]))
    return table


def _lacking(number: int) -> Any:
    raise ValueError(f"Row {number} has no column {IMAGE!r}. {HINT}")


def _module(file: Path) -> Any:
    name = f"_lepton_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


set_model(BundleModel())

"""What goes into a bundle's model and what comes out, told in MLflow's terms from the bundle's `preprocess.json`."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

IMAGE = "image"  # the column of images


def signature(preprocess: dict[str, Any]) -> ModelSignature:
    """The model's signature.

    Columns of a table are of type `Any`: MLflow's `double` refuses whole numbers and `string` refuses pandas
    categories, and the model's own preprocessing tells better what is wrong with a cell. All columns must be there;
    a cell may be missing.

    Images are one column `image`, also of type `Any`: a PNG or JPEG file as bytes or in base64, an array, or nested lists
    [H, W] or [H, W, C] of pixels, as those that were learnt from. MLflow's `binary` takes no arrays, and a tensor no files.

    Args:
        preprocess: The content of `preprocess.json`.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    given = preprocess["input"]
    names = [IMAGE] if given["modality"] == "image" else [column["name"] for column in given["columns"]]
    inputs = Schema([ColSpec(anything, name) for name in names])
    return ModelSignature(inputs=inputs, outputs=_outputs(preprocess["output"].get("classes") or []))


def _outputs(classes: list[Any]) -> Schema:
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    kinds = {bool: DataType.boolean, int: DataType.long, str: DataType.string, float: DataType.double}
    found = {type(label) for label in classes} or {float}
    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    kind = kinds.get(found.pop(), anything) if len(found) == 1 else anything
    return Schema([ColSpec(kind, "prediction"), *(ColSpec(DataType.double, f"probability_{label}") for label in classes)])


def example(preprocess: dict[str, Any]) -> Any:
    """One made-up input: a grey image, or a row of the middle of each column; nobody's real data.

    Returns:
        A DataFrame of one row.
    """
    import pandas as pd

    given = preprocess["input"]
    if given["modality"] == "image":
        return pd.DataFrame({IMAGE: [_grey(given["shape"])]})
    return pd.DataFrame([{column["name"]: _cell(column) for column in given["columns"]}])


def _grey(shape: Sequence[int]) -> str:
    """A grey PNG file in base64; one colour packs well, whatever the size."""
    from PIL import Image

    channels, height, width = shape
    file = io.BytesIO()
    Image.new("L" if channels == 1 else "RGB", (width, height), "grey").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _cell(column: dict[str, Any]) -> Any:
    if column["kind"] == "category":
        return next(iter(column["categories"]), None)
    middle = column["knots"][len(column["knots"]) // 2]
    if column["kind"] == "time":
        return (datetime(1970, 1, 1) + timedelta(days=middle)).isoformat(timespec="seconds")
    return middle

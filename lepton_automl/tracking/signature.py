"""What goes into a bundle's model and what comes out, told in MLflow's terms from the bundle's `preprocess.json`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

LARGEST_EXAMPLE = 50_000  # pixels; an example is written as text


def signature(preprocess: dict[str, Any]) -> ModelSignature:
    """The model's signature.

    Columns of a table are of type `Any`: MLflow's `double` refuses whole numbers and `string` refuses pandas
    categories, and the model's own preprocessing tells better what is wrong with a cell. All columns must be there;
    a cell may be missing.

    Images are arrays as those that were learnt from: bytes, or numbers where these were; grey ones without a last axis.

    Args:
        preprocess: The content of `preprocess.json`.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    given = preprocess["input"]
    if given["modality"] == "image":
        grey = _grey(given)
        inputs = Schema([TensorSpec(grey.dtype, (-1, *grey.shape[1:]))])
    else:
        inputs = Schema([ColSpec(anything, column["name"]) for column in given["columns"]])
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
        An array [1, H, W] or [1, H, W, C], a DataFrame of one row, or None where it would be very large.
    """
    import pandas as pd

    given = preprocess["input"]
    if given["modality"] == "image":
        grey = _grey(given)
        return grey if grey.size <= LARGEST_EXAMPLE else None
    return pd.DataFrame([{column["name"]: _cell(column) for column in given["columns"]}])


def _grey(given: dict[str, Any]) -> NDArray[Any]:
    channels, height, width = given["shape"]
    shape = (1, height, width) if channels == 1 else (1, height, width, channels)
    if given.get("levels"):
        return np.full(shape, sum(given["levels"]) / 2, np.float64)
    return np.full(shape, 128, np.uint8)


def _cell(column: dict[str, Any]) -> Any:
    if column["kind"] == "category":
        return next(iter(column["categories"]), None)
    middle = column["knots"][len(column["knots"]) // 2]
    if column["kind"] == "time":
        return (datetime(1970, 1, 1) + timedelta(days=middle)).isoformat(timespec="seconds")
    return middle

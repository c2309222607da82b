"""The MLflow signature and input example of a bundle's model, from its `preprocess.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_automl.shipped import load_decoder, load_preprocess
from lepton_automl.task import Decoder

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema


def signature(preprocess: dict[str, Any]) -> ModelSignature:
    """The model's signature.

    Columns of a table are of type `Any`: MLflow's `double` rejects integers and `string` rejects pandas
    categories, and the model's own preprocessing gives better errors about a cell. All columns are required; a cell may be
    missing.

    Images are one column `image`, also of type `Any`: a PNG or JPEG file as bytes or in base64, an array, or nested lists
    [H, W] or [H, W, C] of pixels, as in the training data. MLflow's `binary` rejects arrays, and its tensor type rejects files.

    The parameter `coverage` requests sets of labels or intervals as well; models that have none take no parameter.

    Args:
        preprocess: The content of `preprocess.json`.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    inputs = Schema([ColSpec(anything, name) for name in load_preprocess(preprocess).request_columns])
    params = {}
    if "regions" in preprocess["output"].get("decoder", {}):
        params["params"] = ParamSchema([ParamSpec("coverage", "double", None)])
    return ModelSignature(inputs=inputs, outputs=_outputs(load_decoder(preprocess["output"])), **params)


def _outputs(decoder: Decoder) -> Schema:
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    kinds = [anything if kind == "any" else DataType[kind] for kind in decoder.types()]
    return Schema([ColSpec(kind, name) for kind, name in zip(kinds, decoder.columns, strict=True)])


def example(preprocess: dict[str, Any]) -> Any:
    """A made-up input, never from the user's own data.

    Returns:
        A DataFrame of one row.
    """
    import pandas as pd

    return pd.DataFrame([load_preprocess(preprocess).sample_request()])

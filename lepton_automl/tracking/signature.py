"""What goes into a bundle's model and what comes out, told in MLflow's terms from the bundle's `preprocess.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_automl.shipped import load_decoder, load_preprocess
from lepton_automl.task import Decoder

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema


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
    inputs = Schema([ColSpec(anything, name) for name in load_preprocess(preprocess).request_columns])
    return ModelSignature(inputs=inputs, outputs=_outputs(load_decoder(preprocess["output"])))


def _outputs(decoder: Decoder) -> Schema:
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow's __init__ lacks its types
    kinds = [anything if kind == "any" else DataType[kind] for kind in decoder.types()]
    return Schema([ColSpec(kind, name) for kind, name in zip(kinds, decoder.columns, strict=True)])


def example(preprocess: dict[str, Any]) -> Any:
    """One made-up input, never a user's own data.

    Returns:
        A DataFrame of one row.
    """
    import pandas as pd

    return pd.DataFrame([load_preprocess(preprocess).sample_request()])

"""A bundle as an MLflow model. MLflow copies this file beside the bundle and runs it there, so it stands alone.

It is never imported by this package: the bundle's own `predict.py` does the work, wherever the model is loaded.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]  # re-exported without saying so


class BundleModel(PythonModel):
    """Raw rows or images in; a `prediction` column out, and one `probability_<class>` column a class."""

    def load_context(self, context: Any) -> None:
        """Open the bundle."""
        folder = Path(context.artifacts["bundle"])
        name = f"_bundle_{abs(hash(folder))}"
        spec = importlib.util.spec_from_file_location(name, folder / "predict.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"the bundle in {folder} has no predict.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up there
        spec.loader.exec_module(module)
        self.predictor = module.Predictor(folder)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answers for every row.

        Args:
            context: Not needed any more.
            model_input: Raw rows; or images as an array [N, H, W] or [N, H, W, C], though MLflow warns of a hint that
                says so.
            params: None are known.
        """
        del context, params
        # A list of images cannot be taken for one image, whatever its axes.
        rows = list(model_input) if isinstance(model_input, np.ndarray) else model_input
        answers = pd.DataFrame({"prediction": self.predictor.predict(rows)})
        classes = self.predictor.classes
        if classes:
            shares = self.predictor.predict_proba(rows)
            answers[[f"probability_{label}" for label in classes]] = shares
        return answers


set_model(BundleModel())

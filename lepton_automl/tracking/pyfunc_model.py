"""A bundle as an MLflow model. MLflow copies this file next to the bundle and runs it there, so it is self-contained.

This package never imports it: the bundle's own `predict.py` does the work, wherever the model is loaded. No value of a
request is ever used as a path: a string is the base64 of an image file, or a cell of a table.
"""

import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]  # re-exported implicitly

FEW_ROWS = 32  # up to so many rows, converting row by row is as fast


class BundleModel(PythonModel):
    """Predicts for raw rows or images; returns a `prediction` column, and one `probability_<class>` column per class.

    The parameter `coverage`, such as 0.9, adds a column `prediction_set` with a list of labels, or the columns `low` and `high`.
    """

    def load_context(self, context: Any) -> None:
        """Open the bundle, and install the request guard if MLflow is about to serve it."""
        limits = context.model_config
        self.rows, self.input_limits = int(limits["max_rows"]), {"max_pixels": int(limits["max_pixels"])}
        folder = Path(context.artifacts["bundle"])
        self.code = _module(folder / "predict.py")
        self.predictor = self.code.Predictor(folder, int(limits["threads"]))
        self.columns = list(self.predictor.preprocess.request_columns)
        self.lock = threading.Lock()  # the server uses threads, and an OpenVINO infer request runs one call at a time
        request_guard = _module(Path(context.artifacts["request_guard"]))
        seconds = {name: float(limits[name]) for name in ("header_seconds", "body_seconds")}
        request_guard.guard(self.answer, self.columns, max_rows=self.rows, max_bytes=int(limits["max_bytes"]), **seconds)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict every row.

        Args:
            context: Unused.
            model_input: Raw rows; or images in a column `image`: files as bytes or in base64, or arrays and nested lists
                [H, W] or [H, W, C].
            params: `coverage`, or nothing.

        Raises:
            MlflowException: The input does not fit the model, or has too many rows; or it was not calibrated for the coverage.
        """
        del context
        table = _unpacked(model_input)
        try:
            if len(table) > self.rows:
                raise ValueError(f"{len(table):,} rows are too many; give at most {self.rows:,} at a time.")
            columns = self._answers(self._raw(table), params)
        except (ValueError, TypeError, OverflowError) as error:  # ValueError is what the bundle's InputError is
            raise MlflowException(str(error), error_code=BAD_REQUEST) from error
        return pd.DataFrame(columns)

    def answer(self, rows: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
        """Predict rows from JSON, without pandas.

        Args:
            rows: Cells by column.
            params: As for `predict`.

        Raises:
            ValueError: A row does not fit the model, or it was not calibrated for the coverage.
        """
        columns = self._answers(self.predictor.preprocess.from_request(rows, self.input_limits), params)
        return [dict(zip(columns, answer, strict=True)) for answer in zip(*columns.values(), strict=True)]

    def _raw(self, table: pd.DataFrame) -> Any:
        """A table's raw examples; many rows are converted by column, which is faster, if the preprocessing supports it."""
        preprocess, names = self.predictor.preprocess, list(map(str, table.columns))
        if len(table) > FEW_ROWS and hasattr(preprocess, "from_table"):
            return preprocess.from_table({name: table.iloc[:, n].to_numpy() for n, name in enumerate(names)}, self.input_limits)
        rows = [dict(zip(names, row, strict=True)) for row in table.itertuples(index=False, name=None)]
        return preprocess.from_request(rows, self.input_limits)

    def _answers(self, raw: Any, params: dict[str, Any] | None) -> dict[str, list[Any]]:
        """The columns of the prediction."""
        coverage = (params or {}).get("coverage")
        with self.lock:
            columns: dict[str, list[Any]] = self.predictor.table(raw, **({} if coverage is None else {"coverage": coverage}))
        return columns


def _unpacked(table: pd.DataFrame) -> pd.DataFrame:
    """Undo a conversion by MLflow, which turns columns whose cells are all strings into one row of lists."""
    if len(table) == 1 and all(isinstance(cell, list) and cell and isinstance(cell[0], str) for cell in table.iloc[0]):
        return pd.DataFrame(dict(table.iloc[0]))
    return table


def _module(file: Path) -> Any:
    name = f"_lepton_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


set_model(BundleModel())

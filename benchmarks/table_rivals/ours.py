"""`python -m benchmarks.table_rivals.ours FOLDER`: search networks for one task; score and latency are those of `best()`."""

from __future__ import annotations

import inspect
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from benchmarks.environments import versions
from lepton_automl import AutoML, Budget
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import ConfigError

from .clock import call_times


def main(folder: Path) -> None:
    """Search, predict the test rows, and time one row; write `answers.npz` and `result.json`."""
    task = json.loads((folder / "task.json").read_text())
    train, test = pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet")
    began = time.perf_counter()
    budget = Budget(minutes=task["minutes"])
    automl = AutoML(
        name="ours", budget=budget, seed=task["seed"], workers=task["threads"], home=folder / "home", progress=False
    )
    study = automl.fit(
        train,
        target=task["target"],
        categorical=list(task["categories"]),
        task="regression" if task["regression"] else None,
        split_column="",
        test_share=1e-6,  # one row: the outer split is the test split
    )
    model = study.best()
    seconds = time.perf_counter() - began
    np.savez(folder / "answers.npz", **answers(model, test, task))
    row = test.iloc[0].to_dict()
    with threadpool_limits(1):
        times = call_times(lambda: model.predictor.predict(row))
    found = {
        "seconds": round(seconds, 1),
        "trials": len(study.trials),
        "front": len(study.models),
        **times,
        "versions": versions("numpy", "torch", "onnxruntime", "scikit-learn"),
    }
    (folder / "result.json").write_text(json.dumps(found))


def answers(model: Any, test: pd.DataFrame, task: dict[str, Any]) -> dict[str, Any]:
    """The model's answers for the test rows."""
    predicted, known = model.predict(test), regions(model, test, task)
    if task["regression"]:
        bounds = {} if known is None else dict(zip(("low", "high"), np.asarray(known, np.float64).T, strict=True))
        return {"values": np.asarray(predicted, np.float64), **bounds}
    places = {label: index for index, label in enumerate(task["classes"])}
    order = [places[str(label)] for label in model.classes]
    probabilities = np.zeros((len(test), len(places)))
    probabilities[:, order] = model.predict_proba(test)
    raw = np.zeros_like(probabilities)
    raw[:, order] = raw_probabilities(model, test)
    chosen = np.array([places[str(label)] for label in predicted])
    found = {"labels": chosen, "probabilities": probabilities, "raw_probabilities": raw}
    if known is not None:
        found["sets"] = np.zeros((len(test), len(places)), bool)
        for row, labels in enumerate(known):
            found["sets"][row, [places[str(label)] for label in labels]] = True
    return found


def raw_probabilities(model: Any, test: pd.DataFrame) -> Any:
    """The network's probabilities [N, classes], in the order of the model's classes, before temperature scaling."""
    predictor = Predictor(model.path)  # opened anew, as the model itself keeps its temperature
    decoder: Any = predictor.decoder
    decoder.temperature = 1.0
    return predictor.predict_proba(test)


def regions(model: Any, test: pd.DataFrame, task: dict[str, Any]) -> Any:
    """The model's intervals or sets of labels; None if it has none, as after a search on few rows."""
    if "coverage" not in inspect.signature(model.predict).parameters:
        return None
    try:
        return model.predict(test, coverage=task["coverage"])
    except ConfigError:
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))

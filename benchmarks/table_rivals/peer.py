"""`python -m benchmarks.table_rivals.peer SYSTEM FOLDER`: fit one peer with its defaults. Runs in the peers' environment.

Every peer gets the categorical columns as such, the threads and the minutes. What ends earlier ends earlier; CatBoost is stopped
after its last finished iteration. 90 % intervals are those of two more models of the same library for the quantiles 5 % and 95 %.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from benchmarks.environments import versions

from .clock import call_times

Frame = pd.DataFrame
Task = dict[str, Any]


class Peer:
    """One library's models for one task.

    Args:
        task: The description in `task.json`.
        folder: Where files may be written.
    """

    packages: tuple[str, ...] = ()

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder = task, folder
        self.model: Any = None
        self.regression, self.threads, self.seed = task["regression"], task["threads"], task["seed"]
        self.quantiles = ((1 - task["coverage"]) / 2, (1 + task["coverage"]) / 2)
        self.until = time.monotonic() + 60 * task["minutes"]

    def prepare(self, frame: Frame) -> Frame:
        """The features in the form that the library expects."""
        kinds = {name: pd.CategoricalDtype(known) for name, known in self.task["categories"].items()}
        return frame.astype(kinds)

    def fit(self, features: Frame, target: pd.Series[Any]) -> None:
        """Fit the model; labels are indices of classes."""
        raise NotImplementedError

    def predict(self, features: Frame) -> Any:
        """Indices of classes, or values."""
        return np.asarray(self.model.predict(features)).reshape(-1)

    def probabilities(self, features: Frame) -> Any:
        """Probabilities [N, classes]."""
        return self.model.predict_proba(features)

    def interval(self, features: Frame, target: pd.Series[Any], test: Frame) -> tuple[Any, Any]:
        """Fit the models of both quantiles, and return their values for the test rows."""
        raise NotImplementedError

    def call(self, row: Frame) -> Callable[[], object]:
        """A call that predicts one row with one thread."""
        return lambda: self.model.predict(row)


class HistGradientBoosting(Peer):
    packages = ("scikit-learn",)

    def fit(self, features: Frame, target: pd.Series[Any]) -> None:
        self.model = self._new().fit(features, target)

    def interval(self, features: Frame, target: pd.Series[Any], test: Frame) -> tuple[Any, Any]:
        models = [self._new(loss="quantile", quantile=level) for level in self.quantiles]
        low, high = (model.fit(features, target).predict(test) for model in models)
        return low, high

    def _new(self, **settings: Any) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingRegressor if self.regression else HistGradientBoostingClassifier
        return kind(categorical_features="from_dtype", random_state=self.seed, **settings)


class LightGbm(Peer):
    packages = ("lightgbm",)

    def prepare(self, frame: Frame) -> Frame:
        prepared = super().prepare(frame)
        return prepared.set_axis([f"c{place}" for place in range(prepared.shape[1])], axis=1)  # it refuses some names

    def fit(self, features: Frame, target: pd.Series[Any]) -> None:
        self.model = self._new().fit(features, target)

    def interval(self, features: Frame, target: pd.Series[Any], test: Frame) -> tuple[Any, Any]:
        models = [self._new(objective="quantile", alpha=level) for level in self.quantiles]
        low, high = (model.fit(features, target).predict(test) for model in models)
        return low, high

    def call(self, row: Frame) -> Callable[[], object]:
        return lambda: self.model.predict(row, num_threads=1)

    def _new(self, **settings: Any) -> Any:
        from lightgbm import LGBMClassifier, LGBMRegressor

        kind = LGBMRegressor if self.regression else LGBMClassifier
        return kind(n_jobs=self.threads, random_state=self.seed, verbose=-1, **settings)


class CatBoost(Peer):
    packages = ("catboost",)

    def prepare(self, frame: Frame) -> Frame:
        texts = {name: frame[name].map(str).where(frame[name].notna(), "missing") for name in self.task["categories"]}
        return frame.assign(**texts)

    def fit(self, features: Frame, target: pd.Series[Any]) -> None:
        self.model = self._fitted(features, target)

    def interval(self, features: Frame, target: pd.Series[Any], test: Frame) -> tuple[Any, Any]:
        self.until = time.monotonic() + 60 * self.task["minutes"]
        levels = ",".join(f"{level:.3f}" for level in self.quantiles)
        low, high = np.asarray(self._fitted(features, target, loss_function=f"MultiQuantile:alpha={levels}").predict(test)).T
        return low, high

    def call(self, row: Frame) -> Callable[[], object]:
        return lambda: self.model.predict(row, thread_count=1)

    def after_iteration(self, _: Any) -> bool:
        """CatBoost's callback: whether to continue."""
        return bool(time.monotonic() < self.until)

    def _fitted(self, features: Frame, target: pd.Series[Any], **settings: Any) -> Any:
        from catboost import CatBoostClassifier, CatBoostRegressor

        kind = CatBoostRegressor if self.regression else CatBoostClassifier
        model = kind(
            thread_count=self.threads,
            random_seed=self.seed,
            cat_features=list(self.task["categories"]),
            allow_writing_files=False,
            verbose=0,
            **settings,
        )
        return model.fit(features, target, callbacks=[self])


class AutoGluon(Peer):
    packages = ("autogluon.tabular", "lightgbm", "catboost", "xgboost-cpu", "xgboost", "fastai", "torch")

    def prepare(self, frame: Frame) -> Frame:
        return frame.astype(dict.fromkeys(self.task["categories"], "category"))

    def fit(self, features: Frame, target: pd.Series[Any]) -> None:
        kind = "regression" if self.regression else "binary" if len(self.task["classes"]) == 2 else "multiclass"
        metric = "root_mean_squared_error" if self.regression else "accuracy"
        self.model = self._fitted("scores", features, target, problem_type=kind, eval_metric=metric)

    def probabilities(self, features: Frame) -> Any:
        return self.model.predict_proba(features)[list(range(len(self.task["classes"])))].to_numpy()

    def interval(self, features: Frame, target: pd.Series[Any], test: Frame) -> tuple[Any, Any]:
        levels = list(self.quantiles)
        model = self._fitted("quantiles", features, target, problem_type="quantile", quantile_levels=levels)
        values = model.predict(test).to_numpy()
        return values[:, 0], values[:, 1]

    def call(self, row: Frame) -> Callable[[], object]:
        import torch

        torch.set_num_threads(1)
        self.model.persist()  # as a server would: else every call loads the models from disk
        return lambda: self.model.predict(row)

    def _fitted(self, name: str, features: Frame, target: pd.Series[Any], **settings: Any) -> Any:
        from autogluon.tabular import TabularPredictor

        label = self.task["target"]
        predictor = TabularPredictor(label=label, path=str(self.folder / name), verbosity=0, **settings)
        return predictor.fit(
            features.assign(**{label: target}),
            presets="medium_quality",
            time_limit=60 * self.task["minutes"],
            num_cpus=self.threads,
            num_gpus=0,
        )


PEERS: dict[str, type[Peer]] = {
    "hist_gradient_boosting": HistGradientBoosting,
    "lightgbm": LightGbm,
    "catboost": CatBoost,
    "autogluon": AutoGluon,
}


def main(system: str, folder: Path) -> None:
    """Fit, predict the test rows, and time one row; write `answers.npz` and `result.json`."""
    warnings.simplefilter("ignore")
    task = json.loads((folder / "task.json").read_text())
    train, test = pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet")
    target = train.pop(task["target"])
    if not task["regression"]:
        target = target.map(str).map({label: index for index, label in enumerate(task["classes"])})
    began = time.perf_counter()
    peer = PEERS[system](task, folder)
    features, rows = peer.prepare(train), peer.prepare(test)
    peer.fit(features, target)
    seconds = time.perf_counter() - began
    answers = {"values": peer.predict(rows)} if task["regression"] else {"labels": peer.predict(rows)}
    if not task["regression"]:
        answers["probabilities"] = peer.probabilities(rows)
    if task["regression"] and task["intervals"]:
        answers["low"], answers["high"] = peer.interval(features, target, rows)
    np.savez(folder / "answers.npz", **answers)
    with threadpool_limits(1):
        times = call_times(peer.call(rows.iloc[:1]))
    found = {"seconds": round(seconds, 1), **times, "versions": versions("numpy", "pandas", *peer.packages)}
    (folder / "result.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

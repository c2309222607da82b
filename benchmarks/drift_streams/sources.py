"""Real rows with a small model: tables and pictures, each split into training rows, held-out rows and a pool to draw streams from."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import WORK
from benchmarks.table_rivals.data import DATA as TABULAR
from benchmarks.table_rivals.data import Table
from lepton_automl.arrays import Array
from lepton_automl.monitoring.features import watched_features
from lepton_automl.monitoring.profile import Profile, profile_of

TRAINING, HELD_OUT = 6000, 3000  # rows
POOL_PICTURES = 20000
TABLES = ("adult", "diamonds", "california_housing")
PICTURES = ("fashion_mnist", "mnist")
PIXELS = 28
Features = dict[str, Array]


@dataclass(frozen=True)
class Source:
    """A data set with its model.

    Attributes:
        raw: The pool as the model gets it: columns by name, or `pixels` [N, 28, 28].
        truth: The true answers, [N].
        categories: Names of the categorical columns.
        predict: Answers and confidences (None for numbers) of raw rows.
        features: The watched features of raw rows.
        training: The watched features of the training rows.
        held_out: Answers, confidences and true answers on held-out rows.
    """

    name: str
    raw: Features
    truth: Array
    categories: tuple[str, ...]
    predict: Callable[[Features], tuple[Array, Array | None]]
    features: Callable[[Features], Features]
    training: Features
    held_out: tuple[Array, Array | None, Array]

    @property
    def labels(self) -> bool:
        return self.held_out[1] is not None

    def profile(self) -> Profile:
        answers, confidence, truth = self.held_out
        return profile_of(self.training, answers=answers, confidence=confidence, truth=truth)

    def take(self, rows: Array) -> tuple[Features, Array]:
        return {name: values[rows] for name, values in self.raw.items()}, self.truth[rows]


def load(name: str) -> Source:
    """A data set by its name; its model is trained once and cached."""
    return _pictures(name) if name in PICTURES else _table(name)


def _cached(name: str, train: Callable[[], Any]) -> Any:
    file = WORK / "drift" / "models" / f"{name}.pickle"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_bytes(pickle.dumps(train()))
        part.rename(file)
    return pickle.loads(file.read_bytes())


def _table(name: str) -> Source:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    table = Table.read(name)
    order = np.random.default_rng(0).permutation(len(table.target))
    parts = np.split(order, [TRAINING, TRAINING + HELD_OUT])
    # Whole numbers or not, as a column of the pool: later changes must not depend on a type.
    numeric = [column for column in table.features if column not in table.categorical]
    frame = table.features.astype(dict.fromkeys(numeric, "float64"))
    target = table.target.to_numpy(np.float64) if table.regression else table.target.astype(str).to_numpy(object)

    def train() -> Any:
        model = HistGradientBoostingRegressor if table.regression else HistGradientBoostingClassifier
        coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        encode = make_column_transformer((coder, table.categorical), remainder="passthrough")
        return make_pipeline(encode, model(max_iter=60, random_state=0)).fit(frame.iloc[parts[0]], target[parts[0]])

    model = _cached(name, train)

    def predict(raw: Features) -> tuple[Array, Array | None]:
        rows = pd.DataFrame(raw)
        if table.regression:
            return model.predict(rows), None
        probabilities = model.predict_proba(rows)
        return model.classes_[probabilities.argmax(1)], probabilities.max(1)

    columns = {str(column): frame[column].to_numpy(object if column in table.categorical else np.float64) for column in frame}
    training, held_out, pool = ({column: values[rows] for column, values in columns.items()} for rows in parts)
    answers, confidence = predict(held_out)
    return Source(
        name=name,
        raw=pool,
        truth=target[parts[2]],
        categories=tuple(table.categorical),
        predict=predict,
        features=lambda raw: raw,
        training=training,
        held_out=(answers, confidence, target[parts[1]]),
    )


def _pictures(name: str) -> Source:
    from sklearn.neural_network import MLPClassifier

    folder = TABULAR.parent / name
    pixels = _idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, PIXELS, PIXELS)
    truth = _idx(folder / "train-labels-idx1-ubyte.gz", 8).astype(str).astype(object)
    order = np.random.default_rng(0).permutation(len(truth))[: TRAINING + HELD_OUT + POOL_PICTURES]
    parts = np.split(order, [TRAINING, TRAINING + HELD_OUT])

    def train() -> Any:
        model = MLPClassifier((64,), max_iter=15, random_state=0)
        return model.fit(pixels[parts[0]].reshape(TRAINING, -1) / 255, truth[parts[0]])

    model = _cached(name, train)

    def predict(raw: Features) -> tuple[Array, Array | None]:
        probabilities = model.predict_proba(raw["pixels"].reshape(len(raw["pixels"]), -1) / 255)
        return model.classes_[probabilities.argmax(1)], probabilities.max(1)

    def features(raw: Mapping[str, Array]) -> Features:
        return watched_features({"pixels": raw["pixels"]})

    answers, confidence = predict({"pixels": pixels[parts[1]]})
    return Source(
        name=name,
        raw={"pixels": pixels[parts[2]]},
        truth=truth[parts[2]],
        categories=(),
        predict=predict,
        features=features,
        training=features({"pixels": pixels[parts[0]]}),
        held_out=(answers, confidence, truth[parts[1]]),
    )


def _idx(path: Path, header: int) -> Array:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)

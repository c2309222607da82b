"""The tables of LeptonBench: their data, deployment and number of epochs."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.store import load_spec
from lepton_automl.specs import DataSpec, Deployment

FASHION_IMAGES = 5_000
FASHION_SIDE = 14
HOUSING_ROWS = 8_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of one table.

    Args:
        about: The data, in a sentence.
        read: Reads the data from the folder of raw files.
        options: The options of data preparation.
        batch_size: Rows per call in deployment.
        metric: The score.
        second: A second score that is also recorded.
        epochs: Number of epochs of a full training.
        child_epochs: Number of epochs of a child's recovery.
    """

    about: str
    read: Callable[[Path], Any]
    options: DataOptions
    batch_size: int
    metric: str
    second: str
    epochs: int
    child_epochs: int

    @property
    def deployment(self) -> Deployment:
        """One thread of this machine's CPU."""
        return Deployment(batch_size=self.batch_size)

    def prepared(self, raw: Path, folder: Path) -> DataSpec:
        """The prepared data, made on first use."""
        if (folder / "spec.json").exists():
            return load_spec(folder)
        return prepare(self.read(raw), folder, self.options)


def _fashion(raw: Path) -> tuple[Any, Any]:
    """The first training images, each 2 x 2 pixels averaged into one."""
    images, labels = raw / "train-images-idx3-ubyte.gz", raw / "train-labels-idx1-ubyte.gz"
    with gzip.open(images) as file:
        flat = np.frombuffer(file.read(16 + 784 * FASHION_IMAGES), np.uint8, offset=16)
    with gzip.open(labels) as file:
        truth = np.frombuffer(file.read(8 + FASHION_IMAGES), np.uint8, offset=8)
    small = flat.reshape(-1, FASHION_SIDE, 2, FASHION_SIDE, 2).mean(axis=(2, 4))
    return small.round().astype(np.uint8), truth.astype(np.int64)


def _housing(raw: Path) -> Any:
    import pandas as pd

    return pd.read_csv(raw / "california_housing.csv.gz").sample(HOUSING_ROWS, random_state=0)


SOURCES = {
    "digits": Source(
        about="The 1,797 digits of 8x8 pixels of scikit-learn (UCI, Alpaydin and Kaynak 1998).",
        read=lambda _: digits(),
        options=DataOptions(name="digits"),
        batch_size=256,
        metric="accuracy",
        second="log_loss",
        epochs=27,
        child_epochs=9,
    ),
    "fashion": Source(
        about=f"The first {FASHION_IMAGES:,} training images of Fashion-MNIST (Xiao et al. 2017), averaged down to 14x14 pixels.",
        read=_fashion,
        options=DataOptions(name="fashion", test_share=0.04, validation_share=1 / 3),
        batch_size=1,
        metric="accuracy",
        second="log_loss",
        epochs=18,
        child_epochs=6,
    ),
    "housing": Source(
        about=f"{HOUSING_ROWS:,} random rows of California housing (1990 census, Pace and Barry 1997), with ocean proximity.",
        read=_housing,
        options=DataOptions(name="housing", target="median_house_value"),
        batch_size=256,
        metric="rmse",
        second="mae",
        epochs=18,
        child_epochs=6,
    ),
}

"""The tables, their outer splits, and the files that a system gets and returns."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CHECKOUT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data") / "tabular"
TEST_SHARE = 0.2  # share of the rows in the outer test split, which no system sees
# Smaller classes are dropped for all: with hypothyroid's class of two rows the trees learn nothing
# (92.6 % accuracy, the share of the largest class; 99.7 % without it), and the comparison would be meaningless.
LEAST_OF_CLASS = 10
COVERAGE = 0.9  # of the intervals that are scored
BINS = 15  # of the calibration error
LEAST_PROBABILITY = 1e-7  # for the log-loss: about the resolution of float32
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """A data set: its features and target, and which columns are categories."""

    name: str
    features: pd.DataFrame
    target: pd.Series[Any]
    categorical: list[str]
    official_test: Rows | None
    regression: bool

    @classmethod
    def read(cls, name: str) -> Table:
        content = json.loads((DATA / "index.json").read_text())[name]
        frame = pd.read_csv(DATA / f"{name}.csv.gz", low_memory=False).dropna(subset=[content["target"]], ignore_index=True)
        split, regression = content["split_column"], content["task"] == "regression"
        if not regression:
            count = frame.groupby(content["target"])[content["target"]].transform("size")
            frame = frame[count >= LEAST_OF_CLASS].reset_index(drop=True)
        official = np.flatnonzero(frame[split] == "test") if split else None
        features = frame.drop(columns=[content["target"], *content["ignore_columns"], *([split] if split else [])])
        return cls(name, features, frame[content["target"]], content["categorical"], official, regression)

    def test_rows(self, split: int) -> Rows:
        """The outer test split: the official one for the first split, if there is one; else a fifth of each class, by seed."""
        if split == 0 and self.official_test is not None:
            return self.official_test
        order = np.random.default_rng(split).permutation(len(self.target))
        classes = np.zeros(len(order)) if self.regression else self.target.factorize()[0][order]
        parts = [order[classes == label] for label in np.unique(classes)]
        return np.sort(np.concatenate([rows[: round(TEST_SHARE * len(rows))] for rows in parts]))

    def train_rows(self, split: int) -> Rows:
        """All other rows."""
        return np.setdiff1d(np.arange(len(self.target)), self.test_rows(split))

    @cached_property
    def classes(self) -> list[str]:
        """The labels as text, sorted; empty for regression."""
        return [] if self.regression else sorted(map(str, self.target.unique()))

    def score(self, answers: Any, rows: Rows) -> float:
        """Accuracy in percent, or RMSE in the target's unit."""
        truth, predicted = self.target.iloc[rows].to_numpy(), np.asarray(answers)
        return float(math.sqrt(np.mean((predicted - truth) ** 2)) if self.regression else 100 * np.mean(predicted == truth))

    def write(self, split: int, folder: Path, **settings: Any) -> None:
        """Write what a system gets: the training rows, the test rows without their targets, and a description."""
        train = self.features.assign(**{str(self.target.name): self.target}).iloc[self.train_rows(split)]
        train.reset_index(drop=True).to_parquet(folder / "train.parquet")
        self.features.iloc[self.test_rows(split)].reset_index(drop=True).to_parquet(folder / "test.parquet")
        description = {
            "target": str(self.target.name),
            "regression": self.regression,
            "classes": self.classes,
            # The codes come from the full table's categories; nothing else from the test rows is used.
            "categories": {name: self.features[name].dropna().unique().tolist() for name in self.categorical},
            "coverage": COVERAGE,
            "seed": split,
            **settings,
        }
        (folder / "task.json").write_text(json.dumps(description))

    def scores(self, split: int, folder: Path) -> dict[str, float | None]:
        """Score a system's answers on the test rows.

        Returns:
            `score`: accuracy in percent, or RMSE. `second`: the log-loss, or the interval score (Gneiting & Raftery, JASA
            102, 2007, section 6.2) of central 90 % intervals; None without intervals. `covered`: the percent of the test rows
            whose interval or set of labels holds the truth; None without. `calibration_error`: for classes, the mean distance
            of confidence and accuracy in percent, in bins of equally many rows (Guo et al., ICML 2017); else None.
        """
        rows = self.test_rows(split)
        with np.load(folder / "answers.npz") as content:
            answers = dict(content)
        if self.regression:
            score = self.score(answers["values"], rows)
            return {"score": score, **self._intervals(answers, rows), "calibration_error": None}
        index = pd.Index(self.classes).get_indexer(pd.Index(self.target.iloc[rows].map(str)))
        likelihoods = answers["probabilities"][np.arange(len(rows)), index].clip(LEAST_PROBABILITY, 1)
        accuracy = 100 * float(np.mean(answers["labels"] == index))
        return {
            "score": accuracy,
            "second": float(-np.log(likelihoods).mean()),
            "covered": 100 * float(np.mean(answers["sets"][np.arange(len(rows)), index])) if "sets" in answers else None,
            "calibration_error": calibration_error(answers["probabilities"], index),
        }

    def _intervals(self, answers: dict[str, NDArray[Any]], rows: Rows) -> dict[str, float | None]:
        if "low" not in answers:
            return {"second": None, "covered": None}
        truth, low, high = self.target.iloc[rows].to_numpy(np.float64), answers["low"], answers["high"]
        below, above = np.maximum(low - truth, 0), np.maximum(truth - high, 0)
        score = float(np.mean(high - low + 2 / (1 - COVERAGE) * (below + above)))
        return {"second": score, "covered": 100 * float(np.mean((below == 0) & (above == 0)))}


def calibration_error(probabilities: NDArray[Any], truth: Rows) -> float:
    """The expected calibration error of the most probable labels, in percent."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    bins = [part for part in np.array_split(np.argsort(confidence), BINS) if len(part)]
    return float(sum(100 * abs(confidence[part].sum() - right[part].sum()) for part in bins) / len(truth))

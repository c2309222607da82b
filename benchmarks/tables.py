"""Searches on four real tables against gradient-boosted trees: test scores, and latency of one row."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from lepton_automl import AutoML, Budget, Study
from lepton_automl.deployment.reference import reference_model
from lepton_automl.measuring.latency import baseline_latency, measure

from .ledger import Found, Ledger
from .report import Figure, Result

CHECKOUT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data") / "tabular"
RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "tables.jsonl"
SAME = ("dataset", "split", "minutes", "workers")
TEST_SHARE = 0.2  # share of the rows in the outer test split, which no search sees
ALLOWED_POINTS, ALLOWED_PERCENT = 0.5, 3.0  # allowed gap to the trees: points of accuracy, percent of RMSE
# Smaller classes are dropped for both: with hypothyroid's class of two rows the trees learn nothing
# (92.6 % accuracy, the share of the largest class; 99.7 % without it), and the comparison would be meaningless.
LEAST_OF_CLASS = 10
Rows = NDArray[np.int64]


# Data


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

    def score(self, answers: Any, rows: Rows) -> float:
        """Accuracy in percent, or RMSE in the target's unit."""
        truth, predicted = self.target.iloc[rows].to_numpy(), np.asarray(answers)
        return float(math.sqrt(np.mean((predicted - truth) ** 2)) if self.regression else 100 * np.mean(predicted == truth))


# One split


class Trees:
    """scikit-learn's histogram gradient boosting with its defaults, categories from the dtype, on one thread."""

    def __init__(self, table: Table, train: Rows) -> None:
        # The codes come from the full table's categories; nothing else from the test rows is used.
        self.features = table.features.astype(dict.fromkeys(table.categorical, "category"))
        kind = HistGradientBoostingRegressor if table.regression else HistGradientBoostingClassifier
        with threadpool_limits(1):
            self.model = kind(categorical_features="from_dtype", random_state=0)
            self.model.fit(self.features.iloc[train], table.target.iloc[train])

    def predict(self, rows: Rows) -> Any:
        return self.model.predict(self.features.iloc[rows])


def searched(table: Table, split: int, minutes: float, workers: int, home: Path) -> Study:
    """Run a search that sees only the outer training rows."""
    rows = table.train_rows(split)
    train = table.features.iloc[rows].assign(**{str(table.target.name): table.target.iloc[rows]})
    automl = AutoML(name=table.name, budget=Budget(minutes=minutes), seed=split, workers=workers, home=home, progress=False)
    return automl.fit(
        train.reset_index(drop=True),
        target=str(table.target.name),
        categorical=table.categorical,
        task="regression" if table.regression else None,
        split_column="",
        test_share=1e-6,  # one row: the outer split is the test split
    )


def contest(table: Table, split: int, minutes: float, workers: int, home: Path) -> dict[str, Any]:
    """Compare both on one split: their scores on its test rows, and their times for one row."""
    test = table.test_rows(split)
    trees = Trees(table, table.train_rows(split))
    began = time.monotonic()
    study = searched(table, split, minutes, workers, home)
    seconds = time.monotonic() - began
    models = {"knee": study.best(), "best": study.models[study.state.front()[0].number]}
    row: dict[str, Any] = table.features.iloc[test[0]].to_dict()
    first_row = trees.features.iloc[test[:1]]
    calls: dict[str, Callable[[], object]] = {
        "trees": lambda: trees.model.predict(first_row),
        **{name: partial(model.predictor.predict, row) for name, model in models.items()},
    }
    return {
        "test_rows": len(test),
        "trials": len(study.trials),
        "seconds": round(seconds, 1),
        "scores": {name: table.score(model.predict(table.features.iloc[test]), test) for name, model in models.items()}
        | {"trees": table.score(trees.predict(test), test)},
        **times(calls),
    }


def times(calls: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Milliseconds of one call of each: the thread's CPU time, interleaved with the reference network, and raw wall time."""
    reference = reference_model(1)
    cpu, wall = {}, {}
    with threadpool_limits(1):
        own = baseline_latency(reference).median
        for name, call in calls.items():
            latency, clock = measure(call, reference, reference_ms=own, seconds=2)
            cpu[name], wall[name] = latency.median, clock.median
    return {"cpu_ms": cpu, "wall_ms": wall}


# All splits


def once(ledger: Ledger, table: Table, split: int, minutes: float, workers: int) -> Found:
    """Return the recorded result of a split, or run it now."""

    def find() -> Found:
        home = ledger.path.parent / f"{table.name}-{split}-{minutes:g}-{workers}"
        shutil.rmtree(home, ignore_errors=True)  # left by an interrupted run
        try:
            result = contest(table, split, minutes, workers, home)
        finally:
            shutil.rmtree(home, ignore_errors=True)
        print(f"{table.name} {split}: {result['scores']} after {result['trials']} trials", flush=True)
        return result

    return ledger.once((table.name, split, minutes, workers), find)


@dataclass(frozen=True)
class Verdict:
    """The results on one data set over all splits.

    Args:
        name: The data set's name.
        regression: Whether scores are RMSEs, else accuracies in percent.
        splits: The result on each split.
    """

    name: str
    regression: bool
    splits: list[dict[str, Any]]

    def mean(self, who: str) -> float:
        return statistics.mean(float(split["scores"][who]) for split in self.splits)

    def gaps(self, who: str = "best") -> list[float]:
        """The gap to the trees on each split: points of accuracy, or percent of RMSE."""
        pairs = [(split["scores"][who], split["scores"]["trees"]) for split in self.splits]
        return [100 * (ours / trees - 1) if self.regression else trees - ours for ours, trees in pairs]

    @property
    def gap(self) -> float:
        return statistics.mean(self.gaps())

    @property
    def allowed(self) -> float:
        """The allowed gap; one standard error of a test split's accuracy if that is larger."""
        if self.regression:
            return ALLOWED_PERCENT
        rows, share = statistics.mean(split["test_rows"] for split in self.splits), self.mean("trees") / 100
        return max(ALLOWED_POINTS, 100 * math.sqrt(share * (1 - share) / rows))

    def speedup(self, who: str = "best") -> list[float]:
        return [split["cpu_ms"]["trees"] / split["cpu_ms"][who] for split in self.splits]

    def figure(self) -> Figure:
        gaps = self.gaps()
        spread = Figure.of("", gaps).spread
        unit = "%" if self.regression else "points"
        return Figure(name=f"gap_{self.name}", value=self.gap, unit=unit, spread=spread, target=f"<= {self.allowed:.2g}")

    def sentence(self) -> str:
        """A one-sentence summary."""
        metric, unit = ("RMSE", "%") if self.regression else ("% accuracy", "points")
        scores = ", ".join(f"{who} {self.mean(who):.5g}" for who in ("best", "knee", "trees"))
        gaps = self.gaps()
        error = f" (standard error {statistics.stdev(gaps) / math.sqrt(len(gaps)):.2g})" if len(gaps) > 1 else ""
        knee = statistics.mean(self.gaps("knee"))
        verdict = "passes" if self.gap <= self.allowed else "FAILS"
        return (
            f"{self.name}, {len(gaps)} splits, {metric}: {scores}; gap {self.gap:.3g}{error} of {self.allowed:.2g} {unit} "
            f"allowed: {verdict}; the knee's gap {knee:.3g}. One row, CPU: {self.milliseconds('cpu_ms')}; "
            f"wall: {self.milliseconds('wall_ms')}."
        )

    def milliseconds(self, clock: str) -> str:
        medians = {who: statistics.median(split[clock][who] for split in self.splits) for who in ("best", "knee", "trees")}
        return ", ".join(f"{who} {value:.3g} ms" for who, value in medians.items())


def run(
    datasets: str = "adult,california_housing,german_credit,hypothyroid",
    splits: int = 5,
    minutes: float = 10.0,
    workers: int = 2,
    results: str = str(RESULTS),
) -> Result:
    """Measure the gap to the trees on each data set, and the speedup of predicting one row."""
    if not DATA.is_dir():
        skipped = f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains tabular."
        return Result(figures=[], notes=[skipped])
    ledger, verdicts = Ledger(Path(results), SAME), []
    for name in datasets.split(","):
        table = Table.read(name)
        splits_done = [once(ledger, table, split, minutes, workers) for split in range(splits)]
        verdicts.append(Verdict(name, table.regression, splits_done))
    figures = [
        *(verdict.figure() for verdict in verdicts),
        Figure(name="worst_gap_over_allowed", value=max(verdict.gap / verdict.allowed for verdict in verdicts), target="<= 1"),
        Figure(name="better_on", value=float(sum(verdict.gap < 0 for verdict in verdicts)), unit="data sets", target=">= 1"),
        Figure(name="latency_speedup_min", value=min(statistics.median(verdict.speedup()) for verdict in verdicts)),
    ]
    notes = [
        "gap: how much worse than the trees the model with the best validation score is on the outer test rows, in points or percent.",
        f"Classes of fewer than {LEAST_OF_CLASS} rows are dropped for both, as the trees learn nothing with such a class.",
        "latency_speedup: CPU time of the trees' predict on a DataFrame of one row over that of the model on a dict.",
        *(verdict.sentence() for verdict in verdicts),
    ]
    return Result(figures=figures, notes=notes)

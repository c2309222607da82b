"""Prediction sets, intervals and probabilities on the twelve tables: how often they hold the truth, and how well they are calibrated.

For each table and outer split, a search sees the training rows only. Its chosen model then predicts the outer test rows with several
coverages, and the probabilities before and after temperature scaling are compared. Each finished split is a line in
`mlruns/benchmarks/coverage.jsonl`; a repeated run continues after the last one.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lepton_automl import AutoML, Budget, ConfigError
from lepton_automl.calibration import TINY, with_temperature
from lepton_automl.study.model import Model
from lepton_automl.tasks.classification.analysis import calibration

from .ledger import Found, Ledger
from .report import Figure, Result
from .table_rivals.data import CHECKOUT, DATA, Rows, Table

RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "coverage.jsonl"
SAME = ("dataset", "split", "trials", "minutes")
COVERAGES = (0.5, 0.8, 0.9, 0.95)
USUAL = 0.9
ALLOWED = 1.0  # points of the mean coverage over all tables

Array = NDArray[Any]


def once(ledger: Ledger, name: str, split: int, trials: int, minutes: float) -> Found:
    """Return the recorded result of a split, or run it now."""
    return ledger.once((name, split, trials, minutes), partial(_searched, name, split, trials, minutes, ledger.path.parent))


def _searched(name: str, split: int, trials: int, minutes: float, folder: Path) -> Found:
    table, home = Table.read(name), folder / f"coverage-{name}-{split}"
    rows, test = table.train_rows(split), table.test_rows(split)
    train = table.features.iloc[rows].assign(**{str(table.target.name): table.target.iloc[rows]}).reset_index(drop=True)
    budget = Budget(trials=trials) if trials else Budget(minutes=minutes)
    shutil.rmtree(home, ignore_errors=True)  # left by an interrupted run
    try:
        study = AutoML(name=name, budget=budget, seed=split, home=home, progress=False).fit(
            train,
            target=str(table.target.name),
            categorical=table.categorical,
            task="regression" if table.regression else None,
            split_column="",
            test_share=1e-6,  # one row: the outer split is the test split
        )
        found = measured(study.best(), table, test)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{name} {split}: {json.dumps(found)}", flush=True)
    return found


def measured(model: Model, table: Table, test: Rows) -> Found:
    """What a model's regions hold on the outer test rows, and how well its probabilities are calibrated there."""
    features, truth = table.features.iloc[test], table.target.iloc[test]
    covered, sizes = {}, {}
    for coverage in COVERAGES:
        try:
            regions = model.predict(features, coverage=coverage)
        except ConfigError:  # too few rows
            continue
        holds, size = _intervals(regions, truth) if table.regression else _sets(regions, truth)
        covered[f"{coverage:g}"], sizes[f"{coverage:g}"] = float(holds.mean()), float(size)
    found = {"test_rows": len(test), "covered": covered, "sizes": sizes}
    return found if table.regression else found | _calibrated(model, features, truth)


def _intervals(regions: Array, truth: pd.Series[Any]) -> tuple[Array, float]:
    """Which intervals hold the target, and their mean width as a share of the target's deviation."""
    values = truth.to_numpy(np.float64)
    return (regions[:, 0] <= values) & (values <= regions[:, 1]), float((regions[:, 1] - regions[:, 0]).mean() / values.std())


def _sets(regions: Array, truth: pd.Series[Any]) -> tuple[Array, float]:
    """Which sets hold the label, and their mean size."""
    holds = [label in labels for labels, label in zip(regions, truth.tolist(), strict=True)]
    return np.array(holds), float(np.mean([len(labels) for labels in regions]))


def _calibrated(model: Model, features: pd.DataFrame, truth: pd.Series[Any]) -> Found:
    """Calibration error and log loss, without and with the model's temperature."""
    decoder: Any = model.predictor.decoder
    scaled = model.predict_proba(features)
    raw = with_temperature(scaled, 1 / decoder.temperature)
    places = {label: place for place, label in enumerate(model.classes)}
    targets = np.array([places[label] for label in truth.tolist()])
    found: Found = {"temperature": decoder.temperature}
    for name, likely in (("raw", raw), ("scaled", scaled)):
        found[f"error_{name}"] = calibration(likely.max(1).clip(0, 1), likely.argmax(1) == targets)[1]
        found[f"log_loss_{name}"] = float(-np.log(np.maximum(likely[np.arange(len(targets)), targets], TINY)).mean())
    return found


def run(tables: str = "", splits: int = 5, trials: int = 0, minutes: float = 2.0, record: str = str(RESULTS)) -> Result:
    """The coverage of all tables, and the calibration errors of those with classes.

    Args:
        tables: Names separated by commas; all twelve by default.
        splits: Outer splits of each table.
        trials: The budget of a search in trials; 0 to use minutes.
        minutes: The budget of a search otherwise.
        record: The file of finished splits.
    """
    names = [name for name in tables.split(",") if name] or sorted(json.loads((DATA / "index.json").read_text()))
    ledger, figures, notes = Ledger(Path(record), SAME), [], []
    runs = {name: [once(ledger, name, split, trials, minutes) for split in range(splits)] for name in names}
    for coverage in COVERAGES:
        shares = {
            name: [100 * found["covered"][f"{coverage:g}"] for found in splits_ if f"{coverage:g}" in found["covered"]]
            for name, splits_ in runs.items()
        }
        means = [statistics.fmean(share) for share in shares.values() if share]
        target = f"{100 * USUAL:g} +- {ALLOWED:g}" if coverage == USUAL else ""
        mean = statistics.fmean(means) if means else math.nan
        figures.append(Figure(name=f"coverage_{100 * coverage:g}", value=mean, unit="%", target=target))
        if coverage == USUAL:
            notes += [f"{name}: {_listed(share)} % covered with {coverage:g}" for name, share in shares.items()]
    classified = [found for splits_ in runs.values() for found in splits_ if "temperature" in found]
    for name, unit in (("error", "points"), ("log_loss", "")):
        factor = 100 if unit else 1
        for kind in ("raw", "scaled"):
            samples = [factor * found[f"{name}_{kind}"] for found in classified]
            if samples:
                title = "calibration_error" if name == "error" else name
                figures.append(Figure(name=f"{title}_{kind}", value=statistics.fmean(samples), unit=unit))
    notes.append(
        "Coverage: the mean over tables of the mean over splits. Errors: the mean over tables with classes and splits."
    )
    return Result(figures=figures, notes=notes)


def _listed(shares: list[float]) -> str:
    return ", ".join(f"{share:.1f}" for share in shares)

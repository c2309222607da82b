"""Several labels per row, and quantiles: test scores against a network per label and scikit-learn's gradient-boosted trees."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from lepton_automl import AutoML, Budget

from .label_sets import CONTESTANTS, LabelSets, digits, services
from .ledger import Found, Ledger
from .report import Figure, Result
from .table_rivals.data import CHECKOUT, Rows, Table

DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data")
RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "tasks.jsonl"
SAME = ("data", "contestant", "seed", "effort")
QUANTILES = (0.1, 0.5, 0.9)
INTERVAL = 80.0  # percent of the targets that should lie between the outer two
ALLOWED = 2.0  # points of coverage
HOUSING = "california_housing"
OURS, TREES = "one network", "trees a label"
BEST, KNEE, QUANTILE_TREES = "best model", "knee", "trees a quantile"

Array = NDArray[Any]
Scores = dict[str, float]
Runs = dict[str, list[Scores]]  # the scores of each seed, by contestant


# Sets of labels


@dataclass(frozen=True)
class LabelContest:
    """Data with sets of labels.

    Args:
        name: The data's name.
        make: Prepares the data in a folder, with a seed.
        epochs: Number of epochs of every network.
    """

    name: str
    make: Callable[[Path, int], LabelSets]
    epochs: int

    def runs(self, ledger: Ledger, seeds: int) -> Runs:
        """Run each contestant with each seed, which determines rows, splits and initial weights."""
        runs: Runs = {contestant: [] for contestant in CONTESTANTS}
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as temporary:
                prepared = functools.cache(partial(self.make, Path(temporary) / "data", seed))
                for contestant in CONTESTANTS:
                    find = partial(self._run, contestant, seed, prepared)
                    runs[contestant].append(ledger.once((self.name, contestant, seed, self.epochs), find)["scores"])
        return runs

    def _run(self, contestant: str, seed: int, prepared: Callable[[], LabelSets]) -> Found:
        sets = prepared()
        return _reported(self.name, contestant, seed, CONTESTANTS[contestant](sets, self.epochs, seed).scores(sets))


def _reported(name: str, contestant: str, seed: int, scores: Scores) -> Found:
    print(f"{name} {seed}, {contestant}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()), flush=True)
    return {"scores": scores}


# Quantiles


def quantile_contest(ledger: Ledger, minutes: float, seeds: int) -> Runs:
    """Run searches and trees on several outer test splits."""
    table = Table.read(HOUSING)
    runs: Runs = {contestant: [] for contestant in (BEST, KNEE, QUANTILE_TREES)}
    for seed in range(seeds):
        home = ledger.path.parent / f"quantiles-{seed}-{minutes:g}"
        found = ledger.once((HOUSING, "searched", seed, minutes), partial(_searched, table, seed, minutes, home))
        runs[BEST].append(found["best"])
        runs[KNEE].append(found["knee"])
        runs[QUANTILE_TREES].append(ledger.once((HOUSING, "trees", seed, 0), partial(_trees, table, seed))["scores"])
    return runs


def _searched(table: Table, seed: int, minutes: float, home: Path) -> Found:
    """Run a search that sees only the outer training rows; its models predict the raw test rows."""
    rows, test = table.train_rows(seed), table.test_rows(seed)
    train = table.features.iloc[rows].assign(**{str(table.target.name): table.target.iloc[rows]}).reset_index(drop=True)
    automl = AutoML(name=HOUSING, budget=Budget(minutes=minutes), seed=seed, home=home, progress=False)
    shutil.rmtree(home, ignore_errors=True)  # left by an interrupted run
    try:
        # Only one row is held out as the study's test split, as the outer split is the test split.
        study = automl.fit(train, target=str(table.target.name), quantiles=QUANTILES, split_column="", test_share=1e-6)
        models = {"best": study.models[study.state.front(merged=True)[0].number], "knee": study.best(knee=True)}
        found: Found = {}
        for name, model in models.items():
            began = time.process_time()
            answers = model.predict(table.features.iloc[test])
            seconds = time.process_time() - began
            scores = _quantile_scores(answers, table, test) | {"CPU microseconds a row": 1e6 * seconds / len(test)}
            found[name] = _reported(HOUSING, name, seed, scores)["scores"]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return found


def _trees(table: Table, seed: int) -> Found:
    """scikit-learn's trees with its defaults, one model per quantile, on one thread; trained on all outer training rows."""
    features = table.features.astype(dict.fromkeys(table.categorical, "category"))
    train, test = table.train_rows(seed), table.test_rows(seed)
    with threadpool_limits(1):
        models = [
            HistGradientBoostingRegressor(loss="quantile", quantile=q, categorical_features="from_dtype", random_state=0).fit(
                features.iloc[train], table.target.iloc[train]
            )
            for q in QUANTILES
        ]
        began = time.process_time()
        answers = np.stack([model.predict(features.iloc[test]) for model in models], axis=1)
        seconds = time.process_time() - began
    scores = _quantile_scores(answers, table, test) | {"CPU microseconds a row": 1e6 * seconds / len(test)}
    return _reported(HOUSING, QUANTILE_TREES, seed, scores)


def _quantile_scores(answers: Array, table: Table, rows: Rows) -> Scores:
    """Pinball losses in the target's unit; shares in percent."""
    truth = table.target.iloc[rows].to_numpy()
    losses = [float(mean_pinball_loss(truth, answers[:, at], alpha=q)) for at, q in enumerate(QUANTILES)]
    inside = (answers[:, 0] <= truth) & (truth <= answers[:, -1])
    return {
        "pinball": statistics.mean(losses),
        **{f"pinball {q:g}": loss for q, loss in zip(QUANTILES, losses, strict=True)},
        "coverage": 100 * float(inside.mean()),
        "interval width": float((answers[:, -1] - answers[:, 0]).mean()),
        "crossing rows": 100 * float((np.diff(answers, axis=1) < 0).any(1).mean()),
    }


# Both


def compared(name: str, runs: Runs) -> str:
    """A table of means over the seeds with their standard deviations: a row per score and a column per contestant."""
    body = [["", *runs]]
    for score in next(iter(runs.values()))[0]:
        body.append([score, *(_mean([scores[score] for scores in part]) for part in runs.values())])
    widths = [max(map(len, column)) for column in zip(*body, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in body)
    return "\n".join([f"\n{name}:", *lines])


def _mean(values: Sequence[float]) -> str:
    mean, deviation = statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    digits_after = 0 if abs(mean) >= 1000 else 1 if abs(mean) >= 100 else 2
    return f"{mean:,.{digits_after}f} ± {deviation:,.{digits_after}f}"


def run(
    *,
    data: str = "digits,services,california_housing",
    seeds: int = 3,
    rows: int = 4000,
    epochs: int = 4,
    minutes: float = 1.0,
    results: str = str(RESULTS),
) -> Result:
    """Measure how far one network is above its rivals on sets of labels, and how far quantiles are off.

    The digits take twelve minutes, most of them for the trees; the services take two, the searches four.

    Args:
        data: Names of the data, separated by commas.
        seeds: Number of seeds for the data, their splits and the initial weights.
        rows: Number of pairs of digits for training and validation.
        epochs: Number of epochs for pairs of digits; networks for the table get three times as many.
        minutes: Minutes of each search for quantiles.
        results: The file of finished runs, which are not run again.
    """
    if not DATA.is_dir():
        return Result(
            figures=[], notes=[f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder with mnist and tabular."]
        )
    torch.set_num_threads(1)
    ledger, chosen = Ledger(Path(results), SAME), data.split(",")
    figures, tables = [], []
    contests = [
        LabelContest(f"digits-{rows}", lambda folder, seed: digits(DATA / "mnist", folder, rows, seed), epochs),
        LabelContest("services", lambda folder, seed: services(DATA / "tabular", folder, seed), 3 * epochs),
    ]
    for contest in contests:
        short = contest.name.partition("-")[0]
        if short in chosen:
            runs = contest.runs(ledger, seeds)
            tables.append(compared(f"{short}, {contest.epochs} epochs, {seeds} seeds", runs))
            figures += label_figures(short, runs)
    if HOUSING in chosen:
        runs = quantile_contest(ledger, minutes, seeds)
        tables.append(compared(f"{HOUSING}, {minutes:g} minutes of search, {seeds} outer splits", runs))
        figures += quantile_figures(runs)
    print("\n".join(tables) + "\n")
    return Result(figures=figures, notes=NOTES)


def label_figures(name: str, runs: Runs) -> list[Figure]:
    """Points by which one network is above each rival, seed by seed."""
    rivals = [rival for rival in runs if rival != OURS]
    score = "mean average precision"
    gaps = {rival: [a[score] - b[score] for a, b in zip(runs[OURS], runs[rival], strict=True)] for rival in rivals}
    return [Figure.of(f"{name}, mAP above {rival}", gap, unit="points", target=">= 0") for rival, gap in gaps.items()]


def quantile_figures(runs: Runs) -> list[Figure]:
    """How far the coverage is off, and the pinball loss relative to the trees'."""
    off = [scores["coverage"] - INTERVAL for scores in runs[BEST]]
    trees = [scores["coverage"] - INTERVAL for scores in runs[QUANTILE_TREES]]
    ratios = [a["pinball"] / b["pinball"] for a, b in zip(runs[BEST], runs[QUANTILE_TREES], strict=True)]
    return [
        Figure.of("coverage off, best model", off, unit="points", target=f"within {ALLOWED:g}"),
        Figure.of("coverage off, trees", trees, unit="points"),
        Figure.of("pinball relative to trees", ratios, target="<= 1"),
    ]


NOTES = [
    "digits: two MNIST digits side by side, labelled by the set of the two; trees read the pixels.",
    "services: which of seven services a telephone customer has (telco_churn), from contract, charges and personal data.",
    "A network a label: one network per label, with the recipe and the epochs of the one network.",
    "Thresholds, one per label, are those with the highest F1 on the validation rows, for every contestant.",
    "Shares are in percent of the test rows; ± is a standard deviation over the seeds.",
    "Trees are scikit-learn's HistGradientBoosting with its defaults on one thread.",
    "Trees for quantiles learn from all outer training rows; a search keeps some of them for validation.",
]

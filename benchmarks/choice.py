"""The choice of a model: how often it stays, whether the front's order holds on test rows, and the corrected score of guesses.

Three parts:

1. Labels that have nothing to do with the rows: scikit-learn's classifiers are trained on shuffled labels of the digits, and the
   best of them is chosen. Its corrected score must cover chance; the raw score of the best is beside it.
2. Simulated models whose true accuracies are known: the bias of the best score, of the corrected score, and of nested scoring,
   where the model is chosen on one half of the rows and scored on the other, both ways.
3. Searches on five data sets (`--minutes` each; 0 leaves them out): the front with and without merged models, on how many of the
   200 resamples of the validation rows the same model is chosen (from the front, and from all finished models), and how often two models of the front whose scores differ
   credibly are in the other order on the test split.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from lepton_automl import AutoML, Budget
from lepton_automl.choice import Candidate, as_good_as_best, candidate
from lepton_automl.corrected import corrected
from lepton_automl.metric import share_interval
from lepton_automl.resampled import ResampledScores, paired_error
from lepton_automl.state import StudyState

from .report import Figure, Result
from .table_rivals.data import Table

Array = NDArray[np.float64]
TABLES = ("german_credit", "phoneme", "abalone", "wine_quality")
ROWS, CHANCE = 300, 0.1  # validation rows, and the accuracy of guesses of ten classes
SIMULATED = ((200, 0.0, 0.5), (200, 0.02, 0.8), (1000, 0.02, 0.8))  # rows, spread and mean of the true accuracies
LUCK = 0.3  # share of a row's difficulty that differs from model to model


def run(*, studies: int = 100, models: int = 20, minutes: float = 0.5) -> Result:
    """Run all parts.

    Args:
        studies: Number of studies with shuffled labels, and of simulated ones of each kind.
        models: Models in each of them.
        minutes: Minutes of each search; 0 for none.
    """
    figures = [*_guesses(studies, models), *_simulated(studies, models)]
    return Result(figures=[*figures, *(_searches(minutes) if minutes else [])])


def _guesses(studies: int, models: int) -> Iterator[Figure]:
    """Classifiers that were trained on shuffled labels."""
    images, labels = load_digits(return_X_y=True)
    covered, raw, best, expected = [], [], [], []
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        rows, shuffled = rng.permutation(len(labels)), rng.permutation(labels)
        train, validation = rows[:ROWS], rows[ROWS : 2 * ROWS]
        right = np.stack(
            [
                (
                    model.fit(images[train][:, columns], shuffled[train]).predict(images[validation][:, columns])
                    == shuffled[validation]
                )
                for model, columns in _classifiers(models, images.shape[1], rng)
            ]
        ).astype(np.float64)
        candidates = _candidates(right, rng)
        known = corrected(candidates, "maximize")
        assert known is not None
        top = max(candidate.score for candidate in candidates)
        low, high = share_interval(top, ROWS)
        covered.append(known.low <= CHANCE <= known.high)
        raw.append(low <= CHANCE <= high)
        best.append(top)
        expected.append(known.score)
    yield Figure(name="chance_covered", value=statistics.mean(covered), target=">= 0.95")
    yield Figure(name="chance_covered_by_best", value=statistics.mean(raw))
    yield Figure.of("guess_best", best)
    yield Figure.of("guess_corrected", expected)


def _classifiers(count: int, columns: int, rng: np.random.Generator) -> Iterator[tuple[Any, NDArray[np.int64]]]:
    """Quick classifiers with random settings, each with the columns that it sees."""
    for number in range(count):
        kinds = (
            KNeighborsClassifier(int(rng.integers(1, 20))),
            DecisionTreeClassifier(max_depth=int(rng.integers(2, 12)), random_state=number),
            GaussianNB(var_smoothing=float(10 ** rng.uniform(-6, 0))),
            RidgeClassifier(alpha=float(10 ** rng.uniform(-1, 4))),
        )
        yield kinds[number % len(kinds)], rng.choice(columns, columns // 2, replace=False)


def _candidates(right: Array, rng: np.random.Generator) -> tuple[Candidate, ...]:
    """Models of similar latencies from which rows each answers right, [models, rows]."""
    rows = right.shape[1]
    counts = np.stack([np.bincount(drawn, minlength=rows) for drawn in rng.integers(rows, size=(200, rows))])
    left = (counts == 0).astype(np.float64)
    bags = [ResampledScores.of(counts @ answers / rows, left @ answers / left.sum(1), {}) for answers in right]
    return tuple(
        Candidate(number, float(answers.mean()), float(rng.uniform(1, 2)), bag.in_bag, bag.out_of_bag)
        for number, (answers, bag) in enumerate(zip(right, bags, strict=True))
    )


def _simulated(studies: int, models: int) -> Iterator[Figure]:
    """Models of known accuracy: the bias of three ways to score the chosen one."""
    for rows, spread, mean in SIMULATED:
        bias: dict[str, list[float]] = {"best": [], "corrected": [], "nested": []}
        covered = []
        for seed in range(studies):
            rng = np.random.default_rng(seed)
            truth = np.clip(mean + spread * rng.normal(size=models), 0.05, 0.99)
            right = _answers(truth, rows, rng)
            candidates = _candidates(right, rng)
            known, chosen = corrected(candidates, "maximize"), as_good_as_best(candidates, "maximize").number
            assert known is not None
            best = int(right.mean(1).argmax())
            bias["best"].append(float(right[best].mean() - truth[best]))
            bias["corrected"].append(known.score - float(truth[chosen]))
            bias["nested"].append(_nested(right, rng) - float(truth[chosen]))
            covered.append(bool(known.low <= truth[chosen] <= known.high))
        kind = f"{rows}_rows_spread_{spread:g}"
        for name, values in bias.items():
            yield Figure(name=f"bias_{name}_{kind}", value=100 * statistics.mean(values), unit="points")
            yield Figure(name=f"error_{name}_{kind}", value=100 * float(np.sqrt(np.mean(np.square(values)))), unit="points")
        yield Figure(name=f"covered_{kind}", value=statistics.mean(covered), target=">= 0.95")


def _answers(truth: Array, rows: int, rng: np.random.Generator) -> Array:
    """Which rows each model answers right; most of a row's difficulty is the same for all models."""
    hard = (1 - LUCK) * rng.random(rows) + LUCK * rng.random((len(truth), rows))
    usual = (1 - LUCK) * rng.random(100_000) + LUCK * rng.random(100_000)
    return (hard < np.quantile(usual, truth)[:, None]).astype(np.float64)


def _nested(right: Array, rng: np.random.Generator) -> float:
    """The best model of one half of the rows is scored on the other half; the mean of both ways."""
    first, second = np.array_split(rng.permutation(right.shape[1]), 2)
    scores = [
        right[right[:, choosing].mean(1).argmax(), scoring].mean() for choosing, scoring in ((first, second), (second, first))
    ]
    return float(np.mean(scores))


def _searches(minutes: float) -> Iterator[Figure]:
    """Searches on the digits and on tables."""
    reversed_pairs, kept = [], []
    for name in ("digits", *TABLES):
        with tempfile.TemporaryDirectory() as home:
            automl = AutoML(name=name, home=home, budget=Budget(minutes=minutes), progress=False)
            if name == "digits":
                study = automl.fit(*load_digits(return_X_y=True), wait=True)
            else:
                table = Table.read(name)
                frame = table.features.assign(**{str(table.target.name): table.target})
                study = automl.fit(frame, target=str(table.target.name), wait=True)
            study.evaluate_test()
            state, known = study.state, study.models.corrected
            yield Figure(name=f"front_{name}", value=len(state.front()))
            yield Figure(name=f"front_with_merged_{name}", value=len(state.front(merged=True)))
            listed = corrected(
                tuple(candidate(state, trial) for trial in state.front()), state.settings.objectives[0].direction
            )
            if known and listed:
                yield Figure(name=f"stays_{name}", value=listed.kept)
                yield Figure(name=f"stays_of_all_{name}", value=known.kept)
                kept.append(listed.kept)
            reversed_pairs += list(_reversed(state))
    yield Figure(name="stays_median", value=statistics.median(kept), target=">= 0.8")
    yield Figure(name="reversed_on_test", value=statistics.mean(reversed_pairs) if reversed_pairs else 0.0, target="<= 0.16")


def _reversed(state: StudyState) -> Iterator[bool]:
    """Whether each two models of the front whose scores differ by more than one standard error are in another order on test rows."""
    metric, tested = state.settings.metric, state.tested
    assert tested is not None
    for first, second in combinations(state.front(), 2):
        bags = [trial.resampled.in_bag if trial.resampled else "" for trial in (first, second)]
        difference = state.score(first) - state.score(second)
        if abs(difference) > paired_error(*bags) and {first.number, second.number} <= tested.scores.keys():
            on_test = tested.scores[first.number][metric] - tested.scores[second.number][metric]
            yield difference * on_test < 0

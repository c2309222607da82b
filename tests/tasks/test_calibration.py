"""Temperatures, and sets and intervals that hold the truth as often as requested."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from lepton_automl.calibration import fit_regions, region_quantile, with_temperature
from lepton_automl.data.temperature import fit_temperature
from lepton_automl.errors import ConfigError
from lepton_automl.metric import values_of
from lepton_automl.shipped import load_decoder
from lepton_automl.tasks.classification import Multiclass, MulticlassOutput
from lepton_automl.tasks.multilabel import LabelSetOutput, Multilabel
from lepton_automl.tasks.quantile import QuantileOutput, QuantileRegression
from lepton_automl.tasks.regression import NumberOutput, Regression

CLASSES = MulticlassOutput(labels=("a", "b", "c"))
LABELS = LabelSetOutput(labels=("red", "blue"))
QUANTILES = QuantileOutput(quantiles=(0.1, 0.5, 0.9))
NUMBERS = NumberOutput()


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def classified(rows, too_sure=1.0, seed=0):
    """Probabilities that are too sure by a factor in the logits, and classes drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, 3))
    targets = (softmax(logits).cumsum(1) < rng.random((rows, 1))).sum(1)
    return softmax(too_sure * logits).astype(np.float32), targets.clip(0, 2)


@pytest.mark.parametrize("too_sure", [0.5, 2.5])
def test_the_temperature_is_the_one_with_the_lowest_loss(too_sure):
    answers, targets = classified(4000, too_sure)
    fitted = fit_temperature(answers, targets)
    assert fitted == pytest.approx(too_sure, rel=0.1)

    def loss(temperature):
        return -np.log(with_temperature(answers, temperature)[np.arange(4000), targets]).mean()

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded")
    assert loss(fitted) == pytest.approx(best.fun, abs=1e-5)


def test_what_chance_explains_is_not_scaled():
    assert fit_temperature(*classified(400)) == 1.0
    assert fit_temperature(np.empty((0, 3)), np.empty(0, int)) == 1.0


@settings(deadline=None)
@given(rows=st.integers(1, 60), power=st.integers(-40, 4), seed=st.integers(0, 99))
def test_a_temperature_is_always_found(rows, power, seed):
    """Also for a model that is right, or wrong, on every row, and for probabilities of 0 and 1."""
    rng = np.random.default_rng(seed)
    answers = softmax(rng.normal(0, 2.0**power, (rows, 3)) * 1e3).astype(np.float32)
    for targets in (answers.argmax(1), answers.argmin(1), rng.integers(0, 3, rows)):
        fitted = fit_temperature(answers, targets)
        scaled = with_temperature(answers, fitted)
        assert 0.05 <= fitted <= 20 and np.isfinite(scaled).all() and np.allclose(scaled.sum(1), 1, atol=1e-5)


def test_a_model_without_errors_does_not_become_certain():
    answers = np.full((50, 3), [0.8, 0.1, 0.1], np.float32)
    fitted = fit_temperature(answers, np.zeros(50, int))
    assert fitted < 1 and 0.95 < with_temperature(answers, fitted)[0, 0] < 0.999


def test_a_model_that_is_rightly_certain_stays_so():
    answers = np.full((50, 3), [0.998, 0.001, 0.001], np.float32)
    assert fit_temperature(answers, np.zeros(50, int)) == 1.0


def test_scores_are_those_of_the_scaled_probabilities():
    answers, targets = classified(900, 3.0)
    learned = Multiclass().fit_decoder(answers, targets, CLASSES)
    scaled = with_temperature(answers, learned["temperature"])
    torches = [torch.from_numpy(part) for part in (answers, targets)]
    raw, scores = Multiclass().scores(*torches, CLASSES), Multiclass().scores(*torches, CLASSES, learned)
    assert scores["accuracy"] == raw["accuracy"] and scores["log_loss"] < raw["log_loss"] - 0.05
    assert scores["log_loss"] == pytest.approx(-np.log(scaled[np.arange(900), targets]).mean(), rel=1e-5)
    same = values_of(Multiclass().scorers(CLASSES, learned), answers, targets)
    assert same == pytest.approx(scores, rel=1e-5)
    decoder = load_decoder({"task": "multiclass", "target": "y", **CLASSES.shipped(), "decoder": learned})
    assert np.allclose(decoder.probabilities(answers), scaled, atol=1e-6)
    assert decoder.probabilities(answers).dtype == answers.dtype
    parts = Multiclass().analyze(answers, targets, CLASSES, learned, 3).parts
    assert parts["calibration_error"] < parts["uncalibrated_error"]


def test_every_label_has_its_own_temperature():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (3000, 2))
    targets = (rng.random((3000, 2)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    answers = (1 / (1 + np.exp(-logits * [1.0, 3.0]))).astype(np.float32)
    learned = Multilabel().fit_decoder(answers, targets, LABELS)
    assert learned["temperature"] == pytest.approx([1.0, 3.0], rel=0.1)
    torches = [torch.from_numpy(part) for part in (answers, targets)]
    raw, scores = Multilabel().scores(*torches, LABELS), Multilabel().scores(*torches, LABELS, learned)
    assert scores["log_loss"] < raw["log_loss"]
    assert scores["mean_average_precision"] == pytest.approx(raw["mean_average_precision"])
    parts = Multilabel().analyze(answers, targets, LABELS, learned, 3).parts
    assert parts["calibration_error"] < parts["uncalibrated_error"]


@settings(deadline=None)
@given(rows=st.integers(1, 250), seed=st.integers(0, 99))
def test_the_quantiles_are_exact(rows, seed):
    scores = np.random.default_rng(seed).normal(size=rows)
    regions = fit_regions(lambda _: scores)
    assert json.loads(json.dumps(regions)) == regions
    for level, quantile in zip(regions.get("levels", []), regions.get("quantiles", []), strict=True):
        rank = math.ceil(round((rows + 1) * level, 9))
        assert rank <= rows and quantile == np.sort(scores)[rank - 1]
    assert (0.9 in regions.get("levels", [])) == (rows >= 9)


def test_a_coverage_that_cannot_be_given_is_refused():
    regions = fit_regions(lambda _: np.arange(50.0))
    assert region_quantile(regions, 0.9) == (0.9, 45.0)
    assert region_quantile(regions, 0.921)[0] == 0.93  # the next level above
    for coverage in (0.0, 1.0, 90, -0.1, math.nan, True, "0.9", None):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            region_quantile(regions, coverage)
    with pytest.raises(ConfigError, match=r"takes at least 99 validation rows, and this model has 50[\s\S]*at most 0\.98"):
        region_quantile(regions, 0.99)
    with pytest.raises(ConfigError, match="more than this package calibrates"):
        region_quantile(fit_regions(lambda _: np.arange(5000.0)), 0.9999)
    with pytest.raises(ConfigError, match="no prediction regions"):
        region_quantile(None, 0.9)
    assert fit_regions(lambda _: np.empty(0)) == {} == fit_regions(lambda _: np.array([np.inf] * 30))


def numbers(rows, seed):
    rng = np.random.default_rng(seed)
    answers = rng.normal(0, 3, rows).astype(np.float32)
    return answers, answers + rng.gumbel(size=rows) * (1 + np.abs(answers))


def quantiles(rows, seed):
    answers, targets = numbers(rows, seed)
    width = 0.5 + np.abs(answers)
    return np.stack([answers - width, answers, answers + width], 1), targets


def label_sets(rows, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 2))
    return (1 / (1 + np.exp(-2 * logits))).astype(np.float32), (rng.random((rows, 2)) < 1 / (1 + np.exp(-logits))) * 1.0


def within(regions, targets):
    return (regions[:, 0] <= targets) & (targets <= regions[:, 1])


def named(regions, targets):
    return np.array([CLASSES.labels[at] in labels for labels, at in zip(regions, targets, strict=True)])


def all_named(regions, targets):
    rows = ({LABELS.labels[at] for at in np.flatnonzero(flags)} for flags in targets)
    return np.array([labels <= set(region) for labels, region in zip(rows, regions, strict=True)])


@pytest.mark.parametrize(
    ("task", "output", "drawn", "holds"),
    [
        (Multiclass(), CLASSES, lambda rows, seed: classified(rows, 2.0, seed), named),
        (Regression(), NUMBERS, numbers, within),
        (QuantileRegression(), QUANTILES, quantiles, within),
        (Multilabel(), LABELS, label_sets, all_named),
    ],
)
@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_new_rows_are_covered_as_often_as_requested(task, output, drawn, holds, coverage):
    """On average over calibrations, by the theorem: from the coverage up to one row's share more."""
    rows, repeats, shares = 59, 150, []
    for seed in range(repeats):
        answers, targets = drawn(rows + 400, seed)
        regions = task.fit_regions(answers[:rows], targets[:rows], output, {})
        decoder = load_decoder({"task": task.name, "target": "y", **output.shipped(), "decoder": {"regions": regions}})
        shares.append(holds(decoder.regions(answers[rows:], {}, coverage), targets[rows:]).mean())
    error = 3 * np.std(shares) / math.sqrt(repeats)
    most = 1.0 if task.name == "multilabel" else coverage + 1 / (rows + 1)  # rows without labels have equal scores
    assert coverage - error <= np.mean(shares) <= most + error
    analysis = task.analyze(answers, targets, output, {"regions": regions}, 3).parts["regions"]
    assert [region.level for region in analysis] == [0.8, 0.9, 0.95]
    sizes = [region.size for region in analysis]
    assert sizes == sorted(sizes) and all(0.7 < region.covered <= 1 for region in analysis)


def test_a_set_names_the_most_probable_label_first_and_may_be_empty():
    regions = {"rows": 99, "levels": [0.5, 0.9], "quantiles": [-0.6, -0.2]}
    decoder = load_decoder({"task": "multiclass", "target": "y", **CLASSES.shipped(), "decoder": {"regions": regions}})
    outputs = np.array([[0.3, 0.7, 0.0], [0.4, 0.3, 0.3]], np.float32)
    assert decoder.regions(outputs, {}, 0.9).tolist() == [["b", "a"], ["a", "b", "c"]]
    assert decoder.regions(outputs, {}, 0.5).tolist() == [["b"], []]
    assert decoder.regions(outputs[:0], {}, 0.5).tolist() == []

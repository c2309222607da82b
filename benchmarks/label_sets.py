"""Data whose rows have sets of labels, and three ways to learn them: one network, a network per label, boosted trees per label."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from lepton_automl import families
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data, Split, open_data, open_test
from lepton_automl.data.options import DataOptions
from lepton_automl.jobs import CONTINUE
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.task import task_of
from lepton_automl.tasks.classification import BinaryOutput
from lepton_automl.tasks.multilabel.decoder import LabelSetDecoder
from lepton_automl.training.fit import fit

Array = NDArray[Any]
DIGITS = 10
SERVICES = (
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
    "MultipleLines",
)
NOT_SERVICES = ("customerID", "Churn")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.2
ROWS = 512  # per call


# Data


@dataclass(frozen=True)
class LabelSets:
    """Prepared data with sets of labels, and the same rows as features for trees.

    Args:
        data: The training and validation rows.
        test: The test rows.
        trees: Features of the training, validation and test rows.
    """

    data: Data
    test: Split
    trees: tuple[Any, Any, Any]


def digits(mnist: Path, folder: Path, rows: int, seed: int) -> LabelSets:
    """Two MNIST digits side by side, 28 x 56 pixels; their labels are the set of the two.

    Training and validation pairs are made from MNIST's training images; test pairs, as many as validation pairs, from its test
    images.
    """
    held_out = round(rows * VALIDATION_SHARE)
    options = DataOptions(folds=0, seed=seed, validation_share=VALIDATION_SHARE, task="multilabel")
    train, test = pairs(mnist, "train", rows, seed), pairs(mnist, "t10k", held_out, seed)
    data = open_data(train, folder, options, test=test)
    held = open_test(data.spec)
    pixels = [split.inputs["image"].numpy().reshape(len(split), -1) for split in (data.train, data.validation, held)]
    return LabelSets(data, held, (pixels[0], pixels[1], pixels[2]))


def pairs(mnist: Path, part: str, rows: int, seed: int) -> tuple[Array, pd.DataFrame]:
    """Pairs of random images [N, 28, 56], and their labels as zeros and ones [N, 10]."""
    images = _idx(mnist / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    classes = _idx(mnist / f"{part}-labels-idx1-ubyte.gz", 8)
    left, right = np.random.default_rng(seed).integers(len(images), size=(2, rows))
    labels = np.zeros((rows, DIGITS), np.int64)
    labels[np.arange(rows), classes[left]] = labels[np.arange(rows), classes[right]] = 1
    return np.concatenate([images[left], images[right]], axis=2), pd.DataFrame(
        labels, columns=[f"digit {n}" for n in range(DIGITS)]
    )


def _idx(path: Path, header: int) -> Array:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)[header:]


def services(tables: Path, folder: Path, seed: int) -> LabelSets:
    """Which services a customer of a telephone company has, predicted from contract, charges and personal data."""
    frame = pd.read_csv(tables / "telco_churn.csv.gz")
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    labels = (frame[list(SERVICES)] == "Yes").astype(np.int64)
    features = frame.drop(columns=[*SERVICES, *NOT_SERVICES])
    order, rows = np.random.default_rng(seed).permutation(len(frame)), len(frame)
    test_rows, validation_rows = round(TEST_SHARE * rows), round(VALIDATION_SHARE * (1 - TEST_SHARE) * rows)
    test, validation, train = (np.sort(part) for part in np.split(order, [test_rows, test_rows + validation_rows]))
    split = np.full(rows, "train", object)
    split[validation], split[test] = "validation", "test"
    data = open_data(features.join(labels).assign(split=split), folder, DataOptions(target=SERVICES, folds=0, seed=seed))
    typed = features.astype(dict.fromkeys(features.select_dtypes(["object", "string"]).columns, "category"))
    ordered = labels[list(data.spec.classes)].to_numpy()
    assert np.array_equal(data.train.targets.numpy(), ordered[train])  # the trees' rows are in the same order
    assert np.array_equal(data.validation.targets.numpy(), ordered[validation])
    return LabelSets(data, open_test(data.spec), (typed.iloc[train], typed.iloc[validation], typed.iloc[test]))


# Contestants


@dataclass(frozen=True)
class Answers:
    """Probabilities of the labels [N, K], and their cost.

    Args:
        validation: Probabilities for the validation rows.
        test: Probabilities for the test rows.
        seconds: CPU seconds of training.
        test_seconds: CPU seconds of predicting the test rows.
    """

    validation: Array
    test: Array
    seconds: float
    test_seconds: float

    def scores(self, sets: LabelSets) -> dict[str, float]:
        """scikit-learn's scores on the test rows in percent, with a threshold for each label that is tuned on the validation rows."""
        spec = sets.data.spec
        known, truth = sets.data.validation.targets.numpy(), sets.test.targets.numpy()
        fitted = task_of(spec).fit_decoder(self.validation, known, spec.output)
        decoder = LabelSetDecoder({**spec.output.shipped(), "decoder": fitted})
        chosen = decoder.probabilities(self.test) >= decoder.thresholds
        return {
            "mean average precision": 100 * float(average_precision_score(truth, self.test, average="macro")),
            "micro F1": 100 * float(f1_score(truth, chosen, average="micro")),
            "macro F1": 100 * float(f1_score(truth, chosen, average="macro")),
            "subset accuracy": 100 * float(accuracy_score(truth, chosen)),
            "CPU seconds to train": self.seconds,
            "CPU microseconds a row": 1e6 * self.test_seconds / len(truth),
        }


def one_network(sets: LabelSets, epochs: int, seed: int) -> Answers:
    """One network with an output for each label."""
    return _trained(sets.data, sets.test, epochs, seed)


def network_a_label(sets: LabelSets, epochs: int, seed: int) -> Answers:
    """One-vs-rest: a network of the same recipe for each label, each trained for the same number of epochs."""
    each = []
    for label in range(len(sets.data.spec.classes)):
        spec = sets.data.spec.replace(output=BinaryOutput(labels=(0, 1)))
        parts = [
            Split(part.inputs, part.targets[:, label].long()) for part in (sets.data.train, sets.data.validation, sets.test)
        ]
        data = replace(sets.data, spec=spec, train=parts[0], validation=parts[1])
        each.append(_trained(data, parts[2], epochs, seed))
    validation, test = (np.stack([getattr(single, name)[:, 1] for single in each], 1) for name in ("validation", "test"))
    return Answers(validation, test, sum(single.seconds for single in each), sum(single.test_seconds for single in each))


def _trained(data: Data, test: Split, epochs: int, seed: int) -> Answers:
    """Train the family's default network with its usual training plan."""
    began, config = time.process_time(), families.space_for(data.spec).nearest({})
    plan = families.plan_of(config, families.usual_plan(data.spec), data.spec).replace(seed=seed, epochs=epochs)
    model = build(families.draw(families.room(config, "model"), data.spec), seed)
    fit(model, DataModule(data, plan), plan, spec=data.spec, on_epoch=lambda *_: CONTINUE)
    seconds, answering = time.process_time() - began, deployable(model, data.spec)
    validation = _predicted(answering, data.validation)
    began = time.process_time()
    answers = _predicted(answering, test)
    return Answers(validation, answers, seconds, time.process_time() - began)


def _predicted(model: Any, split: Split) -> Array:
    with torch.inference_mode():
        return np.concatenate([model(**split.rows(slice(at, at + ROWS)).inputs).numpy() for at in range(0, len(split), ROWS)])


def trees_a_label(sets: LabelSets, epochs: int, seed: int) -> Answers:
    """scikit-learn's one-vs-rest of histogram gradient boosting with its defaults, on one thread."""
    del epochs
    train, validation, test = sets.trees
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)
    with threadpool_limits(1):
        began = time.process_time()
        model = OneVsRestClassifier(trees).fit(train, sets.data.train.targets.numpy())
        seconds, known = time.process_time() - began, model.predict_proba(validation)
        began = time.process_time()
        answers = model.predict_proba(test)
    return Answers(known, answers, seconds, time.process_time() - began)


CONTESTANTS = {"one network": one_network, "a network a label": network_a_label, "trees a label": trees_a_label}

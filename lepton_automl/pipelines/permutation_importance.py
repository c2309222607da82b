"""Permutation importance of columns, and importance of regions of images by occlusion.

The importance of a column is how much worse the metric becomes once its values are permuted among the rows (Breiman, Random
Forests, Machine Learning 45, 2001). That of a region is how much worse it becomes once the region is covered (Zeiler and Fergus,
Visualizing and Understanding Convolutional Networks, ECCV 2014).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lepton_automl.data.open import Data, Split, open_test
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.errors import DataError
from lepton_automl.metric import value_of
from lepton_automl.modality import PerturbableModality, modality_of
from lepton_automl.permutation_importance import PartImportance, PermutationImportance, PermutationImportanceJob
from lepton_automl.specs import DataSpec
from lepton_automl.task import metrics_of
from lepton_automl.training.scores import in_target_unit, scorers_of

from .pack import decoder_of, predict_rows, weights_of
from .worker_cache import cached_data

LEAST_REPEATS, LEAST_ROWS = 2, 100  # time is saved by repeats down to these, then by rows, then by parts
SEED = 0

Clock = Callable[[], float]  # in seconds


def permutation_importance(job: PermutationImportanceJob, clock: Clock = time.monotonic) -> PermutationImportance:
    """Measure the importance of the parts of a finished model's input, with the model in its own runtime.

    Raises:
        DataError: There are no rows to score, the metric is not defined on them, or examples of this modality have no parts.
    """
    deadline, data = clock() + job.seconds, cached_data(job.trial.data)
    whole, rng = _split(job, data), np.random.default_rng(SEED)
    perturbed = _Perturbed(job, data, _drawn(whole, job.rows, rng), rng)
    parts = perturbed.parts
    began = clock()
    perturbed.drop(0)
    passes = (deadline - clock()) / max(clock() - began, 1e-9)
    repeats, rows = affordable(len(parts.names), len(perturbed.split), job.repeats if parts.permuted else 1, passes)
    if rows < len(perturbed.split):
        perturbed = _Perturbed(job, data, perturbed.split.rows(slice(0, rows)), rng)  # they are in random order
    if math.isnan(perturbed.score):
        raise DataError(f"{job.trial.metric} is not defined on these {rows:,} rows", where=data.spec.name)
    drops, order = np.full((repeats, len(parts.names)), np.nan), rng.permutation(len(parts.names))
    for repeat, part in ((repeat, part) for repeat in range(repeats) for part in order):
        if clock() > deadline:
            break
        drops[repeat, part] = perturbed.drop(part)
    complete = max(1, int(np.isfinite(drops).all(1).sum()))
    measured = np.isfinite(drops[0])
    missing = np.flatnonzero(~measured)
    importances = [
        PartImportance(name=name, drop=float(column.mean()), deviation=float(column.std()))
        for name, column, known in zip(parts.names, drops[:complete].T, measured, strict=True)
        if known
    ]
    return PermutationImportance(
        trial=job.trial.trial,
        split=job.split,
        metric=job.trial.metric,
        score=perturbed.score,
        rows=len(perturbed.split),
        split_rows=len(whole),
        repeats=complete,
        parts=tuple(importances if parts.grid else sorted(importances, key=lambda part: -part.drop)),
        grid=parts.grid,
        picture=parts.picture,
        left_out=tuple(parts.names[part] for part in missing),
        left_out_drop=perturbed.drop(*missing) if len(missing) else None,
    )


class _Perturbed:
    """A model's score on rows without some of their parts.

    Args:
        job: The model.
        data: Its data.
        split: The rows.
        rng: Draws what replaces a part.
    """

    def __init__(self, job: PermutationImportanceJob, data: Data, split: Split, rng: np.random.Generator) -> None:
        self.split, self._data, self._rng = split, data, rng
        self._modality = perturbable(data.spec)
        self._inputs = {name: part.numpy() for name, part in split.inputs.items()}
        self._model = open_bundle(Path(job.bundle), job.trial.deployment.threads)
        self._scorer = scorers_of(data.spec, decoder_of(Path(job.bundle)))[job.trial.metric]
        self._sign = 1 if metrics_of(data.spec)[job.trial.metric].direction == "maximize" else -1
        self._truth = in_target_unit(split.targets, data.spec).numpy()
        self.parts = self._modality.parts(data.spec, data.preprocess, self._inputs)
        self.score = self._score(self._inputs)

    def drop(self, *parts: int) -> float:
        """How much worse the score is without some parts."""
        changed = self._modality.perturbed(self._data.spec, self._data.preprocess, self._inputs, parts, self._rng)
        return self._sign * (self.score - self._score(changed))

    def _score(self, inputs: dict[str, NDArray[Any]]) -> float:
        return value_of(self._scorer, predict_rows(self._model, inputs), self._truth, weights_of(self.split))


def perturbable(spec: DataSpec) -> PerturbableModality:
    """The modality of prepared data, if its examples have parts.

    Raises:
        DataError: They have none.
    """
    modality = modality_of(spec)
    if not isinstance(modality, PerturbableModality):
        what = f"importance is not available for the modality {spec.modality!r}"
        raise DataError(what, where=spec.name, fix="Its plug-in does not define the parts of an example.")
    return modality


def _split(job: PermutationImportanceJob, data: Data) -> Split:
    """The rows to score.

    Raises:
        DataError: There are none.
    """
    split = open_test(data.spec) if job.split == "test" else data.train if job.split == "train" else data.validation
    if not len(split):
        raise DataError(
            f"there are no {job.split} rows", where=data.spec.name, fix='Use split="train", or "test" once it is open.'
        )
    return split


def _drawn(split: Split, most: int, rng: np.random.Generator) -> Split:
    """The rows in random order, or some of them."""
    return split.rows(torch.from_numpy(rng.permutation(len(split))[:most]))


def affordable(parts: int, rows: int, repeats: int, passes: float) -> tuple[int, int]:
    """How often each part is perturbed, and on how many rows.

    Args:
        parts: Number of parts.
        rows: Number of rows that there are.
        repeats: Repeats that are asked for.
        passes: Predictions of all rows for which there is time.
    """
    least = min(repeats, LEAST_REPEATS)
    if passes >= parts * least:
        return min(repeats, int(passes // parts)), rows
    return least, min(rows, max(LEAST_ROWS, int(rows * passes / (parts * least))))

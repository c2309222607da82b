"""Scores of a constant answer and of gradient-boosted trees, on the rows that networks are scored on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lepton_automl.arrays import Array
from lepton_automl.data.boosted_trees import MOST_CODES, ROUNDS
from lepton_automl.data.open import Data
from lepton_automl.errors import in_one_line
from lepton_automl.family import family_for
from lepton_automl.modality import modality_of
from lepton_automl.models.build import build
from lepton_automl.plans import TrainPlan
from lepton_automl.reference_scores import CONSTANT, TREES, Reference, ReferenceScores, ReferencesJob
from lepton_automl.specs import DataSpec
from lepton_automl.task import TreeTask, task_of
from lepton_automl.training.scores import in_target_unit, scores
from lepton_automl.training.solve import solve_linear

from .worker_cache import cached_data

CHUNK = 1_024  # rows whose features are computed at once
FLAT = 2  # axes of an array whose columns trees can use


def score_references(job: ReferencesJob) -> ReferenceScores:
    """Fit a constant and trees to the training rows, and score them; with folds, on the rows of each fold that is reached."""
    data = cached_data(job.data)
    constant = Reference(name=CONSTANT, scores=_scores_of(lambda part: (_constant(part), 0), data)[0])
    try:
        trees = _trees(job, data)
    except Exception as error:  # they are only a reference: the search goes on without them
        return ReferenceScores(references=(constant,), missing=in_one_line(error))
    if trees is None:
        return ReferenceScores(references=(constant,), missing="the task or the kind of data has none")
    return ReferenceScores(references=(constant, trees))


def _splits(data: Data) -> Iterator[Data]:
    yield from (data.fold(number) for number in range(data.spec.folds)) if data.spec.folds else (data,)


def _scores_of(
    fit: Callable[[Data], tuple[Array | Tensor, int]], data: Data, more: Callable[[], bool] = lambda: True
) -> tuple[dict[str, float], int, int]:
    """Scores of what is fitted to each split, its rounds, and how many splits there was time for."""
    answers, truth, rounds = [], [], 0
    for number, part in enumerate(_splits(data)):
        if number and not more():
            break
        answer, grown = fit(part)
        answers.append(torch.as_tensor(answer).float())
        truth.append(in_target_unit(part.validation.targets, part.spec))
        rounds += grown
    return scores(torch.cat(answers), torch.cat(truth), data.spec), rounds, len(answers)


def _constant(data: Data) -> Tensor:
    """The answer with the smallest loss on the training rows, for every validation row."""
    task, targets = task_of(data.spec), data.train.targets
    solution = solve_linear(torch.zeros(len(targets), 1), targets, task.criterion(data.spec, TrainPlan()), data.spec.outputs)
    outputs = solution.bias.expand(len(data.validation), -1)
    answer: Tensor = task.answers(data.spec.output, members=False, unit=True)(outputs)
    return answer


def _trees(job: ReferencesJob, data: Data) -> Reference | None:
    task, columns = task_of(data.spec), _columns_of(data.spec)
    if not isinstance(task, TreeTask) or columns is None:
        return None
    began = time.monotonic()
    folds = max(1, data.spec.folds)

    def fit(part: Data) -> tuple[Array, int]:
        end = time.monotonic() + job.seconds / folds
        rows, categorical = columns(part.train.inputs)
        settings = {"categorical_features": categorical or None, "random_state": job.seed}
        trees = task.boosted_trees(part.spec.output, settings)
        targets = in_target_unit(part.train.targets, part.spec).numpy()
        grown = trees.fit(rows, targets, lambda: end - time.monotonic())
        return trees.answers(columns(part.validation.inputs)[0]), grown

    found, rounds, reached = _scores_of(fit, data, lambda: time.monotonic() - began < job.seconds)
    complete = reached == folds and rounds >= ROUNDS * folds
    return Reference(name=TREES, scores=found, seconds=time.monotonic() - began, rounds=rounds, complete=complete)


Columns = Callable[[dict[str, Tensor]], tuple[Array, list[int]]]


def _columns_of(spec: DataSpec) -> Columns | None:
    """What makes columns for trees from stored rows, [N, F], and which of them are categories; None if nothing does.

    Tables have columns already; other data are seen as their linear model sees them.
    """
    baseline = modality_of(spec).baseline
    features: Any = None
    if baseline:
        family = family_for(spec, baseline)
        features = getattr(build(family.recipe({}, spec)), "features", None)

    def columns(inputs: dict[str, Tensor]) -> tuple[Array, list[int]]:
        if all(part.ndim == FLAT for part in inputs.values()):
            kinds = [not part.is_floating_point() for part in inputs.values() for _ in range(part.shape[1])]
            rows = np.concatenate([part.numpy().astype(np.float32) for part in inputs.values()], 1)
            return rows, [at for at, codes in enumerate(kinds) if codes and rows[:, at].max(initial=0) < MOST_CODES]
        with torch.no_grad():
            count = len(next(iter(inputs.values())))
            parts = [
                features(**{name: part[at : at + CHUNK] for name, part in inputs.items()}) for at in range(0, count, CHUNK)
            ]
        return torch.cat(parts).numpy(), []

    return columns if features is not None else None

"""The outputs of a teacher for the training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lepton_automl.data.open import Data
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.errors import DataError
from lepton_automl.jobs import Teacher
from lepton_automl.specs import DataSpec
from lepton_automl.task import TeachableTask, task_of

from .pack import ROWS, predict_split
from .worker_cache import cached_data

KEPT = 4  # teachers whose outputs a worker keeps, as several trials in a row have the same one

_kept: dict[tuple[Teacher, DataSpec, int], Tensor] = {}


def with_teacher(data: Data, teacher: Teacher | None, wait: Callable[[], None] = lambda: None) -> Data:
    """The data with a teacher's outputs for the training rows; unchanged without a teacher.

    Args:
        data: The data, or all their rows as training rows.
        teacher: The teacher.
        wait: Called some times a second; returns when work may go on.

    Raises:
        DataError: The answers do not fit the rows.
    """
    task = task_of(data.spec)
    if teacher is None or not isinstance(task, TeachableTask):
        return data
    key = teacher, data.spec, len(data.train)
    if key not in _kept:
        parts = [
            _answers(Path(bundle), data.spec.replace(input=own), len(data.train), wait) for bundle, own in teacher.networks
        ]
        if teacher.answers:
            parts.append(_given(Path(teacher.answers), len(data.train)))
        outputs = task.outputs_of(torch.stack(parts).mean(0), data.spec.output)
        if not outputs.isfinite().all():
            fix = "Give an answer for every row that is not a test row."
            raise DataError("a teacher's answers for training rows are missing or not finite", where="teacher", fix=fix)
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = outputs
    return replace(data, train=replace(data.train, teacher=_kept[key]))


def _answers(bundle: Path, spec: DataSpec, count: int, wait: Callable[[], None]) -> Tensor:
    """A finished model's answers for the first rows of the data in the size that it takes, in the target's own unit."""
    data, model = cached_data(spec), open_bundle(bundle)
    rows = (data if count == spec.train else data.whole()).train
    parts = []
    for at in range(0, count, ROWS):
        wait()
        parts.append(torch.from_numpy(predict_split(model, rows.rows(slice(at, at + ROWS)))))
    return torch.cat(parts)


def _given(path: Path, count: int) -> Tensor:
    answers = torch.from_numpy(np.load(path, allow_pickle=False))
    if len(answers) < count:
        raise DataError(
            f"there are {len(answers):,} answers for {count:,} rows", where=str(path), fix="Prepare the study again."
        )
    return answers[:count].float()

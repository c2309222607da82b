"""Out-of-fold predictions of a cross-validated trial: each fold is predicted by a network trained without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lepton_automl.data.open import Data, Split, joined_weights
from lepton_automl.error_analysis import HELD_OUT
from lepton_automl.errors import DataError


def save_held_out(folder: Path, answers: Iterable[Tensor]) -> None:
    """Save the predictions in a trial's folder, fold by fold; if the disk is full, only the error analysis is lost."""
    with contextlib.suppress(OSError):
        np.save(folder / HELD_OUT, torch.cat(list(answers)).numpy())


def held_out(folder: Path, data: Data) -> tuple[Split, NDArray[Any]]:
    """The held-out rows, fold by fold, and their predictions.

    Raises:
        DataError: There are no predictions, or they do not match the data.
    """
    folds = [data.fold(number).validation for number in range(data.spec.folds)]
    try:
        answers: NDArray[Any] = np.load(folder / HELD_OUT, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        answers = np.empty(0)
    if not folds or len(answers) != sum(map(len, folds)):
        fix = 'Call evaluate_test(), then analyze_errors(split="test").'
        raise DataError("there are no predictions on held-out rows here", where=str(folder), fix=fix)
    inputs = {name: torch.cat([fold.inputs[name] for fold in folds]) for name in folds[0].inputs}
    return Split(inputs, torch.cat([fold.targets for fold in folds]), joined_weights(folds)), answers

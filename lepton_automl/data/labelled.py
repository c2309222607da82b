"""A user's own rows and targets in the form that the network's `forward` takes: no preparation, no augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lepton_automl import plugins
from lepton_automl.errors import Complaints, DataError
from lepton_automl.specs import DataSpec, InputSpec
from lepton_automl.task import Task, task_named

from .open import Split

ROWS = "rows"  # the name of the one input
HOLD_OUT_EVERY = 5  # one row in this many is held out if no validation data are given
MIN_ROWS = 20

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LabelledSplits:
    """Training and validation rows.

    Args:
        spec: Describes the targets; numbers are standardised by it.
        train: The training rows.
        validation: The validation rows.
    """

    spec: DataSpec
    train: Split
    validation: Split


def read_pairs(source: Any, complaints: Complaints, name: str) -> Pairs | None:
    """Rows [N, ...] and targets [N] of a pair of arrays, a Dataset of pairs or a DataLoader of pairs; None with a complaint.

    A loader is iterated once, so random augmentation in it is drawn once and then stays fixed. The global random state is
    left unchanged.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # a shuffling loader gives the same order every time
            pair = _concatenated(source) if isinstance(source, DataLoader | Dataset) else source
        rows, targets = (part if isinstance(part, Tensor) else torch.from_numpy(np.array(part)) for part in pair)
    except Exception as error:
        fix = "Give (x, y) as arrays or tensors, or a Dataset or DataLoader of such pairs."
        complaints.add(f"{name} cannot be read: {type(error).__name__}: {str(error).partition(chr(10))[0]}.", fix)
        return None
    rows, targets = rows.detach(), targets.detach()
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    before = len(complaints.found)
    complaints.check(len(rows) == len(targets), f"{name} has {len(rows)} rows and {len(targets)} targets.")
    complaints.check(
        targets.ndim == 1, f"the targets of {name} have shape {list(targets.shape)}.", "Give [N]: class indices or values."
    )
    complaints.check(len(rows) >= MIN_ROWS, f"{name} has {len(rows)} rows.", f"At least {MIN_ROWS} are needed.")
    if rows.is_floating_point():
        complaints.check(bool(rows.isfinite().all()), f"{name} contains values that are not finite.")
    if targets.is_floating_point():
        complaints.check(bool(targets.isfinite().all()), f"the targets of {name} are not all finite.")
    elif len(targets):
        complaints.check(
            int(targets.min()) >= 0,
            f"the targets of {name} contain {int(targets.min())}.",
            "Number the classes 0, 1, 2 and so on.",
        )
    if len(complaints.found) > before:
        return None
    rows = rows.float() if rows.dtype == torch.float64 else rows
    return rows, targets.float() if targets.is_floating_point() else targets.long()


def _concatenated(source: Any) -> Pairs:
    batches = list(source if isinstance(source, DataLoader) else DataLoader(source, batch_size=256))
    return torch.cat([torch.as_tensor(rows) for rows, *_ in batches]), torch.cat(
        [torch.as_tensor(targets) for _, targets, *_ in batches]
    )


def hold_out(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """Hold out a fifth of the rows, spread evenly over the classes or values."""
    rows, targets = pairs
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    order = order[targets[order].argsort(stable=True)]
    held = torch.zeros(len(targets), dtype=torch.bool)
    held[order[HOLD_OUT_EVERY // 2 :: HOLD_OUT_EVERY]] = True
    return (rows[~held], targets[~held]), (rows[held], targets[held])


def labelled(train: Pairs, validation: Pairs, outputs: int, *, standardise: bool = True) -> LabelledSplits:
    """Training and validation rows, with a description of their targets.

    Args:
        train: The training rows; integer targets are classes, others values.
        validation: The validation rows.
        outputs: Numbers that the network outputs for one row: one per class if targets are classes.
        standardise: Whether values are standardised.
    """
    task = _task_of(train[1])
    output = task.output_of_tensor(train[1].numpy(), outputs, standardise=standardise)
    spec = DataSpec(
        name=ROWS,
        folder="",
        target="y",
        input=ArrayInput(shape=tuple(train[0].shape[1:])),
        output=output,
        train=len(train[1]),
        validation=len(validation[1]),
        test=0,
    )
    splits = [
        Split({ROWS: rows}, torch.from_numpy(task.stored(targets.numpy(), output))) for rows, targets in (train, validation)
    ]
    return LabelledSplits(spec, *splits)


def _task_of(targets: Tensor) -> Task:
    """The task that accepts these targets.

    Raises:
        DataError: No task does.
    """
    for name in plugins.names("tasks"):
        if task_named(name).fits_tensor(targets.numpy()):
            return task_named(name)
    what = f"no task supports targets of shape {list(targets.shape)} and type {targets.dtype}"
    raise DataError(what, where="targets", fix="Give [N]: class indices or values.")


@dataclass(frozen=True, kw_only=True)
class ArrayInput(InputSpec):
    """One row of a user's own arrays.

    Args:
        shape: The shape of the row.
    """

    kind = ROWS

    shape: tuple[int, ...]

    @property
    def network_shape(self) -> tuple[int, ...]:
        """The shape of the row."""
        return self.shape

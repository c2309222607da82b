"""A person's own rows with their targets, as the network's `forward` takes them: no preparing, no augmenting."""

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
HELD = 5  # one row of so many is held out where nothing else is given to choose by
FEWEST = 20

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Labelled:
    """Rows to learn from and rows to choose by.

    Args:
        spec: What the targets are; numbers are standardised by it.
        train: To learn from.
        validation: To choose by.
    """

    spec: DataSpec
    train: Split
    validation: Split


def read_pairs(source: Any, complaints: Complaints, called: str) -> Pairs | None:
    """Rows [N, ...] and targets [N] of a pair of arrays, a Dataset of pairs or a DataLoader of pairs; None with a complaint.

    A loader is walked once, so that random augmentation in it is frozen. The global random state is left as it was.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # a loader that shuffles shuffles alike every time
            pair = _walked(source) if isinstance(source, DataLoader | Dataset) else source
        rows, targets = (part if isinstance(part, Tensor) else torch.from_numpy(np.array(part)) for part in pair)
    except Exception as error:
        fix = "Give (x, y) as arrays or tensors, or a Dataset or DataLoader of such pairs."
        complaints.add(f"{called} cannot be read: {type(error).__name__}: {str(error).partition(chr(10))[0]}.", fix)
        return None
    rows, targets = rows.detach(), targets.detach()
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    before = len(complaints.found)
    complaints.check(len(rows) == len(targets), f"{called} has {len(rows)} rows and {len(targets)} targets.")
    complaints.check(
        targets.ndim == 1, f"the targets of {called} are {list(targets.shape)}.", "Give [N]: class indices or values."
    )
    complaints.check(len(rows) >= FEWEST, f"{called} has {len(rows)} rows.", f"At least {FEWEST} are needed.")
    if rows.is_floating_point():
        complaints.check(bool(rows.isfinite().all()), f"{called} holds numbers that are not finite.")
    if targets.is_floating_point():
        complaints.check(bool(targets.isfinite().all()), f"the targets of {called} are not all finite.")
    elif len(targets):
        complaints.check(
            int(targets.min()) >= 0,
            f"the targets of {called} go down to {int(targets.min())}.",
            "Classes are 0, 1, 2 and so on.",
        )
    if len(complaints.found) > before:
        return None
    rows = rows.float() if rows.dtype == torch.float64 else rows
    return rows, targets.float() if targets.is_floating_point() else targets.long()


def _walked(source: Any) -> Pairs:
    batches = list(source if isinstance(source, DataLoader) else DataLoader(source, batch_size=256))
    return torch.cat([torch.as_tensor(rows) for rows, *_ in batches]), torch.cat(
        [torch.as_tensor(end) for _, end, *_ in batches]
    )


def hold_out(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """A fifth of the rows held out, of every class, or of low and high values alike."""
    rows, targets = pairs
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    order = order[targets[order].argsort(stable=True)]
    held = torch.zeros(len(targets), dtype=torch.bool)
    held[order[HELD // 2 :: HELD]] = True
    return (rows[~held], targets[~held]), (rows[held], targets[held])


def labelled(train: Pairs, validation: Pairs, outputs: int, *, standardise: bool = True) -> Labelled:
    """Both kinds of rows, with what their targets are.

    Args:
        train: To learn from; whole numbers are classes, others values.
        validation: To choose by.
        outputs: Numbers that the network gives for one row: its classes, where targets are classes.
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
    return Labelled(spec, *splits)


def _task_of(targets: Tensor) -> Task:
    """The task that bare targets are of.

    Raises:
        DataError: None is known for them.
    """
    for name in plugins.names("tasks"):
        if task_named(name).fits_tensor(targets.numpy()):
            return task_named(name)
    what = f"targets {list(targets.shape)} of {targets.dtype} are of no task that is known"
    raise DataError(what, where="targets", fix="Give [N]: class indices or values.")


@dataclass(frozen=True, kw_only=True)
class ArrayInput(InputSpec):
    """One row of a user's own arrays, as the network takes it.

    Args:
        shape: Its shape.
    """

    kind = ROWS

    shape: tuple[int, ...]

    @property
    def network_shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.shape

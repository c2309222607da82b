"""Rows assigned to splits, with their targets: the part common to all modalities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.modality import Prepared
from lepton_automl.specs import DataSpec, OutputSpec
from lepton_automl.task import Targets, task_named

from .options import DataOptions
from .splits import TEST, TRAIN, VALIDATION, Plan, Roles, assign
from .store import ROWS, SOURCE_ROWS, TEST_FOLDER, write_split


@dataclass(frozen=True)
class SplitDataset:
    """The targets, and which rows are for training, validation and test.

    Args:
        targets: The targets.
        roles: The roles of the same rows.
        target: The target's name.
        options: The user's options.
        spec: The task's part of the `DataSpec`.
    """

    targets: Targets
    roles: Roles
    target: str
    options: DataOptions
    spec: OutputSpec

    @property
    def rows(self) -> Array:
        """The source's rows that have a target."""
        return self.targets.rows

    @property
    def train(self) -> Array:
        """The training rows."""
        return self.roles.rows(TRAIN)

    @property
    def train_targets(self) -> Array | None:
        """The training rows' targets, for fitting; None with cross-validation, as they include those of held-out folds."""
        return None if self.roles.folds else self.targets.encoded[self.train]

    @property
    def order(self) -> Array:
        """The training rows, then the validation rows: the order they are stored in."""
        return np.concatenate([self.train, self.roles.rows(VALIDATION)])

    @property
    def output(self) -> dict[str, Any]:
        """What a model of these data predicts, as JSON."""
        return {"task": self.targets.task, "target": self.target, **self.spec.shipped()}

    def write(self, prepared: Prepared, folder: Path, name: str) -> DataSpec:
        """Write the training and validation rows to one folder, and the test rows to another.

        Args:
            prepared: The examples as arrays.
            folder: The data's folder.
            name: The display name if the options set none.

        Returns:
            The spec of the data, without its digest.
        """
        targets = task_named(self.targets.task).stored(self.targets.encoded, self.spec)
        folds = {"fold": self.roles.fold} if self.roles.folds else {}
        weights = {} if prepared.weights is None else {"weight": prepared.weights.astype(np.float32)}
        write_split(folder / ROWS, {**prepared.arrays, "targets": targets, **weights, **folds}, self.order)
        write_split(folder / TEST_FOLDER, {**prepared.arrays, "targets": targets, **weights}, self.roles.rows(TEST))
        np.save(folder / SOURCE_ROWS, self.rows[self.order])
        return DataSpec(
            name=self.options.name or name,
            folder=str(folder.resolve()),
            target=self.target,
            input=prepared.input,
            output=self.spec,
            train=len(self.train),
            validation=len(self.roles.rows(VALIDATION)),
            test=len(self.roles.rows(TEST)),
            folds=self.roles.folds,
            notes=(*self.targets.notes, *self.spec.notes, *self.roles.notes, *prepared.notes),
            warnings=(*self.targets.warnings, *prepared.warnings, *self._shared(prepared.hashes)),
        )

    def _shared(self, hashes: Array) -> tuple[str, ...]:
        """Warnings about held-out examples that are also training examples.

        Args:
            hashes: One number per row, equal for equal examples.
        """
        warnings = []
        for role, name in ((TEST, "test"), (VALIDATION, "validation")):
            held = hashes[self.roles.rows(role)]
            count = int(np.isin(held, hashes[self.train]).sum())
            if count:
                warnings.append(
                    f"{count:,} of {len(held):,} {name} examples are training examples too: scores may be optimistic"
                )
        return tuple(warnings)


def split_dataset(targets: Targets, assigned: Array, target: str, options: DataOptions, **by: Array) -> SplitDataset:
    """Split the rows that have a target.

    Args:
        targets: The targets.
        assigned: int8 [N]: the role that the source sets for each of its rows.
        target: The target's name.
        options: The user's options.
        by: `groups` or `times` of the rows in `targets`.

    Raises:
        DataError: There are too few rows, or the training rows do not contain what is to be predicted.
    """
    task = task_named(targets.task)
    plan = Plan(options.test_share, options.validation_share, options.folds, options.seed)
    strata = task.strata(targets)
    labels = {} if strata is None else {"labels": strata}
    roles = assign(assigned[targets.rows], plan, **labels, **by)
    train = roles.rows(TRAIN)
    task.check_train(targets, train)
    return SplitDataset(targets, roles, target, options, task.output(targets, train, options))

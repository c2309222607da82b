"""Rows dealt to their splits, with their targets: what tables and images have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError
from lepton_automl.specs import DataSpec, Modality

from .options import DataOptions
from .splits import TEST, TRAIN, VALIDATION, Plan, Roles, assign
from .store import ROWS, TEST_FOLDER, write_split
from .targets import Targets, weights

Array = NDArray[Any]
FARTHEST = 1e30  # standard deviations; keeps held-out targets finite in float32


@dataclass(frozen=True)
class Dealt:
    """Who learns what, who is asked what.

    Args:
        told: The targets.
        roles: Of the same rows.
        target: What the targets are called.
        options: What a person said.
    """

    told: Targets
    roles: Roles
    target: str
    options: DataOptions

    @property
    def train(self) -> Array:
        """The training rows."""
        return self.roles.rows(TRAIN)

    @property
    def train_targets(self) -> Array | None:
        """Targets that fitting may look at; None where those of held-out folds are among them."""
        return None if self.roles.folds else self.told.encoded[self.train]

    @property
    def order(self) -> Array:
        """The training rows, then the validation rows: the order they are stored in."""
        return np.concatenate([self.train, self.roles.rows(VALIDATION)])

    @property
    def output(self) -> dict[str, Any]:
        """What a model of these data answers, as JSON."""
        return {"task": self.told.task, "target": self.target, "classes": list(self.told.classes)}

    def spec(self, modality: Modality, shape: tuple[int, ...], folder: Path, name: str) -> DataSpec:
        """What is known of any prepared data."""
        learnt = self.told.encoded[self.train]
        quantity = self.told.task == "regression"
        return DataSpec(
            name=self.options.name or name,
            folder=str(folder.resolve()),
            modality=modality,
            task=self.told.task,
            target=self.target,
            classes=self.told.classes,
            shape=shape,
            target_mean=float(learnt.mean()) if quantity else 0.0,
            target_scale=(float(learnt.std()) or 1.0) if quantity else 1.0,
            train=len(learnt),
            validation=len(self.roles.rows(VALIDATION)),
            test=len(self.roles.rows(TEST)),
            folds=self.roles.folds,
            digest="",
            counts=tuple(np.bincount(learnt, minlength=len(self.told.classes)).tolist()) if self.told.classes else (),
            class_weight=weights(self.options.class_weight, self.told.classes, learnt),
            notes=(*self.told.notes, *self.roles.notes),
            warnings=self.told.warnings,
        )

    def write(self, arrays: dict[str, Array], spec: DataSpec) -> None:
        """Leave the rows to learn and choose from in one folder, and the test rows in another.

        Args:
            arrays: The network's inputs, every row.
            spec: Its folder, and the scale of a regression target.
        """
        targets = self.told.encoded
        if spec.task == "regression":
            standard = (targets - spec.target_mean) / spec.target_scale
            targets = np.clip(standard, -FARTHEST, FARTHEST).astype(np.float32)
        folds = {"fold": self.roles.fold} if self.roles.folds else {}
        write_split(Path(spec.folder) / ROWS, {**arrays, "targets": targets, **folds}, self.order)
        write_split(Path(spec.folder) / TEST_FOLDER, {**arrays, "targets": targets}, self.roles.rows(TEST))

    def shared(self, hashes: Array) -> tuple[str, ...]:
        """Warnings on examples that stand on both sides of a split.

        Args:
            hashes: One number a row, equal for equal examples.
        """
        found = []
        for role, name in ((TEST, "test"), (VALIDATION, "validation")):
            held = hashes[self.roles.rows(role)]
            count = int(np.isin(held, hashes[self.train]).sum())
            if count:
                found.append(f"{count:,} of {len(held):,} {name} examples are training examples too: scores may flatter")
        return tuple(found)


def deal(told: Targets, given: Array, target: str, options: DataOptions, **by: Array) -> Dealt:
    """Split the rows that have a target.

    Args:
        told: The targets.
        given: int8 [N]: roles that the source sets for every one of its rows.
        target: What the targets are called.
        options: What a person said.
        by: `groups` or `times` of the rows in `told`.

    Raises:
        DataError: Too few rows, or no training row is of some class.
    """
    plan = Plan(options.test_share, options.validation_share, options.folds, options.seed)
    labels = {} if told.task == "regression" else {"labels": told.encoded}
    dealt = Dealt(told, assign(given[told.kept], plan, **labels, **by), target, options)
    lacking = sorted(set(range(len(told.classes))) - set(told.encoded[dealt.train].tolist()))
    if lacking:
        names = ", ".join(repr(told.classes[index]) for index in lacking[:5])
        fix = "Split otherwise, or leave these classes out."
        raise DataError(f"no training example is of class {names}", where="splits", fix=fix)
    return dealt

"""A prepared dataset as tensors: in memory if it is small, else memory-mapped."""

from __future__ import annotations

import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lepton_automl.errors import ConfigError, DataError
from lepton_automl.modality import Preprocess, Progress, ScalableModality, modality_of
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec

from .options import DataOptions
from .prepare import prepare
from .store import PREPROCESS, ROWS, TEST_FOLDER, load_spec, read_examples

IN_MEMORY = 1 << 30  # bytes of one array; larger ones are memory-mapped


@dataclass(frozen=True)
class Split:
    """Rows of one split.

    Args:
        inputs: Images `{"image": uint8 [N, C, H, W]}`; tables `{"numeric": float32 [N, F], "categorical": int64 [N, G]}`,
            without a part that has no columns.
        targets: int64 [N] class indices, or float32 [N], standardised by the spec's `target_mean` and `target_scale`.
        weights: float32 [N], the weight of each row in the loss and in scores; None if all count alike.
        teacher: float32 [N, K], a teacher's outputs for the rows, which a network may learn from; None without a teacher.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    weights: Tensor | None = None
    teacher: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, index: Tensor | slice) -> Split:
        """Some of the rows."""
        index = index.nonzero().flatten() if isinstance(index, Tensor) and index.dtype == torch.bool else index

        def chosen(part: Tensor) -> Tensor:
            # Whole rows are copied: for images about twenty times faster than indexing.
            return part[index] if isinstance(index, slice) else part.index_select(0, index)

        return Split(
            {name: chosen(part) for name, part in self.inputs.items()},
            chosen(self.targets),
            None if self.weights is None else chosen(self.weights),
            None if self.teacher is None else chosen(self.teacher),
        )


@dataclass(frozen=True)
class Data:
    """The training and validation rows of a dataset, never its test rows.

    Args:
        spec: The description of the data.
        preprocess: Converts raw examples to the network's arrays.
        train: The training rows.
        validation: The validation rows; empty with cross-validation.
        folds: For each training row the fold it is held out in; None without cross-validation.
    """

    spec: DataSpec
    preprocess: Preprocess
    train: Split
    validation: Split
    folds: Tensor | None = None

    @functools.cached_property
    def examples(self) -> list[Any]:
        """A few raw training examples in the form that `predict` takes: dicts, or uint8 images [H, W, C]."""
        examples, modality = read_examples(Path(self.spec.folder)), modality_of(self.spec)
        return modality.scaled_examples(self.spec, examples) if isinstance(modality, ScalableModality) else examples

    def fold(self, number: int) -> Data:
        """One fold as the validation rows, the others as the training rows.

        Raises:
            ConfigError: There is no such fold.
        """
        if self.folds is None or not 0 <= number < self.spec.folds:
            raise ConfigError(f"there is no fold {number}; the data have {self.spec.folds}", where="fold")
        held = self.folds == number
        return Data(self.spec, self.preprocess, self.train.rows(~held), self.train.rows(held))

    def whole(self) -> Data:
        """All rows except the test rows as training rows, and no validation rows."""
        if not len(self.validation):
            return Data(self.spec, self.preprocess, self.train, self.validation)
        parts = {name: torch.cat([part, self.validation.inputs[name]]) for name, part in self.train.inputs.items()}
        weights = joined_weights([self.train, self.validation])
        train = Split(parts, torch.cat([self.train.targets, self.validation.targets]), weights)
        return Data(self.spec, self.preprocess, train, self.validation.rows(slice(0, 0)))

    def unscored(self) -> Data:
        """The training rows alone, so that no epoch is scored."""
        return Data(self.spec, self.preprocess, self.train, self.validation.rows(slice(0, 0)))

    def with_test(self) -> Data:
        """The rows with those of the test split as training rows, once it has been opened."""
        test = open_test(self.spec)
        parts = {name: torch.cat([part, test.inputs[name]]) for name, part in self.train.inputs.items()}
        train = Split(parts, torch.cat([self.train.targets, test.targets]), joined_weights([self.train, test]))
        return Data(self.spec, self.preprocess, train, self.validation)


def open_data(
    source: Any,
    folder: Path | str | None = None,
    options: DataOptions | None = None,
    *,
    test: Any = None,
    progress: Progress | None = None,
) -> Data:
    """Open data: a `DataSpec`, a prepared folder, or any source that `prepare` knows.

    Args:
        source: What to open.
        folder: Where to prepare a source; a new temporary folder if not given.
        options: Options that override what is inferred about a source.
        test: Separate test data.
        progress: Called with the number of examples read so far, and of all.

    Raises:
        DataError: The data cannot be used, or a prepared folder is damaged.
    """
    if isinstance(source, DataSpec):
        return _open_folder(source)
    if isinstance(source, str | Path) and (Path(source) / "spec.json").is_file():
        return _open_folder(load_spec(Path(source)))
    target_folder = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="lepton-data-"))
    return _open_folder(prepare(source, target_folder, options, test=test, progress=progress))


def open_test(spec: DataSpec) -> Split:
    """The test split. Only the final scoring should call this.

    Raises:
        DataError: The prepared folder is damaged.
    """
    parts = _load(Path(spec.folder) / TEST_FOLDER)
    targets, weights = parts.pop("targets"), parts.pop("weight", None)
    return Split(_scaled(spec, parts), targets, weights)


def joined_weights(splits: list[Split]) -> Tensor | None:
    """The weights of the rows of several splits; None if all count alike."""
    parts = [split.weights for split in splits if split.weights is not None]
    return torch.cat(parts) if len(parts) == len(splits) else None


def _open_folder(spec: DataSpec) -> Data:
    folder = Path(spec.folder)
    parts = _load(folder / ROWS)
    targets, folds = parts.pop("targets"), parts.pop("fold", None)
    if len(targets) != spec.train + spec.validation:
        raise DataError(f"it has {len(targets):,} rows, not {spec.train + spec.validation:,}", where=str(folder), fix=_FIX)
    weights, modality = parts.pop("weight", None), modality_of(spec)
    rows = Split(_scaled(spec, parts), targets, weights)
    preprocess = load_preprocess(json.loads((folder / PREPROCESS).read_text()))
    if isinstance(modality, ScalableModality):
        preprocess = modality.scaled_preprocess(spec, preprocess)
    train, validation = rows.rows(slice(0, spec.train)), rows.rows(slice(spec.train, None))
    return Data(spec, preprocess, train, validation, folds)


def _scaled(spec: DataSpec, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored rows as the spec's networks take them."""
    modality = modality_of(spec)
    return modality.scaled_inputs(spec, inputs) if isinstance(modality, ScalableModality) else inputs


_FIX = "Prepare the data again; the folder may have been moved, cleaned or changed."


def _load(folder: Path) -> dict[str, Tensor]:
    try:
        paths = sorted(folder.glob("*.npy"), reverse=True)  # numeric before categorical
        # "c" maps a file copy-on-write: a tensor may not be read-only, and nothing writes to it.
        arrays = {path.stem: np.load(path, mmap_mode="c" if path.stat().st_size > IN_MEMORY else None) for path in paths}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the prepared data cannot be read: {error}", where=str(folder), fix=_FIX) from error
    if "targets" not in arrays:
        raise DataError("there is no prepared dataset in this folder", where=str(folder), fix=_FIX)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}

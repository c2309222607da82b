"""What prepared data look like: classes with pictures, columns with their kinds. The sealed test stays closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lepton_automl.modality import ColumnPreview, modality_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import ClassPreview, task_of

from .store import ROWS

MOST = 24  # classes that are shown


@dataclass(frozen=True, kw_only=True)
class DatasetPreview:
    """What there is to see.

    Args:
        classes: The most frequent ones, most frequent first.
        columns: Of a table.
        histogram: Of numbers to predict: how many rows in each of some equal steps.
        ends: Where the histogram begins and ends, in the target's own unit.
        summary: What its heading says of the numbers, such as `"31.2 on average"`.
    """

    classes: tuple[ClassPreview, ...] = ()
    columns: tuple[ColumnPreview, ...] = ()
    histogram: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    summary: str = ""


def preview(spec: DataSpec) -> DatasetPreview:
    """Look at data that `prepare` left in a folder."""
    rows, modality = Path(spec.folder) / ROWS, modality_of(spec)
    stored = {path.stem: np.load(path, mmap_mode="r") for path in rows.glob("*.npy")}
    targets = task_of(spec).preview(np.asarray(stored.pop("targets")), spec.output, MOST)
    stored.pop("fold", None)

    def pictured(item: ClassPreview) -> ClassPreview:
        if item.first < 0:
            return item
        return item.replace(picture=modality.thumbnail({name: part[item.first] for name, part in stored.items()}))

    return DatasetPreview(
        classes=tuple(map(pictured, targets.classes)),
        columns=modality.columns(spec),
        histogram=targets.histogram,
        ends=targets.ends,
        summary=targets.summary,
    )

"""A preview of prepared data: classes with thumbnails, columns with their kinds. The test split is not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lepton_automl.modality import ColumnPreview, modality_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import ClassPreview, task_of

from .store import ROWS

MOST = 24  # classes shown at most


@dataclass(frozen=True, kw_only=True)
class DatasetPreview:
    """What a preview shows.

    Args:
        classes: The most frequent classes.
        columns: The columns of a table.
        histogram: For numeric targets, the number of rows in each of several bins of equal width.
        ends: The lower and upper end of the histogram, in the target's own unit.
        summary: A summary of the numbers for its heading, such as `"31.2 on average"`.
    """

    classes: tuple[ClassPreview, ...] = ()
    columns: tuple[ColumnPreview, ...] = ()
    histogram: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    summary: str = ""


def preview(spec: DataSpec) -> DatasetPreview:
    """A preview of data that `prepare` wrote to a folder."""
    rows, modality = Path(spec.folder) / ROWS, modality_of(spec)
    stored = {path.stem: np.load(path, mmap_mode="r") for path in rows.glob("*.npy")}
    targets = task_of(spec).preview(np.asarray(stored.pop("targets")), spec.output, MOST)
    stored.pop("fold", None)

    def with_thumbnail(item: ClassPreview) -> ClassPreview:
        if item.first < 0:
            return item
        return item.replace(picture=modality.thumbnail({name: part[item.first] for name, part in stored.items()}))

    return DatasetPreview(
        classes=tuple(map(with_thumbnail, targets.classes)),
        columns=modality.columns(spec),
        histogram=targets.histogram,
        ends=targets.ends,
        summary=targets.summary,
    )

"""What prepared data look like to a person: classes with pictures, columns with their kinds. The sealed test stays closed."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.preprocess import CategoryColumn, NumberColumn, TablePreprocess, load_preprocess
from lepton_automl.specs import DataSpec

from .store import ROWS

Array = NDArray[Any]
SIDE = 128  # pixels of a picture's longer side, at most
BINS = 24  # of a histogram
MOST = 24  # classes that are shown


@dataclass(frozen=True, kw_only=True)
class ClassGlance:
    """A class.

    Args:
        label: As the person wrote it.
        rows: How many there are to learn and choose from.
        picture: One of them, as a PNG in base64; empty where there are no pictures.
    """

    label: Any
    rows: int
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnGlance:
    """A column that is learnt from.

    Args:
        name: Its name.
        kind: `"number"`, `"time"` or `"category"`.
        said: What else is known of it.
        example: A cell of it.
    """

    name: str
    kind: str
    said: str = ""
    example: Any = None


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What there is to see.

    Args:
        classes: The most frequent ones, most frequent first.
        columns: Of a table.
        histogram: Of a regression's targets: how many rows in each of some equal steps.
        ends: Where the histogram begins and ends, in the target's own unit.
    """

    classes: tuple[ClassGlance, ...] = ()
    columns: tuple[ColumnGlance, ...] = ()
    histogram: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)


def glance(spec: DataSpec) -> Glance:
    """Look at data that `prepare` left in a folder."""
    rows = Path(spec.folder) / ROWS
    targets = np.load(rows / "targets.npy", mmap_mode="r")
    if spec.task == "regression":
        values = np.asarray(targets, np.float64) * spec.target_scale + spec.target_mean
        counts, steps = np.histogram(values, BINS)
        return Glance(columns=_columns(spec), histogram=tuple(counts.tolist()), ends=(float(steps[0]), float(steps[-1])))
    images = np.load(rows / "image.npy", mmap_mode="r") if spec.modality == "image" else None
    return Glance(columns=_columns(spec), classes=_classes(spec, np.asarray(targets), images))


def _classes(spec: DataSpec, targets: Array, images: Array | None) -> tuple[ClassGlance, ...]:
    counts = np.bincount(targets.astype(np.int64), minlength=len(spec.classes))
    codes, places = np.unique(targets, return_index=True)
    first: dict[int, int] = dict(zip(codes.tolist(), places.tolist(), strict=True))

    def one(code: int) -> ClassGlance:
        shown = "" if images is None or code not in first else picture(np.asarray(images[first[code]]))
        return ClassGlance(label=spec.classes[code], rows=int(counts[code]), picture=shown)

    kept = sorted(np.argsort(-counts, kind="stable")[:MOST].tolist())
    return tuple(map(one, kept))


def _columns(spec: DataSpec) -> tuple[ColumnGlance, ...]:
    folder = Path(spec.folder)
    found = load_preprocess(json.loads((folder / "preprocess.json").read_text()))
    if not isinstance(found, TablePreprocess):
        return ()
    first: dict[str, Any] = next(iter(json.loads((folder / "example.json").read_text())), {})
    return tuple(
        ColumnGlance(name=one.name, kind=one.kind, said=_said(one), example=first.get(one.name)) for one in found.columns
    )


def _said(column: Any) -> str:
    if isinstance(column, CategoryColumn):
        return f"{len(column.categories)} categories"
    knots = column.scale.knots if isinstance(column, NumberColumn) else []
    ends = [f"{knots[0]:.4g} to {knots[-1]:.4g}"] if knots else []
    return ", ".join([*ends, *(["some missing"] if column.flag else [])])


def picture(pixels: Array) -> str:
    """An image, uint8 [C, H, W], as a PNG in base64; a large one is made smaller."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()

"""Rows and targets as people have them, checked and converted."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lepton_automl.errors import Complaints, in_one_line

from .compiled import Answer

AXES = {2: "[N, features]", 3: "[N, height, width]", 4: "[N, height, width, channels]"}
ONE_HOT = 1e-6  # how far the sum of a one-hot row may be from 1


def read_rows(x: Any, name: str, complaints: Complaints) -> Tensor | None:
    """Rows float32 [N, H, W, C] or [N, F], without a copy where there is none to make; None with a complaint.

    Args:
        x: An array or tensor of numbers with two to four axes; with three, images have one channel.
        name: What the user calls it, for complaints.
        complaints: Complaints are added to these.
    """
    array = _array(x, name, complaints)
    if array is None:
        return None
    if array.ndim not in AXES:
        complaints.add(f"{name} has the shape {list(array.shape)}.", f"Give {', '.join(AXES.values())}.")
        return None
    if not len(array):
        complaints.add(f"{name} has no rows.")
        return None
    numbers = np.ascontiguousarray(array, np.float32)
    rows = torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())  # torch warns of a read-only array
    if not rows.isfinite().all():
        complaints.add(f"{name} contains values that are not finite.", "Replace or leave out such rows.")
        return None
    return rows.unsqueeze(-1) if rows.ndim == 3 else rows


def read_targets(y: Any, name: str, answer: Answer, units: int, complaints: Complaints) -> Tensor | None:
    """Class indices int64 [N], or values float32 [N]; None with a complaint.

    Args:
        y: One-hot rows [N, K] of any number type, or class indices [N] or [N, 1]; values [N] or [N, 1] for `"number"`.
        name: What the user calls it, for complaints.
        answer: What the last layer answers.
        units: Its units.
        complaints: Complaints are added to these.
    """
    array = _array(y, name, complaints)
    if array is None:
        return None
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if answer == "number":
        if array.ndim != 1:
            complaints.add(f"{name} has the shape {list(array.shape)}.", "Give one number a row: [N] or [N, 1].")
            return None
        values = torch.from_numpy(array.astype(np.float32))
        if not values.isfinite().all():
            complaints.add(f"{name} contains values that are not finite.")
            return None
        return values
    classes = units if answer == "classes" else 2
    if array.ndim == 2 and answer == "classes":
        return _from_one_hot(array, name, classes, complaints)
    if array.ndim != 1:
        complaints.add(
            f"{name} has the shape {list(array.shape)}.", "Give class indices [N]" + " or one-hot rows." * (classes > 2)
        )
        return None
    whole = array.astype(np.int64)
    if array.dtype.kind == "f" and not (array == whole).all():
        complaints.add(f"{name} contains {array[array != whole][0]:g}.", "Class indices are whole numbers.")
        return None
    if len(whole) and not (whole.min() >= 0 and whole.max() < classes):
        worst = int(whole.min()) if whole.min() < 0 else int(whole.max())
        fix = f"The last layer answers {classes} classes, so labels are 0 to {classes - 1}."
        complaints.add(f"{name} contains the label {worst}.", fix)
        return None
    return torch.from_numpy(whole)


def _from_one_hot(array: NDArray[Any], name: str, classes: int, complaints: Complaints) -> Tensor | None:
    if array.shape[1] != classes:
        fix = f"Give the last layer {array.shape[1]} units, or y of {classes} columns."
        complaints.add(f"{name} has {array.shape[1]} columns, and the last layer has {classes} units.", fix)
        return None
    chosen = array.argmax(1)
    if np.abs(array.sum(1) - 1).max(initial=0) > ONE_HOT or (array.max(1, initial=0) < 1 - ONE_HOT).any():
        fix = "Each row has a 1 for its class and zeros; or give class indices [N]."
        complaints.add(f"the rows of {name} are not one-hot.", fix)
        return None
    return torch.from_numpy(chosen.astype(np.int64))


def _array(source: Any, name: str, complaints: Complaints) -> NDArray[Any] | None:
    try:
        array: NDArray[Any] = source.detach().cpu().numpy() if isinstance(source, Tensor) else np.asarray(source)
    except Exception as error:
        complaints.add(f"{name} cannot be read: {in_one_line(error)}.", "Give a NumPy array or a tensor.")
        return None
    if array.dtype.kind not in "fiub":
        fix = "Give numbers; labels that are words become numbers by np.unique(labels, return_inverse=True)[1]."
        complaints.add(f"{name} holds {array.dtype}.", fix)
        return None
    return array

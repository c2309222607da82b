"""What is inferred about the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from lepton_automl.data.options import DataOptions
from lepton_automl.modalities.table.preprocess.columns import Column

Array = NDArray[Any]


@dataclass
class Findings:
    """What is inferred about the columns.

    Args:
        options: The data options; they may set which columns are numbers or categories, and what infinite numbers mean.
        targets: Targets of the training rows; None if fitting must not use them.
        decimal: The decimal sign of numbers that can be read with either.
        missing: Training cells without a value, by column.
        held_out: Features that training rows get instead of their own: each is computed from the targets of other rows, [rows].
    """

    options: DataOptions
    targets: Array | None = None
    decimal: str = "."
    columns: list[Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    held_out: dict[str, Array] = field(default_factory=dict)


def constant_note(name: str, *, empty: bool) -> str:
    """The note on a column that is left out because all training rows are equal in it."""
    return f"{name!r} is left out: " + ("it is empty" if empty else "it is the same in every training row")

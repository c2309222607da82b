"""Options for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lepton_automl._json import Value
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import Complaints


@dataclass(frozen=True, kw_only=True)
class TableOptions(Value):
    """Options that override what is inferred about a table.

    Args:
        split_column: The column that holds train, validation or test; `""` to use none.
        group_column: Rows with the same value in this column stay on the same side of every split.
        time_column: The column to order rows by; later rows become validation rows, the latest test rows.
        sample_weight: The column with the weight of each row, in the loss and in scores; 0 or more.
        ignore: Columns to leave out.
        categorical: Columns to treat as categories.
        numeric: Columns to treat as numbers.
        text: Columns to treat as free text.
        infinite: What to do with infinite numbers: `"error"`, or treat them as `"missing"`.
    """

    split_column: str | None = None
    group_column: str | None = None
    time_column: str | None = None
    sample_weight: str | None = None
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    infinite: Literal["error", "missing"] = "error"

    def __post_init__(self) -> None:
        for name in ("split_column", "group_column", "time_column", "sample_weight"):
            column: Any = getattr(self, name)
            object.__setattr__(self, name, None if column is None else str(column))
        for name in ("ignore", "categorical", "numeric", "text"):  # a single name and lists are accepted, too
            columns: Any = getattr(self, name)
            object.__setattr__(self, name, (columns,) if isinstance(columns, str) else tuple(map(str, columns)))

    def check(self, complaints: Complaints) -> None:
        """Report invalid values."""
        complaints.check(
            self.infinite in ("error", "missing"), f"infinite is {self.infinite!r}; it must be 'error' or 'missing'"
        )
        for first, second in (("categorical", "numeric"), ("categorical", "text"), ("numeric", "text")):
            both = sorted(set(getattr(self, first)) & set(getattr(self, second)))
            complaints.check(not both, f"{', '.join(both)} cannot be both {first} and {second}")


def table_options(options: DataOptions) -> TableOptions:
    """The table options among all data options."""
    part: TableOptions = options.of("modalities", "table")
    return part

"""What a user may say about a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lepton_automl._json import Value
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import Complaints


@dataclass(frozen=True, kw_only=True)
class TableOptions(Value):
    """What overrides an inference about a table.

    Args:
        split_column: The column that says train, validation or test; `""` to use none.
        group_column: Rows that share a value here stay on one side of every split.
        time_column: Later rows become validation, the latest test.
        ignore: Columns to leave out.
        categorical: Columns to treat as categories.
        numeric: Columns to treat as numbers.
        infinite: What to do with infinite numbers: `"error"`, or treat them as `"missing"`.
    """

    split_column: str | None = None
    group_column: str | None = None
    time_column: str | None = None
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    infinite: Literal["error", "missing"] = "error"

    def __post_init__(self) -> None:
        for name in ("split_column", "group_column", "time_column"):
            column: Any = getattr(self, name)
            object.__setattr__(self, name, None if column is None else str(column))
        for name in ("ignore", "categorical", "numeric"):  # one name for many, and lists for tuples
            columns: Any = getattr(self, name)
            object.__setattr__(self, name, (columns,) if isinstance(columns, str) else tuple(map(str, columns)))

    def check(self, complaints: Complaints) -> None:
        """Complain of what is out of range."""
        complaints.check(
            self.infinite in ("error", "missing"), f"infinite is {self.infinite!r}; it must be 'error' or 'missing'"
        )
        both = sorted(set(self.categorical) & set(self.numeric))
        complaints.check(not both, f"{', '.join(both)} cannot be both categorical and numeric")


def table_options(options: DataOptions) -> TableOptions:
    """The options of a table among all that the user said."""
    part: TableOptions = options.of("modalities", "table")
    return part

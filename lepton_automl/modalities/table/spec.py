"""What tables bring into the values that all modalities share."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.specs import DataSpec, InputSpec


@dataclass(frozen=True, kw_only=True)
class TableInput(InputSpec):
    """One row.

    Args:
        numeric: Numeric features.
        plain: How many of them, the last ones, are helpers that a network takes as they are.
        cardinalities: For each categorical column, how many codes it has, the unknown one included.
        columns: Name and kind (`"number"`, `"time"`, `"category"`) of each column that a model reads.
    """

    kind = "table"

    numeric: int
    plain: int = 0
    cardinalities: tuple[int, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def network_shape(self) -> tuple[int, ...]:
        """(columns,): the scaled numbers, then a one or a zero for each code of each categorical column."""
        return (self.numeric + sum(self.cardinalities),)


def table_input(spec: DataSpec) -> TableInput:
    """What one row is, of a spec of a table."""
    assert isinstance(spec.input, TableInput)
    return spec.input

"""The table part of the specs that all modalities share."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.specs import DataSpec, InputSpec


@dataclass(frozen=True, kw_only=True)
class TableInput(InputSpec):
    """One row.

    Args:
        numeric: Number of numeric features.
        plain: How many of them, the last ones, are auxiliary features that are never embedded.
        cardinalities: Number of codes of each categorical column, including the unknown one.
        columns: Name and kind (`"number"`, `"time"`, `"text"`, `"category"`) of each column that a model reads.
    """

    kind = "table"

    numeric: int
    plain: int = 0
    cardinalities: tuple[int, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def network_shape(self) -> tuple[int, ...]:
        """(columns,): the scaled numbers, then a one-hot vector for each categorical column."""
        return (self.numeric + sum(self.cardinalities),)


def table_input(spec: DataSpec) -> TableInput:
    """The table part of a spec."""
    assert isinstance(spec.input, TableInput)
    return spec.input

"""What sequences bring into the values that all modalities share."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl._json import Value
from lepton_automl.errors import Complaints
from lepton_automl.specs import InputSpec


@dataclass(frozen=True, kw_only=True)
class SequenceInput(InputSpec):
    """A sequence of numbers.

    Args:
        length: Numbers that are read at most, the last ones.
    """

    kind = "sequence"

    length: int

    @property
    def network_shape(self) -> tuple[int, ...]:
        """(length,): the scaled numbers, zeros before the first."""
        return (self.length,)


@dataclass(frozen=True, kw_only=True)
class SequenceOptions(Value):
    """What a user may say about sequences.

    Args:
        longest: Numbers that are read at most; by default those of the longest sequence.
    """

    longest: int | None = None

    def check(self, complaints: Complaints) -> None:
        """Complain of what is out of range."""
        complaints.check(self.longest is None or self.longest > 0, f"longest is {self.longest!r}; it must be above 0")

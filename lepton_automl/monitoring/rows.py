"""What arrives from a live model, as arrays: answered rows, true answers, and calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lepton_automl.arrays import Array

if TYPE_CHECKING:
    from .profile import Profile


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows that were answered, in the order of their arrival.

    Args:
        features: The values of each feature, [N].
        answers: The answers, [N]: labels or numbers; None if the model gives several numbers per row.
        confidence: The probability of each label, [N]; None if the model has none.
    """

    features: Mapping[str, Array]
    answers: Array | None = None
    confidence: Array | None = None
    _bins: dict[int, Array] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        arrays = [*self.features.values(), self.answers, self.confidence]
        return next((len(array) for array in arrays if array is not None), 0)

    def bins(self, profile: Profile) -> Array:
        """The bin of each feature, [N, features]; computed once for all watchers.

        Raises:
            DataError: A feature is missing, or has other values than numbers.
        """
        if id(profile) not in self._bins:
            self._bins[id(profile)] = profile.bins(self.features)
        return self._bins[id(profile)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Feedback:
    """True answers, in the order of their arrival.

    Args:
        truth: The true answers, [N].
        answers: What the model answered, [N].
        confidence: The probability of each of these, [N]; None if the model has none.
        keys: Who reported each, [N]; None if there is one source.
        rows: The number of each row in the order of the answers, int64 [N]; None if unknown.
    """

    truth: Array
    answers: Array
    confidence: Array | None = None
    keys: Array | None = None
    rows: Array | None = None

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, kw_only=True, eq=False)
class Calls:
    """Calls of the model, answered or failed, in the order of their end.

    Args:
        latency_ms: The time that each took, [N]; NaN for those that failed.
        failed: Whether each failed for a reason of the model's or the server's own, bool [N].
        seconds: When each ended, in seconds since any moment, [N]; None if unknown.
    """

    latency_ms: Array
    failed: Array
    seconds: Array | None = None

    def __len__(self) -> int:
        return len(self.failed)

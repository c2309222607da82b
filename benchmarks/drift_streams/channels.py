"""What the rivals watch: every feature, the answers, the confidences, and the errors as true answers arrive, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bins import as_texts
from lepton_automl.monitoring.profile import errors_of

from .sources import Source
from .streams import FEEDBACK_DELAY, Stream


@dataclass(frozen=True)
class Channel:
    """One sequence of numbers.

    Attributes:
        reference: Its values in training or held-out rows.
        category: Whether the numbers are codes of categories; code 0 is a category that the reference does not have.
        late: By how many rows each value arrives later than its row.
    """

    name: str
    reference: Array
    category: bool = False
    late: int = 0


def channels(source: Source) -> list[Channel]:
    """The channels of a source."""
    found = [
        Channel(name, _codes(values, values) if name in source.categories else values, name in source.categories)
        for name, values in source.training.items()
    ]
    answers, confidence, truth = source.held_out
    found.append(Channel("answer", _codes(answers, answers) if source.labels else answers, source.labels))
    if confidence is not None:
        found.append(Channel("confidence", confidence))
    found.append(Channel("error", errors_of(answers, truth, labels=source.labels), late=FEEDBACK_DELAY))
    return found


def values(source: Source, stream: Stream) -> list[Array]:
    """The values of each channel in a stream, [N] each, by row; errors included."""
    found = [
        _codes(column, source.training[name]) if name in source.categories else column
        for name, column in stream.features.items()
    ]
    found.append(_codes(stream.answers, source.held_out[0]) if source.labels else stream.answers)
    if stream.confidence is not None:
        found.append(stream.confidence)
    found.append(errors_of(stream.answers, stream.truth, labels=source.labels))
    return found


def _codes(column: Array, reference: Array) -> Array:
    """Codes from 1, the most frequent category of the reference first; 0 for others, NaN for missing ones."""
    names, counts = np.unique(as_texts(reference).astype(str), return_counts=True)
    known = {str(name): float(place + 1) for place, name in enumerate(names[np.argsort(-counts, kind="stable")])}
    known[""] = np.nan
    return np.array([known.get(str(text), 0.0) for text in as_texts(column)])

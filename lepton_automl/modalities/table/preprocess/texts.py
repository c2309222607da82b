"""Free text as numbers: hashed words and pairs of words, weighted by TF-IDF and projected to a few features."""

from __future__ import annotations

import base64
import itertools
import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.cells import to_text

_WORD = re.compile(r"\w+")
MOST_CHARACTERS = 100_000  # of one text; the rest is not read


class TextColumn:
    """Free text: the words and pairs of neighbouring words that the training rows share, as a few plain numbers.

    A text becomes the TF-IDF weights of its terms (1 + log of the count, times the inverse document frequency, scaled to unit
    length), and their product with a matrix that was solved on the training rows. Terms are known by a hash of 32 bits. A missing
    cell and a text without known terms have zeros, the mean of the training rows.

    Args:
        name: The column's name.
        terms: The hash of each term, [T].
        weights: The inverse document frequency of each, [T].
        projection: The matrix, float32 [T, K].
        shift: Subtracted from the product, [K].
        flag: Whether there is a feature for missing cells.
        tokens: Texts that stand for a missing cell.
    """

    kind = "text"
    embedded = 0  # features at the beginning that are embedded

    def __init__(
        self,
        name: str,
        terms: Sequence[int],
        weights: Sequence[float],
        projection: Array,
        shift: Sequence[float],
        *,
        flag: bool = False,
        tokens: Sequence[str] = (),
    ) -> None:
        self.name, self.terms, self.weights, self.flag = name, list(terms), list(weights), flag
        self.tokens = tuple(tokens)
        # In half precision at once, so that training rows are computed as a bundle computes them.
        self.projection, self.shift = np.asarray(projection, "<f2").astype(np.float64), np.asarray(shift, np.float64)
        self._places = {term: place for place, term in enumerate(self.terms)}

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        numbered = [f"{self.name} {number}" for number in range(1, len(self.shift) + 1)]
        return numbered + [f"{self.name} is missing"] * self.flag

    def sample(self) -> Any:
        """A made-up text."""
        return "some words"

    def to_json(self) -> Json:
        """The column as JSON; the projection in half precision, in base64."""
        return {
            "kind": self.kind,
            "name": self.name,
            "terms": self.terms,
            "weights": self.weights,
            "projection": base64.b64encode(self.projection.astype("<f2").tobytes()).decode(),
            "shift": self.shift.tolist(),
            "flag": self.flag,
            "tokens": list(self.tokens),
        }

    @classmethod
    def from_json(cls, data: Json) -> TextColumn:
        """The column from its JSON."""
        projection = np.frombuffer(base64.b64decode(data["projection"]), "<f2").reshape(len(data["terms"]), -1)
        return cls(
            data["name"], data["terms"], data["weights"], projection, data["shift"], flag=data["flag"], tokens=data["tokens"]
        )

    def one(self, value: Any) -> list[float]:
        """The features of one cell."""
        text = to_text(value)
        text = None if text in self.tokens else text
        features: list[float] = self._project(text or "").tolist()
        return [*features, 1.0 if text is None else -1.0] if self.flag else features

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        rows = [self.one(cell) for cell in cells.tolist()]
        return list(np.array(rows, np.float64).reshape(len(rows), len(self.features)).T)

    def _project(self, text: str) -> Array:
        places, values = self.weighted(text)
        if not places:
            return np.zeros(len(self.shift))
        product: Array = (np.array(values)[:, None] * self.projection[places]).sum(0)
        return product - self.shift

    def weighted(self, text: str) -> tuple[list[int], list[float]]:
        """The known terms of a text by their places, and their weights, which have unit length together."""
        counts = Counter(place for term in hashed_terms(text) if (place := self._places.get(term)) is not None)
        places = sorted(counts)
        values = [(1.0 + math.log(counts[place])) * self.weights[place] for place in places]
        length = math.sqrt(sum(value * value for value in values)) or 1.0
        return places, [value / length for value in values]


def hashed_terms(text: str) -> list[int]:
    """The hashes of a text's words and pairs of neighbouring words, in lower case."""
    words = _WORD.findall(text[:MOST_CHARACTERS].lower())
    pairs = (f"{first} {second}" for first, second in itertools.pairwise(words))
    return [zlib.crc32(term.encode("utf-8", "replace")) for term in (*words, *pairs)]

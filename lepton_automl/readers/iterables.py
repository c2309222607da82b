"""Iterators and generators of examples."""

from __future__ import annotations

from typing import Any

from lepton_automl.source import ReadRequest

from .gather import Gatherer


class IterableReader:
    """Reads an iterator to its end, up to a limit."""

    name = "iterator"
    accepts = "an iterator of examples"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is an iterator, and no open file."""
        del request
        return hasattr(source, "__next__") and hasattr(source, "__iter__") and not hasattr(source, "read")

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The examples as arrays, a DataFrame or `Items`.

        Raises:
            DataError: An example cannot be read, or there are too many.
        """
        gatherer = Gatherer(type(source).__name__, request)
        with gatherer.reading("Check that it can be iterated."):
            for example in source:
                gatherer.add(example)
        return gatherer.result()

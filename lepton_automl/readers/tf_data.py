"""TensorFlow's `tf.data.Dataset`, recognised by its methods: TensorFlow is not imported here."""

from __future__ import annotations

from typing import Any

import numpy as np

from lepton_automl.errors import DataError
from lepton_automl.source import ReadRequest

from .gather import Gatherer

INFINITE = -1  # what `cardinality` says of a dataset that repeats without end
IMAGES = 4  # axes of a batch of images


class TensorFlowReader:
    """Reads each element once: an example, or a batch of them."""

    name = "tensorflow"
    accepts = "a tf.data.Dataset"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it has the methods of such a dataset."""
        del request
        return hasattr(source, "as_numpy_iterator") and hasattr(source, "element_spec")

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The examples as arrays, a DataFrame or `Items`.

        Raises:
            DataError: It repeats without end, an element cannot be read, or there are too many examples.
        """
        kind = "tf.data.Dataset"
        if _cardinality(source) == INFINITE:
            raise DataError("it repeats without end", where=kind, fix="Leave out repeat(), or limit it with take(n).")
        gatherer, batched = Gatherer(kind, request), None
        with gatherer.reading("Check that it can be iterated."):
            for element in source.as_numpy_iterator():
                if batched is None:
                    batched = is_batch(element, source.element_spec)
                (gatherer.add_batch if batched else gatherer.add)(element)
        return gatherer.result()


def _cardinality(source: Any) -> int:
    try:
        return int(source.cardinality())
    except (AttributeError, TypeError, ValueError):
        return INFINITE - 1  # unknown


def is_batch(element: Any, spec: Any) -> bool:
    """Whether an element holds several examples: its parts are equally long, or their length is left open."""
    parts = list(element.values()) if isinstance(element, dict) else list(element) if isinstance(element, tuple) else [element]
    specs = list(spec.values()) if isinstance(spec, dict) else list(spec) if isinstance(spec, tuple) else [spec]
    shapes = [np.shape(part) for part in parts]
    if not all(shapes):
        return False
    if len(shapes) > 1:
        return len({shape[0] for shape in shapes}) == 1
    known = getattr(specs[0], "shape", None)
    return len(shapes[0]) >= IMAGES or (known is not None and len(known) > 0 and known[0] is None)

"""Data sets of Hugging Face's `datasets`; images stay encoded, on the disk, until they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lepton_automl.cells import objects
from lepton_automl.errors import DataError, in_one_line
from lepton_automl.source import Items, ReadRequest

from .gather import Gatherer, label_column

PICTURE = "Image"  # the class of a column's feature
STREAM = "IterableDataset"


class HuggingFaceReader:
    """Reads a `Dataset`: its images as `Items`, else its columns as a DataFrame."""

    name = "hugging_face"
    accepts = "a Dataset of Hugging Face's datasets"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether its class is one of that package's."""
        del request
        return type(source).__module__.partition(".")[0] == "datasets" and hasattr(source, "features") and _is_set(source)

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The examples.

        Raises:
            DataError: It has several columns of images, it is unclear which column holds the labels, or a stream is too long.
        """
        kind = type(source).__name__
        features = source.features or {}
        pictures = [name for name, feature in features.items() if type(feature).__name__ == PICTURE]
        try:
            if STREAM in {base.__name__ for base in type(source).__mro__}:
                gatherer = Gatherer(kind, request)
                for example in source:
                    gatherer.add(example)
                return gatherer.result()
            if not pictures:
                return source.with_format(None).to_pandas()
            return _pictures(source.with_format(None), pictures, request, kind)
        except DataError:
            raise
        except Exception as error:  # of any library that decodes its columns
            raise DataError(
                f"it cannot be read: {in_one_line(error)}", where=kind, fix="Check that it can be iterated."
            ) from error


def _is_set(source: Any) -> bool:
    return hasattr(source, "__iter__") and hasattr(source, "column_names") and not hasattr(source, "keys")


def _pictures(source: Any, names: list[str], request: ReadRequest, kind: str) -> Items:
    import datasets

    if len(names) > 1:
        what = f"it has several columns of images: {', '.join(names)}"
        raise DataError(what, where=kind, fix="Remove all but one with remove_columns.")
    encoded = Encoded(source.select_columns(names).cast_column(names[0], datasets.Image(decode=False)), names[0])
    if not request.labelled:
        return Items(items=encoded, labels=None, where=kind)
    column = label_column([name for name in source.column_names if name not in names], request.target, kind)
    words = getattr(source.features[column], "names", None)
    notes = (
        [f"the labels are the numbers of {column!r}: {', '.join(f'{at} {word}' for at, word in enumerate(words[:20]))}"]
        if words
        else []
    )
    return Items(items=encoded, labels=objects(list(source[column])), target=column, where=kind, notes=tuple(notes))


class Encoded(Sequence[Any]):
    """A column's images as files, each read when it is used.

    Args:
        source: A data set whose column is not decoded.
        column: The column's name.
    """

    def __init__(self, source: Any, column: str) -> None:
        self._source, self._column = source, column

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < len(self):
            raise IndexError(at)
        cell = self._source[int(at)][self._column]
        return cell["bytes"] if cell.get("bytes") is not None else cell["path"]

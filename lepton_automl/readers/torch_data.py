"""PyTorch's datasets and loaders, gathered in memory."""

from __future__ import annotations

from typing import Any

from lepton_automl.errors import DataError
from lepton_automl.source import ReadRequest

from .gather import Gatherer

DATASET, ITERABLE, LOADER = "Dataset", "IterableDataset", "DataLoader"  # of torch.utils.data, which may not be installed


class TorchReader:
    """Reads each example of a dataset, or each batch of a loader, once.

    Random transforms are drawn once and then stay fixed; networks augment training rows by themselves.
    """

    name = "torch"
    accepts = "a PyTorch Dataset or DataLoader"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether its class is derived from one of PyTorch's."""
        del request
        return bool({DATASET, LOADER} & _bases(source))

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The examples as arrays, a DataFrame or `Items`.

        Raises:
            DataError: An example cannot be read, there are too many, or a loader shuffles or drops examples of a prediction.
        """
        import torch

        kind = type(source).__name__
        if LOADER in _bases(source) and not request.labelled and _shuffles(source):
            what = "the loader shuffles, so the predictions would be in another order than its examples"
            raise DataError(what, where=kind, fix="Pass its dataset, or a loader with shuffle=False.")
        if LOADER in _bases(source) and not request.labelled and _drops(source):
            what = "the loader leaves out its last examples, so there would be no predictions for them"
            raise DataError(what, where=kind, fix="Pass its dataset, or a loader with drop_last=False.")
        gatherer = Gatherer(kind, request, _length(source))
        with gatherer.reading("Check that its examples can be read one after the other."), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # a shuffling loader gives the same order every time
            if LOADER in _bases(source):
                add = gatherer.add if source.batch_size is None and source.batch_sampler is None else gatherer.add_batch
                for part in source:
                    add(part)
            elif hasattr(source, "__len__"):
                for at in range(len(source)):
                    gatherer.add(source[at])
            else:
                for example in source:
                    gatherer.add(example)
        return gatherer.result()


def _bases(source: Any) -> set[str]:
    return {base.__name__ for base in type(source).__mro__ if base.__module__.startswith("torch.utils.data")}


def _length(source: Any) -> int | None:
    """The number of examples, if it is known."""
    data = source.dataset if LOADER in _bases(source) else source
    try:
        return None if ITERABLE in _bases(data) else len(data)
    except (TypeError, NotImplementedError):
        return None


def _drops(loader: Any) -> bool:
    count = _length(loader)
    return bool(loader.drop_last and loader.batch_size and (count is None or count % loader.batch_size))


def _shuffles(loader: Any) -> bool:
    return "Random" in type(getattr(loader, "sampler", None)).__name__

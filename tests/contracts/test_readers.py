"""Our own source readers keep the contract that plug-ins are held to."""

import sqlite3

import datasets
import fsspec
import numpy as np
import polars as pl
import torch
from torch.utils.data import TensorDataset

from lepton_automl.readers.frames import FrameReader
from lepton_automl.readers.hugging_face import HuggingFaceReader
from lepton_automl.readers.iterables import IterableReader
from lepton_automl.readers.lists import ListReader
from lepton_automl.readers.npz import NpzReader
from lepton_automl.readers.remote import RemoteReader
from lepton_automl.readers.splits import SplitsReader
from lepton_automl.readers.sql import SqlReader
from lepton_automl.readers.tf_data import TensorFlowReader
from lepton_automl.readers.torch_data import TorchReader
from lepton_automl.source import SqlQuery
from lepton_automl.testing.source_reader import SourceReaderContract
from tests.data.inputs import TensorFlowSet, spec

X, Y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2


class TestUrls(SourceReaderContract):
    reader = RemoteReader()

    def source(self, folder):
        with fsspec.open("memory://contract/rows.csv", "w") as file:
            file.write("a,y\n1,2\n")
        return "memory://contract/rows.csv"


class TestQueries(SourceReaderContract):
    reader = SqlReader()

    def source(self, folder):
        database = sqlite3.connect(":memory:")
        database.execute("create table shop as select 1 as a, 2 as y")
        return SqlQuery(sql="select * from shop", connection=database)


class TestNpz(SourceReaderContract):
    reader = NpzReader()

    def source(self, folder):
        np.savez(folder / "a.npz", x=X, y=Y)
        return folder / "a.npz"


class TestSplits(SourceReaderContract):
    reader = SplitsReader()
    predicts = False

    def source(self, folder):
        return {"train": (X, Y), "test": (X, Y)}


class TestHuggingFace(SourceReaderContract):
    reader = HuggingFaceReader()

    def source(self, folder):
        return datasets.Dataset.from_dict({"a": [1, 2], "y": [0, 1]})


class TestTorch(SourceReaderContract):
    reader = TorchReader()

    def source(self, folder):
        return TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


class TestTensorFlow(SourceReaderContract):
    reader = TensorFlowReader()

    def source(self, folder):
        return TensorFlowSet([(X, Y)], (spec(None, 2), spec(None)))


class TestFrames(SourceReaderContract):
    reader = FrameReader()

    def source(self, folder):
        return pl.DataFrame({"a": [1, 2], "y": [0, 1]})


class TestLists(SourceReaderContract):
    reader = ListReader()
    predicts = False

    def source(self, folder):
        return [{"a": 1, "y": 0}, {"a": 2, "y": 1}]


class TestIterators(SourceReaderContract):
    reader = IterableReader()

    def source(self, folder):
        return zip(X, Y, strict=True)

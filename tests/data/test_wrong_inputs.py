"""Wrong inputs: each is refused with a message that says what is wrong, where, and what to do."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from lepton_automl import AutoML, SqlQuery
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.sources import opened_examples
from lepton_automl.errors import InputError, LeptonError
from lepton_automl.shipped import load_preprocess

from .inputs import Listed, Streamed, TensorFlowSet, spec

Y = np.arange(40) % 2
TABLE = pd.DataFrame({"a": np.arange(40.0), "y": Y})


def fit(source: Any, **options: Any) -> Callable[[Path], None]:
    """A preparation of a source, which may be made in a folder."""

    def call(folder: Path) -> None:
        made = source(folder) if callable(source) else source
        prepare(made, folder / "out", DataOptions(**options))

    return call


def predict(source: Any) -> Callable[[Path], None]:
    """A prediction of a model for a table with the column a."""

    def call(folder: Path) -> None:
        prepare(TABLE, folder / "model", DataOptions(target="y"))
        preprocess = load_preprocess(json.loads((folder / "model/preprocess.json").read_text()))
        made = source(folder) if callable(source) else source
        with opened_examples(made, "table", preprocess) as raw:
            preprocess.arrays(raw)

    return call


def text(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    return write


def saved(**arrays: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "a.npz", **arrays)
        return folder / "a.npz"

    return write


def excel(rows: list[list[Any]]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pd.DataFrame(rows).to_excel(folder / "a.xlsx", index=False, header=False)
        return folder / "a.xlsx"

    return write


def named(**columns: Any) -> Callable[[Path], pd.DataFrame]:
    """A table of image files that exist."""

    def make(folder: Path) -> pd.DataFrame:
        for at in range(40):
            Image.new("L", (8, 8), at).save(folder / f"{at}.png")
        return pd.DataFrame({"file": [str(folder / f"{at}.png") for at in range(40)], **columns})

    return make


def query(sql: str) -> Callable[[Path], SqlQuery]:
    def make(folder: Path) -> SqlQuery:
        with sqlite3.connect(folder / "shop.db") as database:
            TABLE.to_sql("shop", database, index=False)
        return SqlQuery(sql=sql, connection=f"sqlite:///{folder}/shop.db")

    return make


class Broken(Listed):
    def __getitem__(self, at: int) -> Any:
        if at == 7:
            raise OSError("the disk is gone")
        return self.examples[at]


def hugging(**columns: Any) -> datasets.Dataset:
    pictures = {name: datasets.Image() for name in columns if name.startswith("image")}
    content = [{"bytes": b"", "path": None}] * 4
    features = datasets.Features({name: pictures.get(name, datasets.Value("int64")) for name in columns})
    return datasets.Dataset.from_dict({name: content if name in pictures else [0, 1, 0, 1] for name in columns}, features)


pairs = list(zip(np.arange(40.0), Y.tolist(), strict=True))
WRONG: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "nothing": (lambda _: AutoML().fit(), ["no data are given", "sql= and connection="]),
    "a file with y beside it": (lambda _: AutoML().fit("rows.csv", Y), ["beside the name of a file", "target='...'"]),
    "data and a query": (
        lambda _: AutoML().fit(TABLE, sql="select 1"),
        ["2 things", "both data and sql", "without connection"],
    ),
    "a file that is not there": (fit(lambda f: text("rows.csv", "a")(f).with_name("rosw.csv")), ["no such file", "'rows.csv'"]),
    "a file of another kind": (fit(text("notes.docx", "x")), ["not supported", "Parquet", "Excel"]),
    "an object of another kind": (fit(SimpleNamespace()), ["SimpleNamespace is not a supported data source", "DataFrame"]),
    "a sparse matrix": (fit((scipy.sparse.eye(40), Y)), ["sparse", ".toarray()"]),
    "labels of another length": (fit((np.zeros((40, 3)), Y[:39])), ["X has 40 rows", "(39,)"]),
    "labels that are probabilities": (fit((np.zeros((40, 3)), np.full((40, 2), 0.5))), ["shape (40, 2)", "zeros and ones"]),
    "files without labels": (fit(["a.png", "b.png"]), ["2 examples are given without labels", "fit(files, labels)"]),
    "files that are not there": (
        fit(([f"{n}.png" for n in range(40)], Y)),
        ["none of the 40 images can be read", "there is no file '0.png'"],
    ),
    "too few labels for files": (fit((["a.png", "b.png"], [1])), ["2 examples and 1 label"]),
    "floats of several sizes": (
        fit(([np.zeros((8, 8 + n % 2, 3)) for n in range(40)], Y)),
        ["must be bytes", "0 to 255"],
    ),
    "a misspelt column of files": (fit(named(y=Y), file_column="fiel"), ["no column 'fiel'", "Did you mean 'file'"]),
    "files of no kind of data": (
        fit(lambda f: pd.DataFrame({"file": [str(text("a.pdf", "x")(f))] * 40, "y": Y}), file_column="file"),
        ["'a.pdf', which no kind of data here reads", "Leave file_column out"],
    ),
    "a column of files that are elsewhere": (
        fit(pd.DataFrame({"file": ["a.png"] * 40, "y": Y}), file_column="file"),
        ["'a.png', which is no file in", "file_folder"],
    ),
    "several columns of labels": (
        fit(named(kind=Y, size=Y), file_column="file"),
        ["several columns could be the label", "kind, size"],
    ),
    "files without a column of labels": (fit(named(), file_column="file"), ["no column holds their labels"]),
    "a table taken for images": (fit(TABLE, modality="image"), ["DataFrame holds no images", "file_column="]),
    "JSON that is not in lines": (fit(text("a.jsonl", '[{"a": 1},\n{"a": 2}]')), ["line 1 is not JSON", "one object per line"]),
    "a line of JSON without names": (fit(text("a.jsonl", '{"a": 1}\n[1, 2]')), ["line 2 holds no object, but '[1, 2]'"]),
    "JSON in JSON": (fit(text("a.jsonl", '{"a": {"b": 1}}')), ["an object in 'a'", "json_normalize"]),
    "a damaged workbook": (fit(text("a.xlsx", b"PK\x03\x04 no")), ["the table cannot be read", "pandas"]),
    "a workbook with a title": (
        fit(excel([["Sales of May", None], ["a", "y"], [1, 0]])),
        ["column 2", "has no name", "titles"],
    ),
    "a damaged Feather file": (fit(text("a.feather", b"ARROW1\0\0 cut")), ["the table cannot be read"]),
    "arrays with unclear names": (fit(saved(left=np.zeros((40, 2)), right=Y)), ["left [40, 2]", "Name the arrays x and y"]),
    "pickled objects": (fit(saved(x=np.zeros((40, 2)), y=np.array([{}] * 40))), ["Python objects", "dtype=str"]),
    "half a split": (fit(saved(x_train=np.zeros((40, 2)), y_test=Y)), ["do not match", "x_train, y_train"]),
    "an unknown split": (fit({"train": TABLE, "unsupervised": TABLE}), ["'unsupervised' does not name a split", "validation"]),
    "a stream without end": (fit(lambda _: ((np.zeros(2), n % 2) for n in count())), ["101 examples", "at most 100 are read"]),
    "a stream too large for the memory": (
        fit(lambda _: Streamed([(np.zeros((4_000, 4_000)), n % 2) for n in range(3)])),
        ["GB of memory", "are free", "write them to files"],
    ),
    "a dataset that repeats": (fit(TensorFlowSet([], spec(None), cardinality=-1)), ["repeats without end", "take(n)"]),
    "a dataset that fails": (fit(Broken(pairs)), ["example 7 cannot be read", "OSError: the disk"]),
    "a dataset without labels": (fit(TensorDataset(torch.zeros(40, 3))), ["no labels", "(input, label)"]),
    "a dataset of several inputs": (fit(Listed([((np.zeros(2), np.zeros(2)), 1)] * 4)), ["several inputs", "one input"]),
    "two columns of images": (fit(hugging(image=1, image_2=1, label=1)), ["several columns of images: image, image_2"]),
    "unclear labels of images": (fit(hugging(image=1, age=1, size=1)), ["could be the label", "age, size"]),
    "a query that fails": (fit(query("select * from shopp")), ["the query failed", "no such table: shopp"]),
    "a query without rows": (fit(query("select * from shop where a > 99")), ["returns no rows"]),
    "a connection that is none": (
        fit(SqlQuery(sql="select 1", connection=5)),
        ["connection is of the type int", "sqlite:///shop.db"],
    ),
    "a password that is no part of a URL": (
        fit(SqlQuery(sql="select 1", connection="sqlite://me:hunter@2:x@host/shop")),
        ["no URL of a database", "%40"],
    ),
    "a database that cannot be opened": (
        fit(SqlQuery(sql="select 1", connection="sqlite:////nowhere/shop.db")),
        ["cannot be reached: OperationalError: unable to open database file"],
    ),
    "a database that is unknown": (fit(SqlQuery(sql="select 1", connection="me:secret@host")), ["no URL of a database"]),
    "a URL of nothing": (fit("memory://nowhere/rows.csv"), ["memory://nowhere/rows.csv: there is no such file"]),
    "a URL of an unknown kind": (fit("ftpx://host/rows.csv"), ["Protocol not known", "https:// or s3://"]),
    "a web page of files": (fit("https://me:secret@example.com/photos/?key=1"), ["https://example.com/photos/: a web page"]),
    "a store without its package": (fit("s3://bucket/rows.csv"), ["s3:// cannot be read", "lepton-automl[remote]"]),
    "a prediction of shuffled rows": (
        predict(DataLoader(TensorDataset(torch.zeros(40, 1)), shuffle=True)),
        ["the loader shuffles", "shuffle=False"],
    ),
    "a prediction of rows that are dropped": (
        predict(DataLoader(TensorDataset(torch.zeros(40, 1)), 16, drop_last=True)),
        ["leaves out its last examples", "drop_last=False"],
    ),
    "a prediction of several splits": (
        predict({"train": TABLE, "test": TABLE}),
        ["several splits: train, test", "data['test']"],
    ),
    "a prediction of other columns": (predict(pl.DataFrame({"b": [1.0]})), ["columns are missing: a", "the row has b"]),
    "a prediction of a file that is not there": (predict("new.csv"), ["there is no file 'new.csv'", "Parquet"]),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Small limits, a small machine, and a package that is not installed."""
    monkeypatch.setattr("lepton_automl.readers.gather.MOST_EXAMPLES", 100)
    monkeypatch.setattr("lepton_automl.readers.gather.available", lambda: 2e8)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))


def test_there_are_thirty_at_least() -> None:
    assert len(WRONG) >= 30


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_refused_with_what_is_wrong_and_what_to_do(name: str, tmp_path: Path) -> None:
    call, words = WRONG[name]
    with pytest.raises((LeptonError, InputError)) as refused:
        call(tmp_path)
    message = str(refused.value)
    assert all(word in message for word in words), message
    assert "secret" not in message and "Traceback" not in message and len(message) < 700
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())

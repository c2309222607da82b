"""The same examples in every form in which people have them, and a small model that predicts from each."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from lepton_automl import SqlQuery, families
from lepton_automl.data.open import Data
from lepton_automl.deployment.bundle import write_bundle
from lepton_automl.deployment.export import export
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.study.model import StudyModel

Make = Callable[[Any, Path], Any]
TABLES: dict[str, Make] = {}  # by the row of the documentation's table: a source of a DataFrame with the columns a, b, c and y
ARRAYS: dict[str, Make] = {}  # of (X, y), X float [N, 3]
PICTURES: dict[str, Make] = {}  # of (X, y), X uint8 [N, 8, 8, 3]


def form(name: str, forms: dict[str, Make]) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        forms[name] = make
        return make

    return register


class Listed(Dataset):
    """A map-style dataset of some examples."""

    def __init__(self, examples: list[Any]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, at: int) -> Any:
        return self.examples[at]


class Streamed(IterableDataset):
    """A dataset that does not say how many examples it has."""

    def __init__(self, examples: list[Any]) -> None:
        self.examples = examples

    def __iter__(self) -> Iterator[Any]:
        return iter(self.examples)


class TensorFlowSet:
    """A stand-in for a `tf.data.Dataset`, with what is used of it."""

    def __init__(self, elements: list[Any], spec: Any, cardinality: int = -2) -> None:
        self.elements, self.element_spec, self._cardinality = elements, spec, cardinality

    def cardinality(self) -> Any:
        return np.int64(self._cardinality)

    def as_numpy_iterator(self) -> Iterator[Any]:
        return iter(self.elements)


def spec(*shape: int | None) -> SimpleNamespace:
    return SimpleNamespace(shape=shape)


def batches(arrays: tuple[np.ndarray, ...], size: int = 16) -> list[tuple[np.ndarray, ...]]:
    return [tuple(part[at : at + size] for part in arrays) for at in range(0, len(arrays[0]), size)]


def written(path: Path, write: Callable[[Path], Any]) -> Path:
    write(path)
    return path


form("CSV file", TABLES)(lambda f, to: written(to / "rows.csv", lambda path: f.to_csv(path, index=False)))
form("Parquet file", TABLES)(lambda f, to: written(to / "rows.parquet", f.to_parquet))
form("Feather or Arrow file", TABLES)(lambda f, to: written(to / "rows.feather", f.to_feather))
form("Excel workbook", TABLES)(lambda f, to: written(to / "rows.xlsx", lambda path: f.to_excel(path, index=False)))
form("JSON Lines file", TABLES)(
    lambda f, to: written(to / "rows.jsonl", lambda path: path.write_text("\n".join(map(json.dumps, f.to_dict("records")))))
)
form("pandas DataFrame", TABLES)(lambda f, to: f)
form("polars DataFrame or LazyFrame", TABLES)(lambda f, to: pl.from_pandas(f).lazy())
form("Arrow table", TABLES)(lambda f, to: pa.Table.from_pandas(f, preserve_index=False))
form("dict of columns", TABLES)(lambda f, to: {name: f[name].tolist() for name in f.columns})
form("list of rows", TABLES)(lambda f, to: f.to_dict("records"))
form("Hugging Face dataset", TABLES)(lambda f, to: datasets.Dataset.from_pandas(f, preserve_index=False))
form("PyTorch Dataset", TABLES)(lambda f, to: Listed(f.to_dict("records")))
form("PyTorch IterableDataset", TABLES)(lambda f, to: Streamed(f.to_dict("records")))
form("iterator or generator", TABLES)(lambda f, to: iter(f.to_dict("records")))


@form("SQL query", TABLES)
def _(frame: pd.DataFrame, folder: Path) -> SqlQuery:
    with sqlite3.connect(folder / "shop.db") as database:
        frame.to_sql("rows", database, index=False)
    return SqlQuery(
        sql="select * from rows where a > :least", connection=f"sqlite:///{folder}/shop.db", parameters={"least": -99}
    )


@form("URL", TABLES)
def _(frame: pd.DataFrame, folder: Path) -> str:
    url = f"memory://{folder.name}/rows.csv"
    with fsspec.open(url, "w") as file:
        frame.to_csv(file, index=False)
    return url


@form("tf.data dataset", TABLES)
def _(frame: pd.DataFrame, folder: Path) -> TensorFlowSet:
    columns = {name: frame[name].to_numpy(object if frame[name].dtype.kind not in "fi" else None) for name in frame.columns}
    encoded = {
        n: np.array([c.encode() for c in part], object) if part.dtype.kind == "O" else part for n, part in columns.items()
    }
    parts = [{n: part[at : at + 16] for n, part in encoded.items()} for at in range(0, len(frame), 16)]
    return TensorFlowSet(parts, {name: spec(None) for name in encoded})


form("arrays (X, y)", ARRAYS)(lambda pair, to: pair)
form("one-hot labels", ARRAYS)(lambda pair, to: (pair[0], np.eye(3)[pair[1]]))
form("polars DataFrame or LazyFrame", ARRAYS)(
    lambda pair, to: (pl.DataFrame(pair[0], schema=["x0", "x1", "x2"]), pl.Series(pair[1]))
)
form(".npz file", ARRAYS)(lambda pair, to: written(to / "rows.npz", lambda path: np.savez(path, x=pair[0], y=pair[1])))
form("PyTorch Dataset", ARRAYS)(lambda pair, to: TensorDataset(torch.from_numpy(pair[0]), torch.from_numpy(pair[1])))
form("PyTorch DataLoader", ARRAYS)(
    lambda pair, to: DataLoader(TensorDataset(torch.from_numpy(pair[0]), torch.from_numpy(pair[1])), batch_size=7)
)
form("tf.data dataset", ARRAYS)(lambda pair, to: TensorFlowSet(batches(pair), (spec(None, 3), spec(None))))
form("iterator or generator", ARRAYS)(lambda pair, to: zip(*pair, strict=True))
form("Hugging Face dataset", ARRAYS)(
    lambda pair, to: datasets.Dataset.from_dict({**{f"x{n}": pair[0][:, n] for n in range(3)}, "target": pair[1]})
)


def pictures(X: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(pixels) for pixels in X]


def encoded(X: np.ndarray) -> list[bytes]:
    contents = []
    for picture in pictures(X):
        picture.save(file := io.BytesIO(), "PNG")
        contents.append(file.getvalue())
    return contents


def files(X: np.ndarray, folder: Path) -> list[Path]:
    for at, content in enumerate(encoded(X)):
        (folder / f"{at}.png").write_bytes(content)
    return [folder / f"{at}.png" for at in range(len(X))]


form("arrays (X, y)", PICTURES)(lambda pair, to: pair)
form("list of files", PICTURES)(lambda pair, to: (files(pair[0], to), pair[1]))
form("list of Pillow images", PICTURES)(lambda pair, to: (pictures(pair[0]), pair[1]))
form("list of pairs", PICTURES)(
    lambda pair, to: [(str(path), int(y)) for path, y in zip(files(pair[0], to), pair[1], strict=True)]
)
form("table of file names", PICTURES)(
    lambda pair, to: pd.DataFrame({"file": list(map(str, files(pair[0], to))), "label": pair[1]})
)
form(".npz file", PICTURES)(lambda pair, to: written(to / "p.npz", lambda path: np.savez(path, images=pair[0], labels=pair[1])))
form("one-hot labels", PICTURES)(lambda pair, to: (pair[0], np.eye(3)[pair[1]]))
form("PyTorch Dataset", PICTURES)(lambda pair, to: Listed(list(zip(pictures(pair[0]), map(int, pair[1]), strict=True))))
form("PyTorch DataLoader", PICTURES)(
    lambda pair, to: DataLoader(TensorDataset(torch.from_numpy(pair[0]).permute(0, 3, 1, 2), torch.from_numpy(pair[1])), 10)
)
form("PyTorch IterableDataset", PICTURES)(lambda pair, to: Streamed(list(zip(torch.from_numpy(pair[0]), pair[1], strict=True))))
form("Hugging Face dataset", PICTURES)(
    lambda pair, to: datasets.Dataset.from_dict(
        {"image": [{"bytes": content, "path": None} for content in encoded(pair[0])], "label": pair[1]},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "owl"])}),
    )
)
form("tf.data dataset", PICTURES)(lambda pair, to: TensorFlowSet(batches(pair), (spec(None, 8, 8, 3), spec(None))))
form("iterator or generator", PICTURES)(
    lambda pair, to: iter([(content, int(y)) for content, y in zip(encoded(pair[0]), pair[1], strict=True)])
)


@form("table of file names in a CSV file", PICTURES)
def _(pair: Any, folder: Path) -> Path:
    rows = [f"pictures/{path.name},{y}" for path, y in zip(files(pair[0], made(folder / "pictures")), pair[1], strict=True)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]))
    return folder / "labels.csv"


@form("URL", PICTURES)
def _(pair: Any, folder: Path) -> str:
    np.savez(content := io.BytesIO(), x=pair[0], y=pair[1])
    with fsspec.open(f"memory://{folder.name}/p.npz", "wb") as file:
        file.write(content.getvalue())
    return f"memory://{folder.name}/p.npz"


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def untrained(data: Data, folder: Path) -> StudyModel:
    """The smallest network for some data, untrained, as a model of a study."""
    torch.manual_seed(0)
    settings = families.smallest(families.space_for(data.spec), data.spec)
    own = {name.removeprefix("model."): value for name, value in settings.items() if name.startswith("model.")}
    module = deployable(build(families.draw(own, data.spec)), data.spec)
    export(module, data.train.rows(slice(0, 5)).inputs, folder / "model.onnx")
    write_bundle(
        folder / "bundle",
        model=folder / "model.onnx",
        weights=b"",
        recipe={},
        preprocess=json.loads((Path(data.spec.folder) / "preprocess.json").read_text()),
        provenance={},
        card="# A model",
    )
    study: Any = SimpleNamespace(
        name="study", bundle=lambda _: folder / "bundle", state=SimpleNamespace(settings=SimpleNamespace(data=data.spec))
    )
    return StudyModel(study, 0)

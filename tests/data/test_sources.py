"""Every accepted input: the same examples in each form are prepared alike and predicted alike."""

from __future__ import annotations

import functools
import http.server
import io
import re
import sqlite3
import threading
import traceback
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from lepton_automl import SqlQuery
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import DataError
from lepton_automl.readers.sql import without_password
from lepton_automl.source import shown_url
from lepton_automl.specs import Query
from lepton_automl.stored_query import stored_query
from lepton_automl.validate import name_of

from . import inputs

torch.set_num_threads(1)
ROWS, NEW = 60, 12
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "data.md"


def frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "a": rng.normal(size=rows).round(6),
        "b": rng.integers(-50, 50, rows),
        "c": rng.choice(["red", "green", "blue"], rows),
    }
    return pd.DataFrame({**columns, "y": rng.permutation(np.arange(rows) % 2)}).replace({"y": {0: "no", 1: "yes"}})


def arrays(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 3)), rng.permutation(np.arange(rows) % 3)


def pictures(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 8, 8, 3), np.uint8), rng.permutation(np.arange(rows) % 3)


KINDS = {
    "tables": (inputs.TABLES, frame, "pandas DataFrame", {"target": "y"}),
    "arrays": (inputs.ARRAYS, arrays, "arrays (X, y)", {}),
    "pictures": (inputs.PICTURES, pictures, "arrays (X, y)", {}),
}
CASES = [pytest.param(kind, name, id=f"{kind}: {name}") for kind, (forms, *_) in KINDS.items() for name in forms]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """For each kind of data: its digest, a model, and the model's probabilities for new examples."""
    found = {}
    for kind, (_, make, _, options) in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        data = open_data(make(ROWS, 0), folder / "data", DataOptions(**options))
        model, new = inputs.untrained(data, folder), make(NEW, 1)
        found[kind] = data.spec, model, model.predictor.predict_proba(new if isinstance(new, pd.DataFrame) else new[0])
    return found


@pytest.mark.filterwarnings("ignore:numbers in")  # new examples are drawn anew
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_form_is_prepared_and_predicted_like_every_other(
    kind: str, name: str, references: dict[str, Any], tmp_path: Path
) -> None:
    forms, make, _, options = KINDS[kind]
    spec, model, expected = references[kind]
    prepared = prepare(forms[name](make(ROWS, 0), inputs.made(tmp_path / "fit")), tmp_path / "data", DataOptions(**options))
    assert (prepared.digest, prepared.classes, prepared.train) == (spec.digest, spec.classes, spec.train)
    raw = forms[name](make(NEW, 1), inputs.made(tmp_path / "new"))
    raw = raw[0] if isinstance(raw, tuple) else raw  # (X, y): predictions are asked for X
    raw = [path for path, _ in raw] if name == "list of pairs" else raw
    assert np.array_equal(model.predict_proba(raw), expected)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_separate_test_data_may_have_any_form(kind: str, name: str, tmp_path: Path) -> None:
    forms, make, usual, options = KINDS[kind]
    test = forms[name](make(NEW, 1), inputs.made(tmp_path / "test"))
    train = forms[usual](make(ROWS, 0), inputs.made(tmp_path / "train"))
    spec = prepare(train, tmp_path / "data", DataOptions(**options), test=test)
    assert spec.test == NEW and spec.train + spec.validation == ROWS


# Rows of the documentation's table that other tests cover.
ELSEWHERE = {
    "folder of class folders": "test_images.py",
    "zip or tar archive": "test_images.py",
    "folder of idx files": "test_images.py",
    "sources by split": "below",
}


def test_the_documentation_lists_every_input_that_is_tested_and_no_other() -> None:
    listed = re.findall(r"^\| ([^|`]+?) \| .* \| (?:both|images|tables) \|$", DOCUMENT.read_text(), re.MULTILINE)
    tested = {name.removesuffix(" in a CSV file") for forms, *_ in KINDS.values() for name in forms}
    assert len(listed) == len(set(listed)) and set(listed) == tested | set(ELSEWHERE)


@pytest.mark.parametrize("form", ["Hugging Face", "frames", "files", "arrays", "images", "pictures"])
def test_sources_by_split_keep_their_splits(form: str, tmp_path: Path) -> None:
    names = {"train": 40, "validation": 12, "test": 8}
    tables = {name: frame(rows, rows) for name, rows in names.items()}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    images = {name: pictures(rows, rows) for name, rows in names.items()}
    source: Any = {
        "Hugging Face": lambda: datasets.DatasetDict({name: datasets.Dataset.from_pandas(t) for name, t in tables.items()}),
        "frames": lambda: {name: pl.from_pandas(table) for name, table in tables.items()},
        "files": lambda: {name: str(tmp_path / f"{name}.csv") for name in names},
        "arrays": lambda: {name: arrays(rows, rows) for name, rows in names.items()},
        "images": lambda: images,
        "pictures": lambda: {name: (inputs.pictures(X), y) for name, (X, y) in images.items()},
    }[form]()
    options = {"target": "y"} if form in {"Hugging Face", "frames", "files"} else {}
    spec = prepare(source, tmp_path / "data", DataOptions(**options))
    assert (spec.train, spec.validation, spec.test, spec.folds) == (40, 12, 8, 0)


@pytest.mark.parametrize("names", ["{split}_images {split}_labels", "x_{split} y_{split}", "X_{split} target_{split}"])
def test_an_npz_file_may_hold_splits(names: str, tmp_path: Path) -> None:
    parts = {}
    for split, rows in (("train", 40), ("test", 8)):
        parts |= dict(zip(names.format(split=split).split(), pictures(rows, rows), strict=True))
    np.savez(tmp_path / "a.npz", **parts)
    spec = prepare(tmp_path / "a.npz", tmp_path / "data")
    assert (spec.train + spec.validation, spec.test, spec.modality) == (40, 8, "image")


def test_a_table_with_further_columns_is_one_of_images_only_if_the_user_says_so(tmp_path: Path) -> None:
    X, y = pictures(40, 0)
    inputs.files(X, inputs.made(tmp_path / "pictures"))
    table = pd.DataFrame({"file": [f"{n}.png" for n in range(40)], "age": np.arange(40) % 7, "species": y})
    table.to_csv(tmp_path / "pictures" / "labels.csv", index=False)
    assert prepare(tmp_path / "pictures" / "labels.csv", tmp_path / "a", DataOptions(target="species")).modality == "table"
    told = DataOptions(target="species", file_column="file")
    spec = prepare(tmp_path / "pictures" / "labels.csv", tmp_path / "b", told)
    assert (spec.modality, spec.target, spec.classes) == ("image", "species", (0, 1, 2))
    assert "'file' names the files, and 'species' their labels" in spec.notes
    elsewhere = prepare(table, tmp_path / "c", told.replace(file_folder=str(tmp_path / "pictures")))
    assert elsewhere.digest == spec.digest and "columns that are not used: age" in elsewhere.notes
    forced = prepare(tmp_path / "pictures" / "labels.csv", tmp_path / "d", DataOptions(target="species", modality="image"))
    assert forced.digest == spec.digest
    split = table.drop(columns="age").assign(split=["train"] * 20 + ["validation"] * 12 + ["test"] * 8)
    split.to_csv(tmp_path / "pictures" / "split.csv", index=False)
    parts = prepare(tmp_path / "pictures" / "split.csv", tmp_path / "e")
    assert (parts.train, parts.validation, parts.test) == (20, 12, 8)


def test_one_hot_labels_are_classes_and_sets_of_labels_where_the_user_says_so(tmp_path: Path) -> None:
    X, y = arrays(60, 0)
    named = pd.get_dummies(pd.Series(y).map({0: "cat", 1: "dog", 2: "owl"})).astype(int)
    spec = prepare((X, named), tmp_path / "a")
    assert (spec.task, spec.classes) == ("multiclass", ("cat", "dog", "owl"))
    assert any("are one-hot" in note for note in spec.notes)
    assert prepare((X, torch.eye(3)[y]), tmp_path / "b").classes == (0, 1, 2)
    assert prepare((X, np.eye(3)[y]), tmp_path / "c", DataOptions(task="multilabel")).task == "multilabel"
    assert prepare((X, np.eye(3)[y]), tmp_path / "e", DataOptions(task="multiclass")).classes == (0, 1, 2)
    two = np.eye(3)[y]
    two[0] = 1
    assert prepare((X, two), tmp_path / "d").task == "multilabel"


def test_a_bundle_predicts_from_polars_and_arrow(references: dict[str, Any]) -> None:
    _, model, expected = references["tables"]
    new = frame(NEW, 1)
    for raw in (pl.from_pandas(new), pa.Table.from_pandas(new), pa.RecordBatch.from_pandas(new)):
        assert np.array_equal(model.predictor.predict_proba(raw), expected)
    assert model.predict(pl.from_pandas(new[:1])).shape == (1,)


def test_a_query_takes_an_engine_or_a_connection(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.db")
    frame(ROWS, 0).to_sql("rows", engine, index=False)
    specs = []
    with engine.connect() as connection, sqlite3.connect(tmp_path / "shop.db") as own:
        for at, open_to in enumerate((engine, connection, own)):
            query = SqlQuery(sql="select * from rows where a > :least", connection=open_to, parameters={"least": 0})
            specs.append(prepare(query, tmp_path / str(at), DataOptions(target="y")))
        assert not connection.closed
    assert len({spec.digest for spec in specs}) == 1 and specs[0].train < ROWS / 2
    assert "shop" not in repr(SqlQuery(sql="select 1", connection="sqlite:///shop.db"))


def test_passwords_are_neither_stored_nor_shown(tmp_path: Path) -> None:
    url = "postgresql+psycopg2://me:hunter%402@127.0.0.1:1/shop?sslpassword=hunter3&connect_timeout=5"
    engine = sqlalchemy.create_engine(url)
    for connection in (url, engine):
        stored = stored_query(SqlQuery(sql="select 1", connection=connection))
        assert stored == Query(sql="select 1", connection="postgresql+psycopg2://me@127.0.0.1:1/shop?connect_timeout=5")
        with pytest.raises(DataError, match=r"cannot be reached: .*refused") as caught:
            prepare(SqlQuery(sql="select 1", connection=connection), tmp_path)
        assert "hunter" not in "".join(traceback.format_exception(caught.value))
    shown = without_password("bad dsn: me:hunter%402@host, hunter@2, hunter3", engine.url)
    assert shown == "bad dsn: me:***@host, ***, ***"
    assert stored_query(SqlQuery(sql="select :a", connection=engine, parameters={"a": "hunter2"})) is None
    assert stored_query(SqlQuery(sql="select 1", connection=sqlite3.connect(":memory:"))).connection == ""


def test_files_and_folders_at_urls(tmp_path: Path) -> None:
    X, y = pictures(40, 0)
    for at, content in enumerate(inputs.encoded(X)):
        with fsspec.open(f"memory://store/photos/{'abc'[y[at]]}/{at}.png", "wb") as file:
            file.write(content)
    spec = prepare("memory://store/photos/", tmp_path / "a")
    assert (spec.name, spec.classes, spec.train + spec.validation + spec.test) == ("photos", ("a", "b", "c"), 40)
    frame(ROWS, 0).to_parquet(tmp_path / "rows.parquet")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/rows.parquet?signature=secret"
        served = prepare(url, tmp_path / "b", DataOptions(target="y"), test=url)
        with pytest.raises(DataError, match=r"http://127.0.0.1:\d+/rows.txt: there is no such file") as refused:
            prepare(url.replace("parquet", "txt"), tmp_path / "c")
        server.shutdown()
    assert (served.name, served.test) == ("rows", ROWS) and "secret" not in f"{served}{refused.value}"


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Pillow keeps the files of images open
def test_large_photos_are_read_alike_as_files_as_pillow_images_and_in_a_prediction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for at in range(24):
        noise = Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8))
        noise.resize((131, 149)).save(tmp_path / f"{at}.jpg")
    names, y = [str(tmp_path / f"{at}.jpg") for at in range(24)], np.arange(24) % 2
    contents = [Path(name).read_bytes() for name in names]
    sources = [names, list(map(Image.open, names)), contents, [Image.open(io.BytesIO(content)) for content in contents]]
    options = DataOptions(image_size=16, folds=0)
    made = [open_data((source, y), tmp_path / str(n), options) for n, source in enumerate(sources)]
    assert len({data.spec.digest for data in made}) == 1
    order = np.load(tmp_path / "0" / "source_rows.npy")
    predicted = made[0].preprocess.arrays([Image.open(names[at]) for at in order])["image"]
    assert np.array_equal(predicted, made[0].whole().train.inputs["image"].numpy())


def test_no_name_is_made_of_a_password() -> None:
    assert shown_url("https://me:secret@host.org/a/rows.csv?key=secret#secret") == "https://host.org/a/rows.csv"
    assert [name_of(f"https://me:secret@host.org{end}") for end in ("", "/", "/a/rows.csv?key=secret")] == [
        "host",
        "host",
        "rows",
    ]


def test_a_shuffling_loader_gives_the_same_data_every_time_and_leaves_chance_alone(tmp_path: Path) -> None:
    X, y = arrays(ROWS, 0)
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    before = torch.get_rng_state()
    digests = {prepare(DataLoader(data, 8, shuffle=True), tmp_path / str(at)).digest for at in range(2)}
    assert len(digests) == 1 and torch.equal(before, torch.get_rng_state())


def test_rows_without_labels_are_not_taken_for_pairs(references: dict[str, Any]) -> None:
    _, model, _ = references["arrays"]
    X, _ = arrays(NEW, 1)
    expected = model.predict_proba(X)
    for raw in (
        iter(X.tolist()),
        iter(map(tuple, X)),
        iter(X),
        TensorDataset(torch.from_numpy(X)),
        DataLoader(torch.from_numpy(X)),
    ):
        assert np.array_equal(model.predict_proba(raw), expected)


def test_examples_of_hugging_face_stay_on_the_disk_and_streams_are_read(references: dict[str, Any], tmp_path: Path) -> None:
    spec, *_ = references["pictures"]
    source = inputs.PICTURES["Hugging Face dataset"](pictures(ROWS, 0), tmp_path)
    made = prepare(source, tmp_path / "a")
    assert "the labels are the numbers of 'label': 0 cat, 1 dog, 2 owl" in made.notes
    streamed = prepare(source.to_iterable_dataset(), tmp_path / "b")
    assert streamed.digest == made.digest == spec.digest

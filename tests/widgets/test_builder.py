"""The builder without a browser: what it finds, what it reports of it, what it prints, and that this is what it starts."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zipfile
from datetime import UTC, datetime

import fsspec
import numpy as np
import pytest

import lepton_automl

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")

from lepton_automl.widgets import preview_worker
from lepton_automl.widgets.sources import find_sources, keep
from tests.samples import until

from .filled_builder import begun, choose, config, evaluated, seen, table

NOW = datetime.now(UTC)


def test_it_finds_the_notebooks_variables(digits):
    class Rude:
        def __getattr__(self, name):
            raise RuntimeError(name)

    bunch = pytest.importorskip("sklearn.datasets").load_iris()
    frame = table()
    names = {
        **digits, "df": frame, "iris": bunch, "pair": (digits["x"], digits["y"]), "sold": list(frame["sold"]),
        "_hidden": frame, "few": frame[:5], "np": np, "rude": Rude(), "text": "x" * 100, "empty": [], "size": frame["size"],
    }  # fmt: skip
    found = [one.code for one in find_sources(names)]
    assert found[:1] == ["df"] and {"x, y", "pair", "iris.data, iris.target"} <= set(found)
    assert not {one for one in found if one.startswith(("_hidden", "few", "np", "rude", "text", "empty"))}


def test_it_reads_datasets_queries_and_urls(home, tmp_path, launched):
    datasets, pl = pytest.importorskip("datasets"), pytest.importorskip("polars")
    frame, url = table(), f"sqlite:///{tmp_path}/shop.db?password=hunter2"
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        frame.to_sql("rows", database, index=False)
    names = {
        "query": lepton_automl.SqlQuery(sql="select * from rows", connection=url),
        "rows": datasets.Dataset.from_pandas(frame), "lazy": pl.from_pandas(frame).lazy(),
        "splits": {"train": frame[:300], "test": frame[300:]}, "numbers": iter([1]), "place": "data.npz",
    }  # fmt: skip
    assert [source.code for source in find_sources(names)] == ["query", "rows", "lazy", "splits"]
    made = lepton_automl.builder(names)
    for name in ("rows", "lazy", "splits"):
        choose(made, name)
        assert [value for _, value in made.data.target.control.options][:4] == [None, "size", "colour", "price"]
    choose(made, "query")
    made.data.target.control.value = "price"
    assert "regression of price" in [seen(made), made.inferred.value][1] and ".fit(query, " in made.plan.code
    stored = config(begun(made, launched))
    assert stored["query"] == {"sql": "select * from rows", "connection": f"sqlite:///{tmp_path}/shop.db"}
    made._reopen()
    with fsspec.open(place := f"memory://{tmp_path.name}/rows.csv", "w") as file:
        frame.to_csv(file, index=False)
    made.data.path.control.value = place
    made.data.reach.click()
    assert seen(made).columns == ("size", "colour", "price", "sold") and seen(made).spec.name == "rows"


def test_it_shows_what_was_inferred_and_offers_to_correct_it(home):
    made = lepton_automl.builder({"df": table()})
    assert made.start.disabled and "Choose data first" in made._why.value
    choose(made, "df")
    told = made.inferred.value
    assert "binary classification of sold" in told and "a table with 2 numeric columns and 1 categorical column" in told
    assert all(name in told for name in ("size", "colour", "price", "number", "category", "3 categories", "yes", "no"))
    assert [value for _, value in made.data.target.control.options] == [None, "size", "colour", "price", "sold"]
    assert [value for _, value in made.goals.metric.control.options][:2] == [None, "accuracy"]
    made.data.target.control.value = "price"
    assert "regression of price" in [seen(made), made.inferred.value][1] and "<svg" in made.inferred.value
    assert [value for _, value in made.goals.metric.control.options] == [None, "rmse", "mae", "r2", "mape", "rmsle"]
    made.data.ignore.control.value = ("sold",)
    seen(made)
    assert "yes" not in made.inferred.value
    assert made.plan.code == 'AutoML(budget=Budget(minutes=10)).fit(df, target="price", ignore=["sold"])'
    made.data.task.control.value = "binary"  # of a price: an error with what to do
    assert seen(made).spec is None and "l-warn" in made.inferred.value and made.start.disabled


def test_images_have_classes_counts_and_samples(home, digits):
    made = lepton_automl.builder(digits)
    choose(made, "x, y")
    spec, found = made._preview.spec, made._preview.dataset
    assert len(found.classes) == 10 and sum(one.rows for one in found.classes) == spec.train + spec.validation
    assert made.inferred.value.count("data:image/png;base64,") == 10


@pytest.mark.parametrize("kind", ["table", "pictures"])
def test_the_line_of_python_is_what_it_starts(home, tmp_path, digits, launched, monkeypatch, kind):
    names = {"df": table()} if kind == "table" else digits
    made = lepton_automl.builder(names)
    choose(made, "df" if kind == "table" else "x, y")
    if kind == "table":
        made.data.target.control.value = "price"
        seen(made)
        made.data.ignore.control.value = ("sold",)
        seen(made)
        made.goals.metric.control.value = "mae"
        assert seen(made).options["target_transform"] == "auto"  # as in a search for this metric
        made.goals.pins.hyperparameter.value, made.goals.pins.setting.value = "model.depth", "2"
        made.goals.pins.pin.click()
        made.goals.deployment["threads"].control.value = "2"
    else:
        made.goals.objectives["size"].value = True
        made.goals.pins.hyperparameter.value, made.goals.pins.setting.value = "model.block", '"plain"'
        made.goals.pins.pin.click()
        made.goals.name.control.value = "007"
        made.goals.budget["trials"].control.value = "5"
    made.goals.deployment["max_latency_ms"].control.value = "1.0"
    made.goals.deployment["max_size_bytes"].control.value = "200"
    made.goals.workers.control.value = "1"
    monkeypatch.setattr(preview_worker, "prepare", None)
    with monkeypatch.context() as patched:
        patched.setattr("lepton_automl.data.prepare.prepare", None)  # what was looked at is not prepared again
        started = begun(made, launched)
        assert json.loads((started / "config.json").read_text())["data"]["folder"] == "data"
    assert (started / "data" / "spec.json").exists() and not list(home.glob("looking-*/data"))
    evaluates = evaluated(made, names, tmp_path / "other", launched, monkeypatch)
    assert evaluates != started and config(evaluates) == config(started)
    assert config(started)["deployment"]["max_size_bytes"] == 200_000


def test_rare_options_are_in_the_code_and_in_the_search(home, tmp_path, launched, monkeypatch):
    frame = table()
    names = {"df": frame.head(300).assign(who=np.arange(300) // 3), "late": frame.tail(100).assign(who=999)}
    made = lepton_automl.builder(names)
    choose(made, "df")
    more = made.more
    assert more._fields.layout.display == "none"
    more.opened.value = True
    assert more._fields.layout.display == ""
    for field, text in ((more.seed, "-1"), (more.test, "nowhere.csv")):
        field.control.value = text
    assert "at least 0" in more.seed._complaint.value and "nowhere.csv" in more.test._complaint.value
    assert seen(made).spec is not None and "2 fields to correct" in made._why.value
    more.seed.control.value, more.test.control.value = "7", "late"
    more.group.control.value = "who"
    more.weight.control.value, more.sampler.control.value = "balanced", "random"
    assert seen(made).spec.test == 100 and seen(made).spec.output.class_weight
    assert made.plan.code == (
        'AutoML(budget=Budget(minutes=10), seed=7, class_weight="balanced", sampler="random")'
        '.fit(df, group_column="who", test=late)'
    )
    with monkeypatch.context() as patched:
        patched.setattr("lepton_automl.data.prepare.prepare", None)  # what was looked at is not prepared again
        started = begun(made, launched)
    assert config(evaluated(made, names, tmp_path / "other", launched, monkeypatch)) == config(started)
    made._reopen()
    names["late"] = names["late"].head(60)
    made.refresh()  # as after a cell
    assert seen(made).spec.test == 60
    made.data.target.control.value = "price"
    assert seen(made).spec.task == "regression" and "class_weight" not in made.plan.code  # of a quantity there is none
    assert "on average</h4>" in made.inferred.value


def test_pairs_have_test_pairs(home, digits, launched):
    names = {"x": digits["x"][:900], "y": digits["y"][:900], "a": digits["x"][900:], "b": digits["y"][900:]}
    made = lepton_automl.builder(names)
    choose(made, "x, y")
    made.more.test.control.value = "(a, b)"
    assert seen(made).spec.test == len(digits["x"]) - 900 and made.plan.code.endswith(".fit(x, y, test=(a, b))")
    begun(made, launched)


def test_a_table_changed_after_the_preview_is_read_again(home, tmp_path, launched, monkeypatch):
    frame = table()
    made = lepton_automl.builder({"df": frame})
    choose(made, "df")
    rows = made._preview.spec.train
    frame.loc[:99, "sold"] = None  # rows without a target are left out
    started = begun(made, launched)
    assert config(started)["data"]["train"] < rows
    assert config(evaluated(made, {"df": frame}, tmp_path / "other", launched, monkeypatch)) == config(started)


def test_a_file_is_opened_when_it_exists_and_a_folder_on_request(home, tmp_path, launched, monkeypatch):
    table().to_csv(tmp_path / "prices.csv", index=False)
    made = lepton_automl.builder({})
    made.data.path.control.value = str(tmp_path / "pri")
    assert made.data.path.control.options == (str(tmp_path / "prices.csv"),) and made.data.source is None
    made.data.path.control.value = str(tmp_path / "prices.csv")
    assert seen(made).columns == ("size", "colour", "price", "sold")
    made.data.path.control.value = str(tmp_path)
    assert made.data.source is None and made.start.disabled  # folders on the way must not be read
    made.data.reach.click()
    assert "l-warn" in [seen(made), made.inferred.value][1]
    made.data.path.control.value = str(tmp_path / "prices.cvs")
    made.data.path._handle_custom_msg = None
    made.data.path.control._handle_custom_msg({"event": "submit"}, [])  # Enter
    seen(made)
    assert "Did you mean" in made.inferred.value and "prices.csv" in made.inferred.value
    made.data.path.control.value = str(tmp_path / "prices.csv")
    seen(made)
    started = begun(made, launched)
    assert started.name == "prices"
    assert config(evaluated(made, {}, tmp_path / "other", launched, monkeypatch)) == config(started)


def test_uploaded_files_are_kept_beside_the_studies(home, tmp_path):
    made = lepton_automl.builder({})
    told = {
        "name": "../../up.csv",
        "content": memoryview(table().to_csv(index=False).encode()),
        "type": "text/csv",
        "size": 1,
        "last_modified": NOW,
    }
    made.data.upload.set_trait("value", (told,))
    assert seen(made).spec.target == "sold" and made.data.path.control.value == str(home / "uploads" / "up.csv")
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for label, level in (("dark", 0), ("bright", 200)):
        files = []
        for number in range(12):
            pixels = np.random.default_rng(number).integers(level, level + 50, (8, 8, 3)).astype(np.uint8)
            path = tmp_path / "one.png"
            image.fromarray(pixels).save(path)
            files.append(
                {"name": f"{number}.png", "content": memoryview(path.read_bytes()), "type": "", "size": 1, "last_modified": NOW}
            )
        if label == "dark":
            made.data.upload.set_trait("value", tuple(files))
            assert "Enter the class name first" in made.data.label._complaint.value
        made.data.label.control.value = label
        made.data.upload.set_trait("value", tuple(files))
    until(lambda: made._preview is not None and made._preview.spec is not None)
    assert made._preview.spec.classes == ("bright", "dark") and made._preview.spec.train + made._preview.spec.test == 24
    archive = tmp_path / "both.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in (home / "uploads" / "pictures").rglob("*.png"):
            out.write(path, path.relative_to(home / "uploads" / "pictures"))
    path = keep([{"name": "both.zip", "content": archive.read_bytes()}], home / "uploads")
    made.data.path.control.value = str(path)
    assert seen(made).spec.classes == ("bright", "dark")

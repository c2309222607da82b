"""The builder without a browser: what it finds, what it says of it, what it prints and that this is what it starts."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lepton_automl
from lepton_automl.errors import ExtraError
from lepton_automl.study import launch
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")

from lepton_automl.widgets import preview_worker, static_view
from lepton_automl.widgets.plan import Plan, spoken
from lepton_automl.widgets.sources import completions, keep, sources
from lepton_automl.widgets.view import below
from tests.samples import until

from .test_widgets import (
    HOSTILE,
    MODELS,
    PNG,
    harmless,
    lived,
    without_ipywidgets,
)

NOW = datetime.now(UTC)
DASHBOARD = Study.dashboard


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "studies"))
    return tmp_path / "studies"


@pytest.fixture
def launched(monkeypatch):
    """Studies that would be launched; none is, so that there is nothing to show of it."""
    import ipywidgets as w

    told = []
    monkeypatch.setattr(Study, "dashboard", lambda study: w.HTML(study.name))
    monkeypatch.setattr(launch, "launch", lambda folder, alive: told.append(folder))
    monkeypatch.setattr(lepton_automl.api.FitCall, "_attend", lambda fit, study: study)
    return told


@pytest.fixture
def digits():
    load = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits
    x, y = load(return_X_y=True)
    return {"x": x.reshape(-1, 8, 8), "y": y}


def table():
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=400), rng.choice(["red", "green", "blue"], 400)
    price = 3 * size + (colour == "red") + rng.normal(size=400)
    return pd.DataFrame({"size": size, "colour": colour, "price": price, "sold": np.where(price > 0, "yes", "no")})


def choose(made, code):
    """Choose a variable, and wait until it was looked at."""
    codes = [one.code if one else "" for _, one in made.data.variable.control.options]
    made.data.variable.control.index = codes.index(code)
    seen(made)


def seen(made):
    until(lambda: made._seen is not None)
    with made._drawing:  # it may just be shown
        return made._seen


def config(folder):
    """What was asked of a study, wherever it lies."""
    told = json.loads((folder / "config.json").read_text())
    told["data"].pop("folder")
    return told


def begun(made, launched):
    """Start, and wait for the study's folder."""
    before = len(launched)
    assert not made.start.disabled, made._why.value
    made.start.click()
    until(lambda: len(launched) > before or "l-warn" in made.acts.said.value)
    assert len(launched) > before, made.acts.said.value
    until(lambda: made.dashboard is not None and not made._busy)
    return launched[-1]


def evaluated(made, names, home, launched, monkeypatch):
    """Run the printed lines in a home of their own."""
    monkeypatch.setenv("LEPTON_HOME", str(home))
    exec(f"{made.plan.imports}\n{made.plan.code}", dict(names))
    return launched[-1]


def test_it_finds_what_a_notebook_holds(digits):
    class Rude:
        def __getattr__(self, name):
            raise RuntimeError(name)

    bunch = pytest.importorskip("sklearn.datasets").load_iris()
    frame = table()
    names = {
        **digits, "df": frame, "iris": bunch, "pair": (digits["x"], digits["y"]), "sold": list(frame["sold"]),
        "_hidden": frame, "few": frame[:5], "np": np, "rude": Rude(), "text": "x" * 100, "empty": [], "size": frame["size"],
    }  # fmt: skip
    found = [one.code for one in sources(names)]
    assert found[:1] == ["df"] and {"x, y", "pair", "iris.data, iris.target"} <= set(found)
    assert not {one for one in found if one.startswith(("_hidden", "few", "np", "rude", "text", "empty"))}


def test_it_shows_what_was_inferred_and_offers_to_correct_it(home):
    made = lepton_automl.builder({"df": table()})
    assert made.start.disabled and "choose data first" in made._why.value
    choose(made, "df")
    told = made.inferred.value
    assert "binary classification of sold" in told and "a table with 2 numeric columns and 1 categorical column" in told
    assert all(name in told for name in ("size", "colour", "price", "number", "category", "3 categories", "yes", "no"))
    assert [value for _, value in made.data.target.control.options] == [None, "size", "colour", "price", "sold"]
    assert [value for _, value in made.goals.metric.control.options][:2] == [None, "accuracy"]
    made.data.target.control.value = "price"
    assert "regression of price" in [seen(made), made.inferred.value][1] and "<svg" in made.inferred.value
    assert [value for _, value in made.goals.metric.control.options] == [None, "rmse", "mae", "r2"]
    made.data.ignore.control.value = ("sold",)
    seen(made)
    assert "yes" not in made.inferred.value
    assert made.plan.code == 'AutoML(budget=Budget(minutes=10)).fit(df, target="price", ignore=["sold"])'
    made.data.task.control.value = "binary"  # of a price: said, with what to do
    assert seen(made).spec is None and "l-warn" in made.inferred.value and made.start.disabled


def test_pictures_have_their_classes_counts_and_samples(home, digits):
    made = lepton_automl.builder(digits)
    choose(made, "x, y")
    spec, found = made._seen.spec, made._seen.glance
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
        made.goals.pins.knob.value, made.goals.pins.setting.value = "model.depth", "2"
        made.goals.pins.pin.click()
        made.goals.deployment["threads"].control.value = "2"
    else:
        made.goals.objectives["size"].value = True
        made.goals.pins.knob.value, made.goals.pins.setting.value = "model.block", '"plain"'
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
    assert config(started)["target"]["max_size_bytes"] == 204800


def test_what_is_seldom_said_is_in_the_line_and_in_the_search(home, tmp_path, launched, monkeypatch):
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
    assert seen(made).spec.test == 100 and seen(made).spec.class_weight
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


def test_pairs_have_test_pairs(home, digits, launched):
    names = {"x": digits["x"][:900], "y": digits["y"][:900], "a": digits["x"][900:], "b": digits["y"][900:]}
    made = lepton_automl.builder(names)
    choose(made, "x, y")
    made.more.test.control.value = "(a, b)"
    assert seen(made).spec.test == len(digits["x"]) - 900 and made.plan.code.endswith(".fit(x, y, test=(a, b))")
    begun(made, launched)


def test_a_table_that_was_changed_after_the_look_is_read_again(home, tmp_path, launched, monkeypatch):
    frame = table()
    made = lepton_automl.builder({"df": frame})
    choose(made, "df")
    rows = made._seen.spec.train
    frame.loc[:99, "sold"] = None  # rows without a target are left out
    started = begun(made, launched)
    assert config(started)["data"]["train"] < rows
    assert config(evaluated(made, {"df": frame}, tmp_path / "other", launched, monkeypatch)) == config(started)


def test_a_file_is_opened_when_it_is_there_and_a_folder_when_asked(home, tmp_path, launched, monkeypatch):
    table().to_csv(tmp_path / "prices.csv", index=False)
    made = lepton_automl.builder({})
    made.data.path.control.value = str(tmp_path / "pri")
    assert made.data.path.control.options == (str(tmp_path / "prices.csv"),) and made.data.source is None
    made.data.path.control.value = str(tmp_path / "prices.csv")
    assert seen(made).columns == ("size", "colour", "price", "sold")
    made.data.path.control.value = str(tmp_path)
    assert made.data.source is None and made.start.disabled  # nobody wants every folder on the way to be read
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


def test_files_of_a_persons_own_are_kept_beside_the_studies(home, tmp_path):
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
            assert "say the class" in made.data.label._complaint.value
        made.data.label.control.value = label
        made.data.upload.set_trait("value", tuple(files))
    until(lambda: made._seen is not None and made._seen.spec is not None)
    assert made._seen.spec.classes == ("bright", "dark") and made._seen.spec.train + made._seen.spec.test == 24
    archive = tmp_path / "both.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in (home / "uploads" / "pictures").rglob("*.png"):
            out.write(path, path.relative_to(home / "uploads" / "pictures"))
    path = keep([{"name": "both.zip", "content": archive.read_bytes()}], home / "uploads")
    made.data.path.control.value = str(path)
    assert seen(made).spec.classes == ("bright", "dark")


def test_every_field_says_what_is_wrong_beside_it_all_at_once(home):
    made = lepton_automl.builder({"df": table()})
    choose(made, "df")
    StudyStore(home).create("taken")
    (home / "studies" / "taken" / "journal.jsonl").touch()
    goals = made.goals
    fields = {
        goals.deployment["max_latency_ms"]: ("-1", "a limit must be a number above 0"),
        goals.deployment["threads"]: ("two", "threads is"),
        goals.deployment["batch_size"]: ("1.5", "whole number"),
        goals.budget["minutes"]: ("0", "must be a number above 0"),
        goals.budget["trials"]: ("nan", "must be"),
        goals.workers: ("0", "at least 1"),
        goals.name: ("taken", "taken-2"),
    }
    for field, (text, _) in fields.items():
        field.control.value = text
    for field, (_, told) in fields.items():
        assert told in field._complaint.value
    assert f"{len(fields)} fields to correct" in made._why.value and made.start.disabled
    goals.name.control.value = "no/name"
    assert "cannot be a study" in goals.name._complaint.value
    goals.pins.knob.value, goals.pins.setting.value = "model.kind", "tree"
    goals.pins.pin.click()
    assert "l-warn" in goals.pins._complaint.value and goals.pins.held == {}
    for field in fields:
        field.control.value = "" if field is not goals.budget["minutes"] else "1"
    assert not made.start.disabled and not any(field._complaint.value for field in fields)


def test_what_cannot_start_is_said_and_can_be_corrected(home, launched, monkeypatch):
    made = lepton_automl.builder({"df": table()})
    choose(made, "df")
    monkeypatch.setattr(launch, "write_request", lambda *_: (_ for _ in ()).throw(lepton_automl.StudyError("the disk is full")))
    made.start.click()
    until(lambda: "the disk is full" in made.acts.said.value)
    monkeypatch.undo()
    until(lambda: not made.start.disabled)


def test_hostile_names_are_shown_harmlessly(home, launched):
    import ipywidgets as w

    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    rng = np.random.default_rng(0)
    texts = [text.replace("\ud800", "") for text in HOSTILE]
    frame = pd.DataFrame({text: rng.normal(size=400) for text in texts} | {"<b>kind": rng.choice(texts, 400)})
    made = lepton_automl.builder({"df": frame, "<i>": frame})
    choose(made, "df")
    assert made._seen.spec is not None, made.inferred.value
    made.data.ignore.control.value = tuple(value for _, value in made.data.ignore.control.options[:-1])[:15]
    seen(made)
    html = [one.value for one in below(made) if isinstance(one, w.HTML) and "<style>" not in one.value]
    assert len(html) > 5 and all(map(harmless, html)) and made.png().startswith(PNG)
    assert not any(mark in repr(made) for mark in "\x00\x07\x1b\x9b\u202e")


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )
)
def test_what_is_written_out_is_what_was_meant(value):
    assert eval(spoken(value)) == value


def test_a_plan_says_no_more_than_was_said():
    plan = Plan(data="df", deployment={"max_latency_ms": 1.0}, budget={"minutes": 10}, said={"target": "income"})
    told = 'AutoML(deployment=Deployment(max_latency_ms=1.0), budget=Budget(minutes=10)).fit(df, target="income")'
    assert plan.code == told


def test_a_path_is_completed(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / ".hidden").touch()
    assert completions(f"{tmp_path}/") == [f"{tmp_path}/photos"]
    assert completions(f"{tmp_path}/ph") == [f"{tmp_path}/photos"] and completions(f"{tmp_path}/nowhere/x") == []


def test_a_closed_builder_leaves_nothing_behind(home):
    made = lepton_automl.builder({"df": table()})
    choose(made, "df")
    assert list(home.glob("looking-*"))
    made.close()
    assert not list(home.glob("looking-*"))


def test_without_a_page_it_is_text(home):
    made = lepton_automl.builder({"df": table()})
    assert "choose data first" in repr(made)
    choose(made, "df")
    told = repr(made)
    assert told.splitlines()[-1] == "AutoML(budget=Budget(minutes=10)).fit(df)" and "classification of sold" in told
    assert made._repr_mimebundle_()["text/plain"] == told and "<" not in told


def test_a_still_picture_stays_behind(home, tmp_path, launched, monkeypatch):
    class Shown:
        def __init__(self, what):
            self.now = what

        def update(self, what, **how):
            assert how == {"raw": True, "metadata": static_view.METADATA}
            self.now = what

    shown, drawn = [], []
    monkeypatch.setattr(static_view, "_in_kernel", lambda: True)
    monkeypatch.setattr(
        "IPython.display.display", lambda what, **how: how.get("display_id") and (shown.append(Shown(what)) or shown[-1])
    )
    monkeypatch.setattr(static_view.Drawing, "text", lambda drawing, x, y, text, **how: drawn.append(str(text)) or 0.0)
    made = lepton_automl.builder({"df": table()})
    made._ipython_display_()
    assert any("not started" in text for text in drawn) and shown[0].now["text/plain"] == repr(made)
    choose(made, "df")
    made.goals.budget["trials"].control.value = "5"
    until(lambda: any("classification of" in text for text in drawn) and any("trials=5" in text for text in drawn))
    study, _ = lived(tmp_path, MODELS)
    living = DASHBOARD(study)
    monkeypatch.setattr(Study, "dashboard", lambda study: living)
    begun(made, launched)
    drawn.clear()
    until(lambda: "runs in" in drawn)
    assert not any("not started" in text for text in drawn) and any("trials=5" in text for text in drawn)

    def drawn_later():  # again where the dashboard has just looked at its study itself
        living._moment = replace(living._moment, status="a later one")
        living.keep()
        return "a later one" in drawn

    until(drawn_later)
    assert len(shown) == 1


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    without_ipywidgets(monkeypatch)
    with pytest.raises(ExtraError, match=r"lepton-automl\[notebook\]"):
        lepton_automl.builder()


def test_it_looks_without_torch(tmp_path):
    told = (
        "import sys, time, numpy as np, pandas as pd, lepton_automl; rng = np.random.default_rng(0);"
        f"b = lepton_automl.builder(dict(x=rng.normal(size=(99, 4)), y=rng.integers(0, 2, 99)), home={str(tmp_path)!r});"
        "b.data.variable.control.index = 1; exec('while b._seen is None: time.sleep(0.01)');"
        "print(b._seen.spec.task, {'torch', 'optuna', 'mlflow', 'plotly'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "binary set()"

"""The builder's texts: errors beside each field, names that could break a page, and the text without a page."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

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

from lepton_automl.widgets import static_view
from lepton_automl.widgets.plan import Plan, python_literal
from lepton_automl.widgets.sources import completions
from lepton_automl.widgets.view import descendants
from tests.samples import until

from .filled_builder import DASHBOARD, begun, choose, seen, table
from .recorded_studies import (
    HOSTILE,
    MODELS,
    PNG,
    harmless,
    lived,
    without_ipywidgets,
)


def test_every_wrong_field_has_its_message_beside_it(home):
    made = lepton_automl.builder({"df": table()})
    choose(made, "df")
    StudyStore(home).create("taken")
    (home / "studies" / "taken" / "journal.jsonl").touch()
    goals = made.goals
    fields = {
        goals.deployment["max_latency_ms"]: ("-1", "a limit must be a number above 0"),
        goals.deployment["threads"]: ("two", "threads is"),
        goals.deployment["batch_size"]: ("1.5", "integer"),
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
    goals.pins.hyperparameter.value, goals.pins.setting.value = "model.kind", "tree"
    goals.pins.pin.click()
    assert "l-warn" in goals.pins._complaint.value and goals.pins.held == {}
    for field in fields:
        field.control.value = "" if field is not goals.budget["minutes"] else "1"
    assert not made.start.disabled and not any(field._complaint.value for field in fields)


def test_a_failed_start_is_reported_and_can_be_corrected(home, launched, monkeypatch):
    made = lepton_automl.builder({"df": table()})
    choose(made, "df")
    monkeypatch.setattr(launch, "write_request", lambda *_: (_ for _ in ()).throw(lepton_automl.StudyError("the disk is full")))
    made.start.click()
    until(lambda: "the disk is full" in made.actions.message.value)
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
    assert made._preview.spec is not None, made.inferred.value
    made.data.ignore.control.value = tuple(value for _, value in made.data.ignore.control.options[:-1])[:15]
    seen(made)
    html = [one.value for one in descendants(made) if isinstance(one, w.HTML) and "<style>" not in one.value]
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
def test_the_printed_code_gives_the_same_request(value):
    assert eval(python_literal(value)) == value


def test_a_plan_lists_only_what_was_set():
    plan = Plan(data="df", deployment={"max_latency_ms": 1.0}, budget={"minutes": 10}, fit_arguments={"target": "income"})
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
    assert "Choose data first" in repr(made)
    choose(made, "df")
    text = repr(made)
    assert text.splitlines()[-1] == "AutoML(budget=Budget(minutes=10)).fit(df)" and "classification of sold" in text
    assert made._repr_mimebundle_()["text/plain"] == text and "<" not in text


def test_a_static_image_remains(home, tmp_path, launched, monkeypatch):
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
        living._snapshot = replace(living._snapshot, status="a later one")
        living.keep()
        return "a later one" in drawn

    until(drawn_later)
    assert len(shown) == 1


def test_without_the_packages_the_error_names_what_to_install(monkeypatch):
    without_ipywidgets(monkeypatch)
    with pytest.raises(ExtraError, match=r"lepton-automl\[notebook\]"):
        lepton_automl.builder()


def test_the_preview_loads_no_torch(tmp_path):
    told = (
        "import sys, time, numpy as np, pandas as pd, lepton_automl; rng = np.random.default_rng(0);"
        f"b = lepton_automl.builder(dict(x=rng.normal(size=(99, 4)), y=rng.integers(0, 2, 99)), home={str(tmp_path)!r});"
        "b.data.variable.control.index = 1; exec('while b._preview is None: time.sleep(0.01)');"
        "print(b._preview.spec.task, {'torch', 'optuna', 'mlflow', 'plotly'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "binary set()"

"""Parts of the dashboard: the card at the end, the table of trials, the data, the notes, the losses."""

from __future__ import annotations

import io
import threading
from functools import partial

import pandas as pd
import pytest

from lepton_automl.errors import ConfigError
from lepton_automl.events import AliasMoved, ModelRegistered, StudyEnded
from tests.samples import until

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
from .recorded_studies import HOSTILE, MODELS, PNG, harmless, lived


def test_trials_are_filtered_marked_aligned_and_saved(tmp_path):
    study, _ = lived(tmp_path, MODELS)
    dashboard = study.dashboard()
    dashboard.tabs.selected_index = list(dashboard.views).index("trials")
    table = dashboard.table

    def shown():
        return [row[0] for row in table.grid.rows]

    assert table.grid.marks == ["", "●", "★"]  # of trials 2, 1, 0
    at = table.grid.names.index("accuracy")
    assert [row[at] for row in table.grid.rows] == ["0.7000", "0.8000", "0.9000"] and table.grid.numbers[at]
    for text, trials in (
        ("accuracy>0.75", ["1", "0"]), ("score>=0.8 latency_ms<1", ["1"]), ("complete", ["2", "1", "0"]), ("nothing", []),
        ("status!=complete", []), ("trial=2 conv", ["2"]),
    ):  # fmt: skip
        table.filter.value = text
        assert shown() == trials and not table.complaint.value, text
    table.filter.value = "acuracy>0.75"
    assert "Did you mean" in table.complaint.value and len(shown()) == 3
    table.filter.value = "accuracy>much"
    assert "needs a number" in table.complaint.value
    table.filter.value, table.front.value = "", True
    assert shown() == ["1", "0"] and "2 of 3 trials" in table.grid.caption
    table.front.value = False
    saved = pd.read_csv(io.StringIO(table.csv_text())).sort_values("trial", ignore_index=True)
    whole = pd.read_csv(io.StringIO(study.trials.to_csv(index=False)))
    pd.testing.assert_frame_equal(saved, whole)


def test_the_data_are_described_with_what_was_left_out(tmp_path):
    from lepton_automl.data.options import DataOptions
    from lepton_automl.data.prepare import prepare
    from lepton_automl.widgets.dataset import DatasetView

    rows = pd.DataFrame(
        {"id": range(400), "size": [n % 7 for n in range(400)], "same": 1, "secret": [n % 3 for n in range(400)]}
    )
    rows["sold"] = ["yes" if n % 7 > 2 else "no" for n in range(400)]
    spec = prepare(rows, tmp_path / "data", DataOptions(target="sold", ignore=["secret"]))
    study, _ = lived(tmp_path, MODELS, spec=spec)
    view = DatasetView()
    view.draw(study.dashboard()._snapshot)
    view.wait()
    said = view._view.value
    dropped = said[said.index("Left out") :].partition("Detected")[0]
    assert all(name in dropped for name in ("id", "same", "secret")) and "size" not in dropped and "size" in said
    assert (
        "320</td><td>80 %</td><td>learned from and scored by 5-fold" in said
        and "80</td><td>20 %" in said
        and "yes" in said
        and harmless(said)
    )


def test_notes_are_written_and_shown(tmp_path):
    study, _ = lived(tmp_path, MODELS)
    dashboard = study.dashboard()
    dashboard.tabs.selected_index = list(dashboard.views).index("notes")
    notes = dashboard.views["notes"]
    notes.text.value, notes.about.value = f"check again {HOSTILE[0]}", True
    notes.save.click()
    until(lambda: "check again" in notes._view.value)
    assert study.notes[0].trial == 0 and notes.text.value == "" and "on trial 0" in notes._view.value
    assert harmless(notes._view.value) and "study.add_note(" in dashboard.actions.message.value


def test_training_and_validation_losses_are_drawn_together(tmp_path):
    from lepton_automl.reporting.losses import losses_of, losses_svg

    study, _ = lived(tmp_path, MODELS, ended=False)
    trial = study.state.trials[0]
    assert losses_svg(study.state, trial) == ""  # one epoch is no curve
    for epoch, train, loss in ((2, 0.9, 0.8), (3, 0.5, 0.6), (4, 0.3, 0.7)):
        scores = {"train_loss": train, "log_loss": loss, "accuracy": 0.5}
        trial.reports.append(trial.reports[-1].replace(epoch=epoch, scores=scores))
    losses = losses_of(study.state, trial)
    assert losses.train == ((1, 1.5), (2, 0.9), (3, 0.5), (4, 0.3)) and losses.validation == ((2, 0.8), (3, 0.6), (4, 0.7))
    drawn = losses_svg(study.state, trial)
    assert drawn.count("<polyline") == 2 and "lowest at epoch 3: 0.6" in drawn and harmless(drawn)


def test_the_chosen_model_is_open_and_a_card_says_what_to_do_with_it(tmp_path):
    study, journal = lived(tmp_path, MODELS, ended=False)
    dashboard = study.dashboard()
    assert "trial 0: " in dashboard.detail.text.value and dashboard.done.layout.display == "none"
    journal.append(StudyEnded(at=100.0, reason="done", chosen=1))
    until(lambda: "trial 1: " in dashboard.detail.text.value)
    assert dashboard.done.layout.display == ""
    said = dashboard.done.text.value
    assert "Done: " in said and "trial 1 predicts" in said and "80.0 %" in said and "100 µs" in said and "sealed" in said
    dashboard.choose(2)
    assert "trial 2: " in dashboard.detail.text.value and "trial 1 predicts" in dashboard.done.text.value
    dashboard.done.test.click()  # it can be opened once: a second click confirms
    assert dashboard.done.test.description == "open it now, once" and study.state.tested is None
    dashboard.done.cancel.click()
    assert dashboard.done.test.description == "open the test split" and dashboard.done.cancel.layout.display == "none"
    assert dashboard.done.code.layout.display == ("" if hasattr(study.model(1), "code") else "none")
    assert "Done: " not in repr(dashboard) and dashboard.png().startswith(PNG)


def test_the_card_knows_who_is_champion(tmp_path):
    study, journal = lived(tmp_path, MODELS)
    done, registered = study.dashboard().done, partial(ModelRegistered, trial=0, model="sample", version="1")
    assert done.register.description == "register" and "Registered" not in done.text.value
    for event, named, label in (
        (registered(at=101.0, alias="challenger"), "alias challenger.", "register"),
        (registered(at=102.0, alias="champion"), "alias challenger and champion.", "registered"),
        (
            AliasMoved(at=103.0, model="sample", version="2", alias="champion", history=("1", "2")),
            "alias challenger.",
            "register",
        ),
    ):
        journal.append(event)
        until(lambda named=named: f"Registered in MLflow as sample, version 1, {named}" in done.text.value)
        assert done.register.description == label and done.register.disabled == (label == "registered")


def test_results_are_shown_one_a_line_and_a_second_click_is_ignored():
    from lepton_automl.widgets.actions import Actions

    actions, go, begun = Actions(), threading.Event(), []

    def slow():
        begun.append(1)
        go.wait(20)
        return "bundle exported"

    def refused():
        raise ConfigError("model is not empty", where="export", fix="Give a new folder.")

    first = actions.start("exporting", slow, code=".export()", once=True)
    assert actions.start("exporting", slow, code=".export()", once=True) is first
    actions.start("exporting", refused, code=".export('model')", once=True).join()
    told = actions.message.value
    assert "exporting: model is not empty" in told and "Give a new folder." in told and "exporting …" in told
    go.set()
    first.join()
    assert begun == [1] and "bundle exported (" in actions.message.value and "not empty" in actions.message.value
    actions.show("paused")  # the next message replaces them
    assert "paused" in actions.message.value and "exported" not in actions.message.value


def test_a_card_without_a_model_says_what_to_do(tmp_path):
    study, journal = lived(tmp_path, [], ended=False)
    journal.append(StudyEnded(at=100.0, reason="the budget is spent", chosen=None))
    dashboard = study.dashboard()
    assert "No model" in dashboard.done.text.value and "extend(" in dashboard.done.text.value
    assert dashboard.png().startswith(PNG)

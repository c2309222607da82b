"""A study becomes a run, with a run for each trial: written once, and brought up to date by later events."""

import base64
import json
import subprocess
import sys
import textwrap
import tomllib
import zlib
from pathlib import Path

import mlflow
import pytest

from lepton_automl.errors import StudyError
from lepton_automl.events import (
    CommandReceived,
    ModelRegistered,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialResumed,
    TrialRetried,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.objective import Objective, known_costs
from lepton_automl.reporting.tables import front_table
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.tracking.dataset import dataset_record
from lepton_automl.tracking.pages import APP, create_app, with_mode
from lepton_automl.tracking.projector import progress, trial_records
from lepton_automl.tracking.run_description import note
from lepton_automl.tracking.tracker import Tracker
from lepton_automl.tracking.trial_run import costs
from tests import samples

from .recorded_journals import STARTED, failed, journal_of, life, runs_of, text
from .without_package import run_without_package


def test_an_ensemble_names_its_members(store_folder, client, tmp_path):
    single = [event for number in (0, 1) for event in life("mean", number, 0.9, 1.0, at=2.0 + number)]
    proposed, *_, ended = life("mean", 2, 0.95, 2.0, at=5.0)
    proposed = proposed.replace(config={}, origin="ensemble", members=(1, 0))
    ended = ended.replace(result=ended.result.replace(recipe={**ended.result.recipe, "weights": [2, 1]}, epochs=0))
    Tracker(journal_of(tmp_path, "mean", *single, proposed, ended), store_folder).catch_up()
    tags = runs_of(client, "mean")[1][2].data.tags
    assert tags["lepton.members"] == "1,0" and tags["lepton.origin"] == "ensemble"
    described = tags["mlflow.note.content"]
    assert described.startswith("The mean of the answers of trials 1 (counted twice) and 0 (") and "epochs" not in described


def test_a_study_becomes_a_run_with_a_run_for_each_trial(store_folder, client, tmp_path):
    said = [*life("whole", 0, 0.9, 1.0, at=2.0), *life("whole", 1, 0.8, 2.0, at=3.0), *failed("whole", 2, 4.0)]
    journal = journal_of(tmp_path, "whole", *said, StudyEnded(at=9.0, reason="the budget is spent", chosen=0))
    tracker = Tracker(journal, store_folder)
    assert tracker.catch_up() == 4 and tracker.catch_up() == 0
    assert mlflow.active_run() is None and str(store_folder) not in mlflow.get_tracking_uri(), "something global was set"
    parent, trials = runs_of(client, "whole")
    assert parent.info.status == "FINISHED" and parent.info.start_time == 1000 and parent.info.end_time == 9000
    assert parent.data.params["metric"] == "accuracy" and parent.data.params["data.digest"] == "0"
    assert parent.data.params["version.torch"] == "2.0" and parent.data.params["host.name"] == "here"
    git = {name: parent.data.tags[f"mlflow.source.git.{name}"] for name in ("commit", "branch", "dirty")}
    assert git == STARTED.git and parent.data.tags["lepton.reason"] == "the budget is spent"
    assert text(client, parent, "environment.txt") == "numpy==2.0\ntorch==2.0\n"
    described = parent.data.tags["mlflow.note.content"]
    assert "| 0 (chosen) | 0.9 |" in described and "3 trials (2 complete, 1 failed)" in described
    assert "Chosen: **trial 0**" in described and "accuracy 0.9 at 1 ms per call (0.98 to 1.02)" in described
    best = trials[0]
    assert best.data.params == {name: str(value) for name, value in said[0].config.items()}
    assert best.data.metrics["accuracy"] == best.data.metrics["score"] == 0.9
    assert best.data.metrics["latency_ms.p50"] == best.data.metrics["wall_ms.p95"] == 1.0
    assert (best.data.metrics["latency_ms.low"], best.data.metrics["latency_ms.high"]) == pytest.approx((0.98, 1.02))
    curve = [(m.step, m.value) for m in client.get_metric_history(best.info.run_id, "accuracy")]
    assert curve == [(1, 0.45), (8, 0.9)]
    assert best.data.tags["lepton.on_front"] == best.data.tags["lepton.chosen"] == "true" and best.info.status == "FINISHED"
    assert trials[1].data.tags["lepton.on_front"] == "false"
    assert trials[2].info.status == "FAILED" and trials[2].data.tags["lepton.reason"] == "it diverged"
    assert "chosen model" in best.data.tags["mlflow.note.content"] and best.data.tags["lepton.variant"] == "ONNX Runtime fp32"
    assert text(client, trials[2], "traceback.txt") == "Traceback: diverged"
    assert text(client, trials[2], "stdout.txt") == "nan nan nan"
    data = {number: [one.dataset.name for one in run.inputs.dataset_inputs] for number, run in trials.items()}
    assert data == {0: ["pictures"], 1: ["pictures"], 2: []}, "complete trials carry their data set"
    for told in (described, best.data.tags["mlflow.note.content"]):  # MLflow's run list shows Markdown as it is written
        assert "conv 16, 2 plain 3x3 of 32" in told and "\\|" not in told and "\uff5c" not in told


def test_a_run_list_has_views_with_figures(store_folder, client, tmp_path):
    """They are read as MLflow's page reads them: zlib's JSON in base 64."""
    Tracker(journal_of(tmp_path, "seen", *life("seen", 0, 0.9, 1.0)), store_folder).catch_up()
    experiment = client.get_experiment_by_name("lepton/seen")
    found = {}
    for key in [key for key in experiment.tags if key.startswith("mlflow.sharedViewState.")]:
        kept = json.loads(experiment.tags[key])
        state = json.loads(zlib.decompress(base64.b64decode(kept["state"].removeprefix("deflate;"))))
        assert "metrics.`score`" in state["selectedColumns"]
        order = [f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"]
        found[kept["name"]] = len(client.search_runs([experiment.experiment_id], state["searchFilter"], order_by=order))
    assert found == {"Front": 1, "Trials": 1}


def test_the_first_page_stores_the_mode_for_training_ahead_of_mlflows_own_script():
    page = with_mode((Path(mlflow.__file__).parent / "server/js/build/index.html").read_text())
    assert 0 < page.index('"mlflow.workflowType_v1": "machine_learning"') < page.index("static/js/main")
    apps = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]["mlflow.app"]
    assert apps == {APP: f"{create_app.__module__}:{create_app.__name__}"}


def test_the_data_are_described_with_columns_and_counts(store_folder, client, tmp_path):
    journal = journal_of(tmp_path, "pixels", *life("pixels", 0, 0.9, 1.0))
    Tracker(journal, store_folder).catch_up()
    (given,) = runs_of(client, "pixels")[0].inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("pictures", "0")
    columns = json.loads(given.dataset.schema)["mlflow_colspec"]
    assert [(one["name"], one["type"]) for one in columns] == [
        ("image", "uint8 [8, 8, 1]"),
        ("label", "target: one of 10 classes"),
    ]
    profile = json.loads(given.dataset.profile)
    assert (profile["num_rows"], profile["train"], profile["train, class 3"]) == (1400, 1000, 100)
    table = samples.table_spec(columns=(("age", "number"), ("born", "time"), ("city", "category")), counts=(700, 300))
    told = dataset_record(table)
    assert [one["type"] for one in json.loads(told.schema)["mlflow_colspec"][:3]] == ["double", "datetime", "string"]
    assert json.loads(told.profile)["train, class yes"] == 300 and json.loads(told.profile)["columns"] == 3


def test_a_study_logs_what_it_has_spent(study_state):
    config = samples.config(budget=Budget(cost=5.0, prices={"cpu": 0.5}), workers=4)
    state = study_state([(0.9, 1.0)])
    state.config = config
    end = StudyEnded(at=1800.0, reason="done", chosen=0)
    state.feed([end])
    told = {one.name: one.value for one in progress(state, end)}
    assert told["spent.minutes"] == 30 and told["spent.device_hours"] == 2 and told["spent.cost"] == 1
    assert told["spent.trials"] == told["trials.complete"] == 1 and told["spent.epochs"] == 8


def test_the_tags_filter_runs_in_mlflow(store_folder, client, tmp_path):
    """As people type them into the run list's search box."""
    said = [*life("sieve", 0, 0.9, 1.0, at=2.0), *life("sieve", 1, 0.8, 2.0, at=3.0), *failed("sieve", 2, 4.0)]
    Tracker(journal_of(tmp_path, "sieve", *said), store_folder).catch_up()
    experiment = client.get_experiment_by_name("lepton/sieve").experiment_id
    for sieve, found in (
        ("tags.lepton.on_front = 'true'", {"sieve-0000"}),
        ("tags.lepton.status = 'failed'", {"sieve-0002"}),
        ("tags.lepton.feasible = 'true' and metrics.latency_ms.p50 > 1.5", {"sieve-0001"}),
    ):
        assert {run.info.run_name for run in client.search_runs([experiment], sieve)} == found


def test_files_and_tables_replace_their_earlier_versions(store_folder, client, tmp_path):
    journal = journal_of(tmp_path, "files", *life("files", 0, 0.9, 1.0))
    tracker = Tracker(journal, store_folder)
    for content in ("first", "second"):
        files = {"front.html": content, "raw/plot.bin": content.encode()}
        tracker.attach(files, {"front": front_table(StudyState.replay(journal))})
    parent, _ = runs_of(client, "files")
    assert text(client, parent, "front.html") == text(client, parent, "raw/plot.bin") == "second"
    shown = run_without_package(store_folder, f"""
        print(mlflow.MlflowClient().load_table({parent.info.experiment_id!r}, "front.json").to_json(orient="records"))
    """)  # fmt: skip
    assert [row["accuracy"] for row in shown] == [0.9]
    assert text(client, parent, "front.csv").startswith("trial,accuracy,")


def test_later_events_change_runs_that_are_there(store_folder, client, tmp_path):
    journal = journal_of(tmp_path, "later", *life("later", 0, 0.8, 1.0))
    Tracker(journal, store_folder).catch_up()
    more = [*life("later", 1, 0.9, 0.9, at=5.0), StudyEnded(at=9.0, reason="done", chosen=1)]
    more += [TestOpened(at=10.0, scores={1: {"accuracy": 0.85}})]
    more += [ModelRegistered(at=11.0, trial=1, model="m", version="3", alias="champion")]
    for event in more:
        journal.append(event)
    Tracker(journal, store_folder).catch_up()  # a new one, as after a crash
    parent, trials = runs_of(client, "later")
    assert [trials[n].data.tags["lepton.on_front"] for n in (0, 1)] == ["false", "true"]
    assert trials[1].data.metrics["test_accuracy"] == 0.85 and trials[1].data.tags["lepton.registered"] == "m 3"
    assert [(m.step, m.value) for m in client.get_metric_history(parent.info.run_id, "best_score")] == [(1, 0.8), (2, 0.9)]
    for event in [*life("later", 2, 0.7, 0.1, at=12.0)[:1]]:  # the study is extended
        journal.append(event)
    Tracker(journal, store_folder).catch_up()
    assert runs_of(client, "later")[0].info.status == "RUNNING"


@pytest.mark.parametrize("at", ["create_run", "log_batch", "search_runs"])
def test_a_crash_anywhere_leaves_no_duplicate(store_folder, client, tmp_path, at, monkeypatch):
    name = f"crash-{at}"
    journal = journal_of(
        tmp_path, name, *(event for n in range(3) for event in life(name, n, 0.8 + n / 100, 1.0 + n, at=2.0 + n))
    )
    calls, real = [], getattr(type(client), at)

    def falters(*args, **kwargs):
        calls.append(at)
        if len(calls) == 3:
            raise ConnectionError("the server went away")
        return real(*args, **kwargs)

    monkeypatch.setattr(type(client), at, falters)
    tracker = Tracker(journal, store_folder)
    with pytest.raises(StudyError, match=r"the server went away[\s\S]*brings it up to date"):
        tracker.catch_up()
    monkeypatch.undo()
    tracker.catch_up()
    Tracker(journal, store_folder).catch_up()
    _, trials = runs_of(client, name)
    assert sorted(trials) == [0, 1, 2] and all(run.info.status == "FINISHED" for run in trials.values())
    for run in trials.values():
        assert [m.step for m in client.get_metric_history(run.info.run_id, "accuracy")] == [1, 8]


def test_a_study_that_was_killed_paused_and_retried_leaves_one_run_a_trial(store_folder, client, tmp_path):
    proposed, weigh, learnt, ended = life("shaken", 0, 0.9, 1.0)
    journal = journal_of(tmp_path, "shaken", proposed, weigh)
    tracker = Tracker(journal, store_folder)
    tracker.catch_up()
    happened = [
        TrialRetried(at=5.0, trial=0, reason="the worker process died"),
        learnt,
        StudyPaused(at=6.0, reason="no space left on device"),
        CommandReceived(at=7.0, uid="a", what="enqueue", config={"model.width": 9}),
    ]
    for event in happened:
        journal.append(event)
        tracker.catch_up()
    parent, _ = runs_of(client, "shaken")
    assert parent.data.tags["lepton.status"] == "paused" and "no space left" in parent.data.tags["mlflow.note.content"]
    assert parent.info.status == "RUNNING" and parent.data.tags["lepton.retries"] == "1"
    end = StudyEnded(at=10.0, reason="done", chosen=0)
    for event in (StudyResumed(at=8.0, reason="there is room"), learnt, ended.replace(at=9.0), end):
        journal.append(event)
        Tracker(journal, store_folder).catch_up()  # a new one each time, as after a kill
    parent, trials = runs_of(client, "shaken")
    assert parent.info.status == "FINISHED" and parent.data.tags["lepton.status"] == "ended"
    assert parent.data.tags["lepton.paused"] == "" and list(trials) == [0]
    assert trials[0].info.status == "FINISHED" and trials[0].data.tags["lepton.retries"] == "1"
    journal.append(StudyResumed(at=20.0, reason="it was extended"))
    Tracker(journal, store_folder).catch_up()
    assert runs_of(client, "shaken")[0].info.status == "RUNNING"
    journal.append(end.replace(at=21.0))
    Tracker(journal, store_folder).catch_up()
    assert runs_of(client, "shaken")[0].info.status == "FINISHED"


def test_two_trackers_write_a_study_once(store_folder, client, tmp_path):
    journal = journal_of(tmp_path, "twins", *(event for n in range(4) for event in life("twins", n, 0.8, 1.0, at=2.0 + n)))
    code = f"""
        from pathlib import Path
        from lepton_automl.journal import Journal
        from lepton_automl.tracking.tracker import Tracker
        Tracker(Journal(Path({str(journal.path)!r})), {str(store_folder)!r}).catch_up()
    """
    other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True)
    Tracker(journal, store_folder).catch_up()
    _, said = other.communicate(timeout=120)
    assert other.returncode == 0 and not said, "a tracker is silent"
    assert sorted(runs_of(client, "twins")[1]) == [0, 1, 2, 3]


def test_tracking_and_tables_load_neither_torch_nor_mlflow_nor_plotly():
    code = """
        import sys
        import lepton_automl.tracking.tracker, lepton_automl.tracking.registry, lepton_automl.reporting.tables
        import lepton_automl.reporting.plots
        assert not {"torch", "mlflow", "plotly", "pandas"} & set(sys.modules), sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_stopped_trial_keeps_its_curve_and_a_settings_change_does_no_harm(store_folder, client, tmp_path):
    proposed, weigh, learnt, _ = life("stop", 0, 0.9, 1.0)
    result = TrialResult(trial=0, status="stopped", reason="behind at epoch 1", epochs=1)
    journal = journal_of(tmp_path, "stop", proposed, weigh, learnt, TrialEnded(at=4.0, result=result))
    Tracker(journal, store_folder).catch_up()
    journal.append(StudyStarted(at=20.0, config=samples.config(name="stop", workers=7)))
    journal.append(life("stop", 1, 0.9, 1.0, at=21.0)[0])
    Tracker(journal, store_folder).catch_up()
    parent, trials = runs_of(client, "stop")
    assert trials[0].info.status == "KILLED" and trials[0].data.metrics["accuracy"] == 0.45
    little = {"accuracy", "train_loss", "epochs", "seconds", "latency_ms.p50", "size_bytes", "parameters"}
    assert set(trials[0].data.metrics) == little and trials[0].data.metrics["latency_ms.p50"] == 1.0
    assert trials[0].data.tags["mlflow.note.content"].startswith("Stopped after 1 of 8 epochs, accuracy 0.45 at 1 ms per call")
    assert trials[0].data.tags["mlflow.note.content"].endswith(": behind at epoch 1.")
    assert parent.data.params["workers"] == "2"


def test_a_resumed_trial_is_one_run_that_runs_again(store_folder, client, tmp_path):
    proposed, weigh, learnt, ended = life("thawed", 0, 0.9, 1.0)
    result = TrialResult(trial=0, status="stopped", reason="behind at epoch 1", epochs=1)
    journal = journal_of(tmp_path, "thawed", proposed, weigh, learnt, TrialEnded(at=4.0, result=result))
    for event, status, told in (
        (None, "KILLED", ("stopped", "behind at epoch 1")),
        (TrialResumed(at=5.0, trial=0, epoch=1), "RUNNING", ("running", "")),
        (ended.replace(at=9.0), "FINISHED", ("complete", "")),
    ):
        if event:
            journal.append(event)
        Tracker(journal, store_folder).catch_up()
        _, trials = runs_of(client, "thawed")
        tags = trials[0].data.tags
        assert trials[0].info.status == status and (tags["lepton.status"], tags["lepton.reason"]) == told
    assert trials[0].data.metrics["score"] == 0.9 and trials[0].info.end_time == 9000


def test_the_projector_sends_changes_only(study_state):
    state = study_state([(0.9, 1.0), (0.95, 0.5)])
    (record,) = trial_records(state, [], {"on_front": [0, 1]})
    said = record.tags.pop("mlflow.note.content")
    assert record.tags == {"lepton.on_front": "false"} and not record.whole and "on the front" not in said


def test_further_objectives_are_metrics_and_columns(study_state):
    profile = samples.profile(1.0).replace(costs={"memory_bytes": 5e6, "own*": 3.0, "energy_mj": float("nan")})
    metrics = costs(profile)
    assert metrics["memory_bytes"] == 5e6 and metrics["own_"] == 3.0 and "energy_mj" not in metrics
    goals = (Objective(name="score", direction="maximize"), known_costs()["latency_ms"], known_costs()["memory_bytes"])
    proposed, *reports, ended = samples.trial_events(0, 0.9, 1.0)
    state = study_state([], objectives=goals).feed(
        [proposed, *reports, ended.replace(result=ended.result.replace(profile=profile))]
    )
    assert "| parameters | peak memory, bytes |" in note(state) and "| 100 | 5,000,000 |" in note(state)

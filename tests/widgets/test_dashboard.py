"""The dashboard without a browser: what it shows, what it escapes, what it sends, and when it rests."""

from __future__ import annotations

import base64
import io
import subprocess
import sys

import pytest

from lepton_automl.errors import ExtraError
from lepton_automl.events import HostBenchmarked, StudyEnded, StudyStarted, TrialEnded
from lepton_automl.jobs import TrialResult
from lepton_automl.specs import Budget
from lepton_automl.study.study import Study
from tests.samples import (
    benchmarked_host,
    config,
    trial_events,
    until,
)

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
from .recorded_studies import (
    HOSTILE,
    MODELS,
    PNG,
    harmless,
    hostile,
    hostile_answers,
    hostile_importance,
    lived,
    texts,
    without_ipywidgets,
)


@pytest.fixture
def sent(monkeypatch):
    """All that widgets send to a page."""
    from ipywidgets import Widget

    told = []
    monkeypatch.setattr(Widget, "_send", lambda self, message, buffers=None: told.append((self, message)))
    return told


def test_it_shows_the_front_the_trials_and_the_log(tmp_path):
    study, _ = lived(tmp_path, MODELS)
    dashboard = study.dashboard()
    text = "".join(texts(dashboard))
    assert "0.9000 (trial 0)" in text and "100 µs (trial 1)" in text and "search ended: done" in text
    front = next(trace for trace in dashboard.front.figure.data if trace.name == "front")
    assert sorted(front.customdata) == [0, 1]
    assert [row[0] for row in dashboard.table.grid.rows] == ["2", "1", "0"]
    dashboard.table._on_message(None, {"sort": "accuracy"}, [])
    assert [row[0] for row in dashboard.table.grid.rows] == ["0", "1", "2"]
    dashboard.table._on_message(None, {"choose": 2}, [])
    assert "trial 2: " in dashboard.detail.text.value and dashboard.detail.number.value == 2
    assert dashboard.detail.buttons["use"].disabled is False


def test_hostile_names_and_labels_are_shown_harmlessly(tmp_path):
    from lepton_automl.reporting.permutation_importance import importance_html
    from lepton_automl.widgets.errors import error_analysis_html

    assert len(HOSTILE) >= 20
    study = hostile(tmp_path)
    dashboard = study.dashboard()
    for number in study.state.trials:
        dashboard.choose(number)
        assert harmless(dashboard.detail.text.value)
        dashboard.actions.show(HOSTILE[number % len(HOSTILE)], code=HOSTILE[number % len(HOSTILE)], link=HOSTILE[4])
        assert harmless(dashboard.actions.message.value)
    assert all(map(harmless, texts(dashboard)))
    assert dashboard.png().startswith(PNG)
    assert not any(mark in repr(dashboard) for mark in "\x00\x07\x1b\x9b\u202e\ud800")
    cells = [cell for row in dashboard.table.grid.rows for cell in row]
    assert cells and max(map(len, cells)) <= 200 and not any("\x1b" in cell or "\u202e" in cell for cell in cells)
    assert all(harmless(error_analysis_html(hostile_answers(kept))) for kept in (HOSTILE, HOSTILE[:5]))
    assert harmless(importance_html(hostile_importance())) and harmless(importance_html(hostile_importance(grid=(1, 2))))


def test_what_has_not_changed_is_not_sent_again(tmp_path, sent):
    study, journal = lived(tmp_path, MODELS, ended=False)
    dashboard = study.dashboard()
    dashboard._poller.end()
    dashboard._poll()
    sent.clear()
    dashboard._poll()
    assert sent == []  # nothing happened
    for event in trial_events(3, 0.85, 0.05, at=60.0):
        journal.append(event)
    dashboard._poll()
    plots = [message for one, message in sent if one is dashboard.front.figure]
    assert plots and not any("_widget_data" in str(message.get("state", {}).keys()) for message in plots)
    assert {type(one).__name__ for one, _ in sent} <= {"HTML", "LiveFigure", "FigureSync", "BoundedIntText"}


def test_a_second_tab_sees_the_figure_as_it_is_now(tmp_path):
    study, journal = lived(tmp_path, MODELS, ended=False)
    dashboard = study.dashboard()
    for event in trial_events(3, 0.85, 0.05, at=60.0):
        journal.append(event)
    dashboard._poll()
    asked = dashboard.front.figure.get_state()
    front = next(trace for trace in asked["_widget_data"] if trace["name"] == "front")
    assert sorted(front["customdata"]) == [0, 3]
    before, borne = dashboard.front.figure, dashboard.front.sync.expected
    assert borne == [before.layout.meta, *(trace.meta for trace in before.data)]  # what the page compares with its own
    dashboard.choose(3)
    assert [was != now for was, now in zip(borne[1:], dashboard.front.sync.expected[1:], strict=True)] == [False] * 9 + [True]
    dashboard.front._behind(None, "behind", [])  # a page that missed something
    assert dashboard.front.figure is not before
    front = next(trace for trace in dashboard.front.figure.data if trace.name == "front")
    assert sorted(front.customdata) == [0, 3]


def test_it_follows_the_journal_even_if_another_process_resumes_it(tmp_path):
    study, journal = lived(tmp_path, MODELS, ended=False)
    dashboard = study.dashboard()

    def shows(text):
        until(lambda: text in dashboard.run._view.value)

    shows("lost")
    with study.home.lock("sample"):
        shows("running")
        for event in trial_events(3, 0.95, 2.0, at=60.0):
            journal.append(event)
        shows("0.9500 (trial 3)")
        journal.append(StudyEnded(at=100.0, reason="done", chosen=3))
    shows("ended")
    dashboard.close()


def test_what_has_ended_is_done_and_has_no_time_left(tmp_path):
    from lepton_automl.reporting.status import status_json, status_lines

    study, _ = lived(tmp_path, MODELS, budget=Budget(minutes=60))  # it was stopped after a minute and a half
    status = status_json(study.state, "ended")
    assert (status["used"], status["left"], status["step"]) == (1.0, "", None)
    first = status_lines(study.state, "ended")[0]
    assert first == "100% done: done" and repr(study.dashboard()).count("done: done") == 1
    dashboard = study.dashboard()
    assert 'aria-valuenow="100.0"' in dashboard.run._view.value and "left" not in dashboard.run._view.value


def test_a_search_without_a_model_shows_the_current_step_and_an_estimate():
    from lepton_automl.reporting.status import startup_step
    from lepton_automl.state import StudyState

    state = StudyState().feed([StudyStarted(at=0.0, config=config())])
    assert "measuring this machine" in startup_step(state, "starting", 1.0)
    state.feed([HostBenchmarked(at=5.0, benchmark=benchmarked_host(), epochs=8)])
    assert "a model takes about" in startup_step(state, "running", 5.0)
    proposed, weigh, learnt, ended = trial_events(0, 0.9, 1.0, at=10.0)
    state.feed([proposed, weigh, learnt])
    assert startup_step(state, "running", 20.0) == "trial 0 is at epoch 1 of 8; the first model in about 70 s"
    assert startup_step(state, "running", 40.0).endswith("about 4 minutes")
    state.feed([ended])
    assert startup_step(state, "running", 50.0) == ""


def test_a_stop_is_logged_once(tmp_path):
    from lepton_automl.events import STOPPED, CommandReceived
    from lepton_automl.widgets.log import sentence

    study, journal = lived(tmp_path, MODELS, ended=False)
    for event in trial_events(3, 0.9, 1.0, at=60.0)[:2]:
        journal.append(event)
    journal.append(CommandReceived(at=61.0, what="stop", uid="a"))
    journal.append(CommandReceived(at=61.5, what="stop", uid="b"))
    journal.append(TrialEnded(at=62.0, result=TrialResult(trial=3, status="stopped", reason=STOPPED)))
    journal.append(StudyEnded(at=63.0, reason=STOPPED, chosen=0))
    _, state, news = Study("sample", study.home).client.poll()
    told = [said for said in (sentence(state, event) for event in news) if "stop" in said]
    assert told == ["stopped by you"] and sentence(state, news[-1]) == "search ended"


def test_an_ended_search_leaves_no_table_in_the_terminal_beside_the_front(tmp_path):
    from rich.console import Console

    from lepton_automl.reporting.terminal import panel

    def shown(state):
        console = Console(width=200, file=io.StringIO())
        console.print(panel(state, 100.0))
        return console.file.getvalue()

    study, _ = lived(tmp_path / "a", MODELS)
    assert "latency ms" not in shown(study.state) and "done" in shown(study.state)
    study, _ = lived(tmp_path / "b", MODELS, ended=False)
    assert "latency ms" in shown(study.state)


@pytest.mark.parametrize("benchmarked", [False, True])
def test_figures_of_a_new_search_have_sensible_axes(benchmarked):
    from lepton_automl.reporting.plots import curves_figure, front_figure, hypervolume_figure, timeline_figure
    from lepton_automl.state import StudyState

    state = StudyState().feed([StudyStarted(at=0.0, config=config(budget=Budget(minutes=10)))])
    if benchmarked:
        state.feed([HostBenchmarked(at=5.0, benchmark=benchmarked_host(), epochs=8)])
    front = front_figure(state)
    assert tuple(front.layout.yaxis.range) == (0, 1) and "no model yet" in front.layout.annotations[0].text
    low, high = (10**end for end in front.layout.xaxis.range)
    assert low < (benchmarked_host().fastest.latency_ms if benchmarked else 0.1) < high and high / low > 20
    assert tuple(curves_figure(state).layout.yaxis.range) == (0, 1)
    assert tuple(hypervolume_figure(state).layout.xaxis.range) == tuple(timeline_figure(state).layout.xaxis.range) == (0, 10)


def test_a_closed_dashboard_stops_polling(tmp_path):
    study, _ = lived(tmp_path, MODELS, ended=False)
    with study.home.lock("sample"):
        dashboard = study.dashboard()
        dashboard.close()
        until(lambda: not dashboard._poller.alive)


def test_a_click_does_the_same_as_its_python_code(tmp_path):
    study, _ = lived(tmp_path, MODELS, budget=Budget(trials=3))
    dashboard = study.dashboard()
    dashboard.choose(1)
    dashboard.detail.buttons["use"].click()
    until(lambda: dashboard.model is not None and "open_study" in dashboard.actions.message.value)
    assert dashboard.model.number == 1 and ".model(1)" in dashboard.actions.message.value
    dashboard.detail.folder.value = str(tmp_path / "out")
    dashboard.detail.buttons["export"].click()  # there is no bundle: reported, not raised
    until(lambda: "l-warn" in dashboard.actions.message.value)


def test_without_a_page_it_is_text(tmp_path):
    study, _ = lived(tmp_path, MODELS)
    dashboard = study.dashboard()
    text = repr(dashboard)
    assert text.splitlines()[0] == "study sample: ended" and "0.9" in text and "<" not in text
    assert dashboard._repr_mimebundle_()["text/plain"] == text


def written(view, monkeypatch):
    """The texts of a widget's static image, with their positions."""
    from lepton_automl.widgets.drawing import Drawing

    told, real = [], Drawing.text

    def text(drawing, x, y, text, **how):
        told.append((how.get("anchor", "ls"), str(text)))
        return real(drawing, x, y, text, **how)

    monkeypatch.setattr(Drawing, "text", text)
    assert view.png().startswith(PNG)
    return told


def test_the_static_image_has_numbers_on_both_axes_of_a_single_point(tmp_path, monkeypatch):
    study, _ = lived(tmp_path, [(0.9, 0.0338)])
    told = written(study.dashboard(), monkeypatch)
    assert any(text.startswith("Done: trial 0 predicts") for _, text in told)  # the card is in the saved picture too
    across = [text for side, text in told if side == "ms" and text[0].isdigit()]
    up = [text for side, text in told[: [text for _, text in told].index("trial")] if side == "rs"]
    assert len(across) > 2 and all(17 < float(tick) < 68 for tick in across)  # µs
    assert len(up) > 2 and all(5 < float(tick.removesuffix(" %")) < 20 for tick in up)


def test_the_static_view_is_an_image_with_a_table_as_its_text(tmp_path, monkeypatch):
    from IPython import display

    from lepton_automl.widgets import static_view

    study, _ = lived(tmp_path, MODELS)
    dashboard, shown = study.dashboard(), []
    monkeypatch.setattr(static_view, "_in_kernel", lambda: True)
    monkeypatch.setattr(display, "display", lambda what, **how: shown.append((what, how)))
    dashboard._ipython_display_()
    living, picture, hiding = (what for what, _ in shown)
    assert living["text/plain"] == "study sample: ended"
    assert set(picture) == {"image/png", "text/plain"} and base64.b64decode(picture["image/png"]).startswith(PNG)
    assert picture["text/plain"] == repr(dashboard) and "trial  accuracy" in picture["text/plain"]
    assert shown[1][1]["metadata"]["image/png"] == {"width": static_view.WIDE} and "lepton-hiding" in hiding.data


def test_letters_of_other_scripts_appear_in_the_static_image():
    pytest.importorskip("matplotlib", reason="matplotlib, whose font is used, is not installed")
    from lepton_automl.widgets.drawing import _has

    assert all(_has("", 12, letter) for letter in "éß×→≥µжλ•…") and not _has("", 12, "\uffff")


def test_without_the_packages_the_error_names_what_to_install(tmp_path, monkeypatch):
    study, _ = lived(tmp_path, MODELS)
    without_ipywidgets(monkeypatch)
    with pytest.raises(ExtraError, match=r"lepton-automl\[notebook\]"):
        study.dashboard()


def test_the_widgets_load_without_torch():
    told = "import sys, lepton_automl.widgets.dashboard; print({'torch', 'optuna', 'mlflow'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "set()"

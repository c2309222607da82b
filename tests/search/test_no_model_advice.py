"""A search that ends without a model reports why and what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.console import Console

from lepton_automl import AutoML, Budget
from lepton_automl.cli import shared
from lepton_automl.data.demo import digits
from lepton_automl.errors import StudyError
from lepton_automl.events import HostBenchmarked, StudyEnded, StudyStarted, TrialEnded
from lepton_automl.jobs import TrialResult
from lepton_automl.no_model_advice import end_reason
from lepton_automl.reporting.status import status_json, status_lines
from lepton_automl.reporting.terminal import Progress
from lepton_automl.search.depth import out_of_time
from lepton_automl.state import StudyState
from tests.samples import benchmarked_host, config, trial_events


def ended_empty(budget, *events, reason="the budget is spent", epoch_seconds=1.0, **changes):
    began = [
        StudyStarted(at=0.0, config=config(budget=budget, **changes)),
        HostBenchmarked(at=7.0, benchmark=benchmarked_host(epoch_seconds=epoch_seconds), epochs=8),
    ]
    state = StudyState().feed([*began, *events])
    return state.feed([StudyEnded(at=10.0, reason=end_reason(state, reason, 10.0), chosen=None)])


def test_a_search_without_a_model_reports_the_time_of_a_trial_and_what_to_do():
    state = ended_empty(Budget(minutes=0.05), workers=1)
    # 8 epochs of a second, and one more second; six such trials and 7 seconds overdrawn are 61 seconds, of 0.85.
    told = "Preparing the data and benchmarking this machine took 7 s, and a full trial takes about 9 s: extend(minutes=2) continues"
    assert state.ended.reason.startswith(f"the budget is spent; no model is ready. {told}")
    with pytest.raises(StudyError, match="the budget is spent; no model is ready\n") as caught:
        state.choose()
    assert caught.value.fix.startswith(told)
    assert any(told in line for line in status_lines(state, "ended"))


def test_the_advice_uses_partial_trials_and_the_budgets_unit():
    begun = trial_events(0, 0.9, 1.0)[:3]  # an epoch of 2.5 seconds
    assert "On this machine a full trial takes about 21 s" in ended_empty(Budget(minutes=0.05), *begun).ended.reason
    told = ended_empty(Budget(minutes=0.05), epoch_seconds=0.0).ended.reason
    assert "7 s, and no network has trained long enough to be timed: extend(minutes=1) continues" in told
    assert "extend(trials=6)" in ended_empty(Budget(trials=1)).no_model().fix
    assert "extend(epochs=48)" in ended_empty(Budget(epochs=1)).no_model().fix
    assert "extend(cost=2.4)" in ended_empty(Budget(cost=0.1, prices={"cpu": 120.0}), workers=1).no_model().fix


def test_failures_and_limits_are_reported_instead_of_the_budget():
    first = trial_events(0, 0.9, 1.0)
    failed = TrialEnded(at=9.0, result=TrialResult(trial=0, status="failed", reason="it diverged\nat epoch 1"))
    state = ended_empty(Budget(trials=1), *first[:3], failed)
    assert state.ended.reason == "the budget is spent; no model is ready. Its last failure: it diverged"
    hopeless = "all of the first 6 trials failed, the last one: it diverged"
    assert ended_empty(Budget(trials=9), first[0], failed, reason=hopeless).ended.reason == f"{hopeless}; no model is ready"
    slow = TrialEnded(at=9.0, result=TrialResult(trial=0, status="infeasible", reason="1 ms is over 0.5 ms"))
    assert "hard limit; the last one: 1 ms is over 0.5 ms" in ended_empty(Budget(trials=1), *first[:2], slow).ended.reason


def test_a_search_with_a_model_reports_only_why_it_ended(study_state):
    assert end_reason(study_state([(0.9, 1.0)]), "the budget is spent", 9.0) == "the budget is spent"


def test_a_live_panel_shows_it_too():
    console = Console(record=True, force_terminal=True, width=100)
    with Progress(console=console) as window:
        window(StudyStarted(at=0.0, config=config()))
        window(StudyEnded(at=1.0, reason="the budget is spent; no model is ready.", chosen=None))
    assert "the budget is spent; no model is ready." in console.export_text()


def test_fit_warns_if_progress_is_not_shown(tmp_path):
    automl = AutoML(budget=Budget(minutes=0.00001), workers=1, home=tmp_path, progress=False)
    with pytest.warns(UserWarning, match=r"1e-05 minutes is spent; no model is ready\n.*extend\(minutes=\d+\)"):
        study = automl.fit(*digits())
    assert study.front.empty and study.status == "ended"


def test_trials_of_a_lost_process_are_not_listed_as_running():
    config_ = config(budget=Budget(minutes=9))
    state = StudyState().feed([StudyStarted(at=0.0, config=config_), *trial_events(0, 0.9, 1.0)[:2]])
    told = status_json(state, "lost")
    assert told["trials"] == {"running": 1} and told["running"] == []
    for status, word in (("lost", "unfinished"), ("paused", "paused")):
        lines = status_lines(state, status)
        assert f"1 {word}" in lines and not any("running" in line for line in lines)
    assert status_json(state, "running")["running"] == [0] and "1 running" in status_lines(state, "running")


@pytest.mark.parametrize(
    ("left", "told"), [(0.0, "the budget ran out first"), (0.4, "the budget ran out first"), (7.2, "7 s more")]
)
def test_a_late_trial_is_not_reported_to_need_no_time(left, told):
    assert told in out_of_time(left)


@pytest.mark.parametrize("over", [True, False])
def test_an_empty_front_is_a_sentence_instead_of_a_table(capsys, over):
    state = ended_empty(Budget(minutes=0.05), workers=1)
    state.ended = state.ended if over else None
    shared.print_front(SimpleNamespace(state=state))
    output = capsys.readouterr().out
    assert "no model is ready" in output and "chosen" not in output and ("extend(" in output) == over

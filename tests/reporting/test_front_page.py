"""The page of the front and the tables of a study."""

import json

from lepton_automl.events import (
    StudyEnded,
    TestOpened,
    TrialEnded,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.reporting.plots import front_html
from lepton_automl.reporting.tables import front_json, front_table, trial_table
from lepton_automl.specs import Deployment
from tests import samples


def test_the_page_contains_every_trial_and_no_foreign_markup(study_state):
    state = study_state([(0.90, 1.0), (0.97, 2.0), (0.98, 8.0), (0.95, 4.0)])
    state.config = samples.config(name="<script>alert(1)</script>", deployment=Deployment(max_latency_ms=9.0))
    result = TrialResult(trial=4, status="stopped", reason="</script><b>behind</b>", epochs=1)
    proposed, weigh, learnt, _ = samples.trial_events(4, 0.5, 3.0)
    state.feed([proposed, weigh, learnt, TrialEnded(at=4.0, result=result)])
    result = TrialResult(trial=5, status="infeasible", reason="latency 12 ms is above the limit of 9 ms")
    state.feed([*samples.trial_events(5, 0.5, 12.0)[:2], TrialEnded(at=4.0, result=result)])
    page = front_html(state)
    assert page.startswith("<!DOCTYPE html>") and "<script src=" not in page and "plotly.js v" in page
    assert "<script>alert" not in page and "</script><b>" not in page and "&lt;script&gt;alert(1)" in page
    assert all(f"trial {n}: " in page for n in range(6)) and "limit 9 ms" in page
    assert '<tr class="chosen"><td class="number">2</td><td class="number">0.98</td>' in page


def test_tables_are_plain_rows(study_state):
    state = study_state([(0.90, 1.0), (0.97, 2.0), (0.5, 4.0)])
    rows = front_table(state)
    assert [row["trial"] for row in rows] == [1, 0] and rows[0]["accuracy"] == 0.97 and rows[0]["latency_ms_low"] == 1.96
    state.feed([StudyEnded(at=9.0, reason="", chosen=0), TestOpened(at=9.0, scores={0: {"accuracy": 0.8}})])
    assert [row["test_accuracy"] for row in front_table(state)] == [None, 0.8]
    assert json.loads(json.dumps(front_json(state)))["chosen"] == 0
    assert [row["on_front"] for row in trial_table(state)] == [True, True, False] and "model.width" in trial_table(state)[0]
    assert "No model" in front_html(study_state([]))

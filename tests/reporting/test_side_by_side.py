"""Slices through hyperparameters, two studies beside each other, and the front in terminals of 80 and 160 columns."""

from __future__ import annotations

import io

import pytest

from lepton_automl.events import HostBenchmarked, StudyStarted
from lepton_automl.reporting.side_by_side import different_settings, facts, fronts, remarks
from lepton_automl.reporting.slices import slice_figure, varied_hyperparameters
from lepton_automl.reporting.terminal import front_table, panel
from lepton_automl.specs import Budget, Deployment
from lepton_automl.state import StudyState
from tests.samples import benchmarked_host, config, image_spec, trial_events

MODELS = [(0.9, 0.04), (0.97, 0.08), (0.98, 0.4), (0.95, 0.2), (0.93, 0.06)]


def study(models, **changes):
    state = StudyState().feed(
        [StudyStarted(at=0.0, config=config(**changes)), HostBenchmarked(at=1.0, benchmark=benchmarked_host(), epochs=8)]
    )
    for number, (score, latency) in enumerate(models):
        proposed, *rest = trial_events(number, score, latency, at=10.0 * number)
        drawn = proposed.config | {"train.lr": 10.0 ** -(1 + number), "model.kernel": [3, 5][number % 2]}
        state.feed([proposed.replace(config=drawn), *rest])
    return state


def test_a_slice_has_every_scored_trial_and_a_contour_is_empty_where_no_trial_is_near():
    state = study(MODELS)
    assert varied_hyperparameters(state) == ["model.kernel", "train.lr"]
    one = slice_figure(state, "train.lr")
    assert sorted(number for trace in one.data[1:] for number in trace.customdata) == [0, 1, 2, 3, 4]
    assert one.layout.xaxis.ticktext and "0.001" in one.layout.xaxis.ticktext and not len(one.data[0].z)
    assert one.layout.yaxis.title.text.startswith("error")
    two = slice_figure(state, "train.lr", "model.kernel")
    cells = [cell for row in two.data[0].z for cell in row]
    assert None in cells and any(cell is not None for cell in cells) and two.layout.yaxis.ticktext[:2] == ("3", "5")
    assert "train.lr = 0.1" in next(text for trace in two.data[1:] for text in trace.text if "trial 0" in text)
    bare = slice_figure(StudyState(config=config()))
    assert [trace.name for trace in bare.data] == [trace.name for trace in two.data] == ["contour", "trials", "front"]
    assert "no hyperparameter differs" in bare.layout.annotations[0].text


def test_two_studies_share_the_axes_that_may_be_compared():
    one, other = study(MODELS), study(MODELS[:2], name="other", seed=9, budget=Budget(minutes=7))
    rows, settings = facts(one, other), different_settings(one, other)
    assert rows["validation score"] == ("0.9800", "0.9700") and rows["latency"] == ("400 µs", "80 µs")
    assert settings["seed"][1] == "9" and settings["budget.minutes"][1] == "7" and "name" not in settings
    left, right = fronts(one, other)
    assert left.layout.xaxis.range == right.layout.xaxis.range and left.layout.yaxis.range == right.layout.yaxis.range
    assert left.layout.xaxis.ticktext == right.layout.xaxis.ticktext and not remarks(one, other)
    elsewhere = study(MODELS[:2], deployment=Deployment(threads=4), spec=image_spec(digest="another"))
    left, right = fronts(one, elsewhere)
    assert left.layout.xaxis.range != right.layout.xaxis.range and left.layout.yaxis.range != right.layout.yaxis.range
    assert [sentence.split(",")[0] for sentence in remarks(one, elsewhere)] == [
        "Their data differ",
        "Their latencies were measured on different machines or settings",
    ]


def test_the_widget_of_two_studies_follows_both(tmp_path):
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    from tests.samples import until
    from tests.widgets.recorded_studies import lived

    one, _ = lived(tmp_path / "one", MODELS)
    other, journal = lived(tmp_path / "other", MODELS[:1], ended=False)
    shown = one.beside(other)
    assert "0.9000 | 0.9000" in repr(shown) and "400 µs" not in repr(shown) and shown.png().startswith(b"\x89PNG")
    for event in trial_events(1, 0.99, 0.02, at=60.0):
        journal.append(event)
    until(lambda: "0.9900" in shown.facts._view.value)
    shown.close()


@pytest.mark.parametrize("width", [80, 160])
def test_the_front_fits_a_terminal(width):
    from rich.console import Console

    console = Console(width=width, file=io.StringIO())
    state = study(MODELS)
    console.print(panel(state, 60.0, width))
    lines = console.file.getvalue().splitlines()
    rows = [line for line in lines if line.strip().startswith(("0 ", "1 ", "2 ", "3 ", "4 "))]
    assert len(rows) == len(state.front()) and all(len(line) <= width for line in lines)
    assert all("…" in line or width > 100 or "conv" in line for line in rows)
    assert any("latency µs" in line for line in lines) and any("400.0" in line for line in rows)
    assert ("runs in" in "".join(lines)) is (width > 100)
    assert "runs in" in [column.header for column in front_table(state).columns]

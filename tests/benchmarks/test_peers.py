"""Searches on recorded trainings: the clock, the rows they are held to, and how they are judged."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import contestants, hub, moasha, optuna_peers
from benchmarks.peers.clock import simulate
from benchmarks.peers.landscape import Deck, Landscape
from benchmarks.peers.recorded import Moment
from benchmarks.peers.runs import Run, Store
from benchmarks.peers.verdict import Contest, Curve, duels, holm
from benchmarks.search import figures, run
from lepton_automl.space import Categorical, Float, Integer, Space

EPOCHS = 9
SPACE = Space(
    hyperparameters={
        "model.width": Integer(4, 64, default=16, log=True),
        "model.kind": Categorical("plain", "residual", default="plain"),
        "train.lr": Float(1e-3, 1e-1, default=1e-2, log=True),
        **{f"train.idle{n}": Float(0.0, 1.0, default=0.5) for n in range(4)},
    }
)


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int
    config: dict[str, Any]
    score: tuple[float, ...]
    latency_ms: float
    parent: int = -1
    epoch_seconds: float = 2.0
    weighing_seconds: float = 1.0
    failure: str = ""

    @property
    def epochs(self) -> int:
        return len(self.score)

    @property
    def final_score(self) -> float:
        return self.score[-1]


@dataclass(frozen=True, kw_only=True)
class Table:
    rows: tuple[Row, ...]
    metric: str = "accuracy"
    direction: str = "maximize"
    epochs: int = EPOCHS
    space: Space = SPACE


def training(number: int, config: dict[str, Any], noise: float) -> Row:
    """A wide network is better and slower, a good rate learns faster; the curve saturates."""
    good = 1 - 0.4 * math.exp(-config["model.width"] / 20) - 0.05 * math.log10(config["train.lr"] / 2e-2) ** 2
    good += 0.02 * (config["model.kind"] == "residual") + noise
    curve = tuple(good - 0.5 * math.exp(-epoch / (2 + 40 * abs(noise))) for epoch in range(1, EPOCHS + 1))
    return Row(id=number, config=config, score=curve, latency_ms=config["model.width"] / 100 + 0.01)


def load(name: str) -> Table:
    """A drawn table; its name seeds it."""
    rng = random.Random(name)
    rows = [training(number, SPACE.sample(rng), rng.gauss(0, 0.02)) for number in range(60)]
    broken = Row(id=60, config=SPACE.sample(rng), score=(0.5, 0.1, *[math.nan] * 7), latency_ms=0.1, failure="diverged")
    late = Row(id=61, config=SPACE.sample(rng), score=(math.nan, math.nan, *rows[0].score[2:]), latency_ms=0.1)
    skipped = replace(broken, id=62, failure="left out: an epoch takes 9 s", epoch_seconds=math.nan)
    return Table(rows=(*rows, replace(broken, epoch_seconds=math.nan), late, skipped))


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return Landscape("drawn", load("drawn"))


class Scripted:
    """Asks rows in order; stops some."""

    def __init__(self, rows: list[int], stops: dict[int, int]):
        self.rows, self.stops, self.ended = list(rows), stops, []

    def ask(self):
        return self.rows.pop(0) if self.rows else None

    def hear(self, row, epoch):
        return epoch < self.stops.get(row, EPOCHS)

    def end(self, row, epoch, status):
        self.ended.append((row, epoch, status))


def test_two_workers_on_a_virtual_clock(landscape):
    script = Scripted([0, 1, 60], stops={1: 2})
    moments = simulate(landscape, script, workers=2)
    assert script.ended == [(1, 2, "stopped"), (60, 2, "failed"), (0, EPOCHS, "complete")]
    # Row 1 stops after 1 + 2 * 2 s, when both workers did two epochs; row 60 follows it on that worker, and diverges after two.
    assert moments == [Moment(4, 5.0, None), Moment(8, 10.0, None), Moment(EPOCHS + 4, 19.0, 0)]
    assert 62 not in {row.id for row in landscape.fresh}


def test_a_search_ends_with_its_budget(landscape):
    moments = simulate(landscape, Scripted([*range(60)], stops={}), workers=2)
    assert landscape.trainings == 37 and moments[-1].epochs <= landscape.budget


def test_a_proposal_draws_the_nearest_unused_row(landscape):
    deck, wanted = Deck(landscape), landscape.fresh[7]
    nudged = {**wanted.config, "train.lr": wanted.config["train.lr"] * 1.001}
    assert deck.draw(nudged) == wanted.id != deck.draw(nudged)
    drawn = [deck.draw(wanted.config) for _ in range(len(deck))]
    assert len(set(drawn)) == len(landscape.fresh) - 2 and deck.draw(wanted.config) is None


def test_the_reference_is_fixed_by_the_table_and_only_complete_rows_count(landscape):
    assert not landscape.whole(landscape.rows[60]) and landscape.whole(landscape.rows[61])
    costs = np.array([landscape.costs(row) for row in landscape.fresh if landscape.whole(row)])
    assert costs.min(axis=0) == pytest.approx([0, 0]) and costs[:, 1].max() == pytest.approx(1)
    assert np.mean(costs[:, 0] <= 1) == pytest.approx(0.9, abs=0.02)
    assert math.isnan(landscape.costs(landscape.rows[61], 1)[0])
    curve = Curve.of(landscape, [Moment(3, 1.0, None), Moment(9, 5.0, 3), Moment(18, 9.0, 5)])
    assert [curve.at("epochs", amount) for amount in (0, 8.9, 9)] == [0, 0, landscape.volume([3])]
    assert curve.at("seconds", 9.0) == landscape.volume([3, 5]) and curve.first("epochs", 2.0) == math.inf


@pytest.mark.parametrize("one", [one for one in contestants.everyone() if one.cached], ids=lambda one: one.name)
def test_contestants_keep_to_the_rows_and_the_budget(landscape, one):
    if one.missing():
        pytest.skip(one.missing())
    moments = list(one.run(landscape, 3, 2))
    rows = [moment.row for moment in moments if moment.row is not None]
    assert len(set(rows)) == len(rows) and set(rows) <= {row.id for row in landscape.fresh if landscape.whole(row)}
    assert moments == sorted(moments, key=lambda moment: moment.seconds) and moments[-1].epochs <= landscape.budget
    assert moments == list(one.run(landscape, 3, 2)) != list(one.run(landscape, 4, 2))


def test_a_row_reported_to_nsga2_belongs_to_a_generation(landscape):
    search = optuna_peers.OptunaSearch(landscape, optuna_peers.nsga2(0), limit=4)
    simulate(landscape, search, workers=2)
    told = [trial for trial in search.study.trials if trial.state.name == "COMPLETE"]
    assert len(told) == 4 and {trial.system_attrs["NSGAIISampler:generation"] for trial in told} == {0}
    assert all(dict(trial.params) in [row.config for row in landscape.fresh] for trial in told)


def test_missing_peers_explain_how_to_install_them(monkeypatch, tmp_path):
    monkeypatch.delenv(hub.REGISTRY, raising=False)
    assert "--hub PATH" in hub.missing()
    monkeypatch.setenv(hub.REGISTRY, str(tmp_path))
    assert "does not contain" in hub.missing()
    monkeypatch.setattr(moasha, "MODULE", "no_such_module")
    assert "pip install syne-tune" in moasha.missing()


def test_cached_runs_are_reused_for_equal_settings_only(landscape, tmp_path):
    run, moments = Run("drawn", contestants.TPE, 3), [Moment(9, 5.0, 3), Moment(12, 6.5, None)]
    Store(landscape, 2, tmp_path).put(run, moments)
    assert Store(landscape, 2, tmp_path).get(run) == moments
    assert Store(landscape, 2, tmp_path).get(run._replace(seed=4)) is None is Store(landscape, 1, tmp_path).get(run)


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_leading_in_every_seed_wins_and_equal_runs_do_not(landscape):
    order = sorted(
        (row.id for row in landscape.fresh if landscape.whole(row)), key=lambda row: landscape.costs(landscape.rows[row])[0]
    )
    good, bad = contestants.OURS, contestants.TPE
    runs = {good: order, bad: order[::-1]}
    curves = {
        name: [Curve.of(landscape, [Moment(9 * n, n, row) for n, row in enumerate(rows[seed:], 1)]) for seed in range(10)]
        for name, rows in runs.items()
    }
    contest = Contest(landscape, "epochs", curves, good)
    won = {point.share: point for point in duels({"drawn": contest}, good, [bad])}
    assert won[0.1].won and won[0.1].p < 0.05 and won[0.1].ahead > 0
    assert not any(point.won for point in duels({"drawn": contest}, good, [good]) if not point.tie)
    both = {axis: {"drawn": Contest(landscape, axis, curves, bad)} for axis in ("epochs", "seconds")}
    told = {figure.name: figure.value for figure in figures(both, [good, bad])}
    assert told["hv_at_20pct"] == both["epochs"]["drawn"].median(good, 0.2) and 0 < told["wins"] <= 1


def test_the_benchmark_from_end_to_end(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("benchmarks.peers.runs.RESULTS", tmp_path)
    found = run(
        seeds=2,
        tables="drawn",
        contestants="Optuna random",
        loader="tests.benchmarks.test_peers:load",
        processes=2,
        picture=False,
    )
    output = capsys.readouterr().out
    assert "budget 37 x 9 epochs; reference point accuracy" in output and "Optuna random" in output
    assert found.figures[0].name == "epochs_to_99 Optuna TPE" and 0 < found.figures[0].value <= 1

"""The recorded tables: what a replayed search takes for granted. No torch is needed."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from benchmarks.leptonbench import rows
from benchmarks.leptonbench.ledger import Ledger
from benchmarks.leptonbench.table import load, names
from lepton_automl import families

LEAST = 150  # fully trained rows


@pytest.fixture(scope="module", params=["digits", "fashion", "housing"])
def table(request):
    return load(request.param)


def test_the_tables_are_there_and_open_without_torch():
    assert names() == ["digits", "fashion", "housing"]
    code = "import sys; from benchmarks.leptonbench.table import load; load('digits'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_enough_rows_of_every_origin(table):
    assert len(table.full) >= LEAST
    assert {row.origin for row in table.rows} == {"design", "random", "local", "child"}
    assert len({row.id for row in table.rows}) == len(table.rows)


def test_configurations_are_in_the_space_and_give_the_recorded_recipe(table):
    for row in table.rows:
        assert table.space.complete(row.config) == row.config
        assert families.final_recipe(row.config, table.spec, table.prune) == row.recipe


def test_curves_are_as_long_as_the_training_and_begin_after_the_cut(table):
    for row in table.rows:
        assert row.epochs == (table.epochs if row.parent < 0 else table.child_epochs)
        assert len(row.score) == len(row.second_score) == row.epochs
        if not row.failure:
            cut = row.parent < 0 and row.recipe != families.draw(families.room(row.config, "model"), table.spec)
            known = [not math.isnan(score) for score in row.score]
            assert known == [epoch > cut * table.prune.cut_epoch(row.epochs) for epoch in range(1, row.epochs + 1)]


def test_a_full_row_has_all_its_figures(table):
    for row in table.rows:
        profile = table.profile(row)
        assert profile.latency.low <= profile.latency_ms <= profile.latency.high
        if not row.failure:
            told = (row.final_score, row.final_second_score, row.epoch_seconds, row.weighing_seconds, row.packing_seconds)
            assert all(math.isfinite(one) for one in told) and min(told[2:]) > 0
            assert profile.latency_ms > 0 and profile.size_bytes > 0 and profile.parameters > 0


def test_a_child_is_pruned_from_its_parent(table):
    born = [row for row in table.rows if row.parent >= 0]
    assert born
    for row in born:
        parent = table.by_id[row.parent]
        assert row in table.children(parent.id) and not parent.failure
        assert parent.recipe.contains(row.recipe) and parent.recipe != row.recipe
        assert {name for name in row.config if row.config[name] != parent.config[name]} == {"prune.ratio"}


def test_designs_are_the_families_own_and_random_rows_can_be_drawn_again(table):
    for row in table.fresh:
        if row.origin == "random":
            assert rows.config(row.id // 10, table.spec, [], table.metric, table.space) == row.config


def test_a_claimed_or_recorded_number_is_not_taken_again(tmp_path):
    ledger, other = Ledger(tmp_path / "rows.jsonl"), Ledger(tmp_path / "rows.jsonl")
    with ledger.claimed([1, 2]) as mine, other.claimed([1, 2]) as theirs:
        assert (mine, theirs) == (1, 2)
        ledger.add([{"number": mine}])
    with ledger.path.open("a") as file:
        file.write('{"number": 2, "torn')  # a process was killed here
    with ledger.claimed([1, 2]) as free:
        assert free == 2
        ledger.add([{"number": free}])
    assert [line["number"] for line in other.lines()] == [1, 2]

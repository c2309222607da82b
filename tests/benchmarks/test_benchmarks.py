"""The runner of the benchmarks."""

from __future__ import annotations

import json
import math
import re
import sys

import pytest

from benchmarks import __main__ as runner
from benchmarks import edge, kills, live
from benchmarks.report import Figure, Result


def test_benchmarks_are_found_and_listed(capsys):
    assert runner.main([]) == 0
    assert "overhead" in runner.descriptions() and not {"report", "__main__"} & set(runner.descriptions())
    assert re.search(r"^  overhead +The cost of a fit", capsys.readouterr().out, re.MULTILINE)
    assert runner.main(["overhaed"]) == 2


def test_flags_are_the_parameters_of_run():
    def run(repeats: int = 9, share: float = 0.5, quick: bool = False, name: str = "x") -> Result:
        raise NotImplementedError

    parsed = runner.flags("demo", run).parse_args(["--repeats", "3", "--quick", "--json"])
    assert vars(parsed) == {"json": True, "repeats": 3, "share": 0.5, "quick": True, "name": "x"}


def test_a_result_is_a_table_and_one_line_of_json():
    result = Result(
        figures=[Figure.of("ratio", [1.0, 1.1, 1.4], target="<= 1.25"), Figure(name="n", value=2.0)], notes=["Said."]
    )
    first, ratio, _, note = result.table().splitlines()
    assert first.split() == ["figure", "value", "quartiles", "target"]
    assert ratio.split() == ["ratio", "1.1", "1.05", "to", "1.25", "<=", "1.25"]
    assert note == "* Said."
    line = result.line("demo", {"repeats": 3})
    assert json.loads(line) == {"benchmark": "demo", "settings": {"repeats": 3}, "figures": {"ratio": 1.1, "n": 2.0}}
    assert "\n" not in line


@pytest.mark.slow
def test_a_search_killed_three_times_ends_like_the_uninterrupted_one():
    figures = {figure.name: figure.value for figure in kills.run(n=3, trials=8).figures}
    assert figures.pop("resume_s") > 0
    assert figures == {"kills": 3, "tables_equal": 1, "rungs_lost_max": figures["rungs_lost_max"], "zombies": 0}
    assert figures["rungs_lost_max"] <= 1


def raced(who: str, trainings: list[list[float]]) -> live.Run:
    found = {"contestant": who, "seed": 0, "trainings": trainings, "trials": len(trainings), "failed": [], "ready": 1.0}
    return live.Run.of(found | {"digest": "same", "epochs": 3, "load": 0.0})


def test_time_to_front_ends_when_the_rivals_final_front_is_reached():
    rival = raced("peer", [[50.0, 0.8, 0.4, 0.1], [90.0, 0.9, 4.0, 1.0]])  # the second is too slow to count
    ours = raced("ours", [[10.0, 0.7, 0.4, 0.1], [20.0, 0.4, 0.1, 0.1], [30.0, 0.85, 0.4, 0.1]])
    assert rival.volume() == pytest.approx(math.log(10) * 0.3) and rival.reaches(rival.volume()) == 50
    figures, notes = live.verdict({("ours", 0): ours, ("peer", 0): rival}, seconds=100)
    assert [(one.name, one.value, one.target) for one in figures] == [("time_to_peer_front", 0.3, "<= 0.5")]
    figures, notes = live.verdict({("ours", 0): rival, ("peer", 0): ours}, seconds=100)
    assert figures[0].value == math.inf and any("not reached" in note for note in notes)


def test_a_complete_comparison_is_not_run_again(tmp_path, monkeypatch):
    ran, path = [], tmp_path / "ledger.jsonl"

    def contest(who, setting):
        ran.append(who)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return {"trainings": [], "trials": 0, "failed": [], "ready": None, "load": 0.0, "digest": "", "epochs": 3}

    monkeypatch.setattr(live, "contest", contest)
    keys = [("ours", 0, 1.0, 2, 100, 3, "here"), ("peer", 0, 1.0, 2, 100, 3, "here")]
    live.once(live.Ledger(path, live.SAME), keys[0], again=False)
    with pytest.raises(KeyboardInterrupt):
        live.once(live.Ledger(path, live.SAME), keys[1], again=False)
    path.write_text(path.read_text() + '{"contestant": "pe')
    for key in keys:
        live.once(live.Ledger(path, live.SAME), key, again=False)
    assert ran == ["ours", "peer", "peer"] and [file.name for file in tmp_path.iterdir()] == ["ledger.jsonl"]
    live.once(live.Ledger(path, live.SAME), keys[0], again=True)
    assert ran[-1] == "ours" and len(live.Ledger(path, live.SAME).known) == 2


def test_peak_memory_is_that_of_the_started_process_alone():
    held = bytearray(200 << 20)  # what this process holds is not the child's
    one = edge.Started.of(sys.executable, "-I", "-c", "print('a'); print('b')")
    assert one.lines == ["a", "b"] and 0 < one.seconds < 30 and 5 < one.peak_mb < len(held) / 2e6
    many = edge.Started.of(sys.executable, "-I", "-c", "print(len(bytearray(150_000_000)) and 'c')")
    assert many.peak_mb > 150
    with pytest.raises(RuntimeError, match="ended with 3"):
        edge.Started.of(sys.executable, "-c", "raise SystemExit(3)")

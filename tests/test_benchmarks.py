"""The runner of the benchmarks."""

from __future__ import annotations

import json

from benchmarks import __main__ as runner
from benchmarks import kills
from benchmarks.report import Figure, Result


def test_benchmarks_are_found_and_listed(capsys):
    assert runner.main([]) == 0
    assert "overhead" in runner.found() and not {"report", "__main__"} & set(runner.found())
    assert "  overhead  What a fit costs" in capsys.readouterr().out
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


def test_a_search_that_is_killed_three_times_ends_as_the_unbroken_one():
    figures = {figure.name: figure.value for figure in kills.run(n=3, trials=8).figures}
    assert figures.pop("resume_s") > 0
    assert figures == {"kills": 3, "tables_equal": 1, "rungs_lost_max": figures["rungs_lost_max"], "zombies": 0}
    assert figures["rungs_lost_max"] <= 1

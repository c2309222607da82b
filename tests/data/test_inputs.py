"""Inputs that broke the package once, and their siblings: right, or refused by name. `benchmarks/input_cases` holds them."""

import pytest

from benchmarks.input_cases.case import Case, all_cases

CASES = [
    pytest.param(case, id=f"{case.kind}: {case.name}", marks=[pytest.mark.slow] if case.slow else []) for case in all_cases()
]


@pytest.mark.parametrize("case", CASES)
def test_an_input_is_handled_or_refused_with_a_reason(case: Case) -> None:
    outcome, why = case.run()
    assert outcome == ("refused" if case.refused else "right"), why

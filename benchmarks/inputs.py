"""Realistic inputs (files, columns, images, networks): each is handled correctly, rejected with a reason, or handled wrongly."""

from __future__ import annotations

from collections import Counter

from .input_cases.case import all_cases
from .report import Figure, Result


def run(only: str = "") -> Result:
    """Run every case of `input_cases`.

    Args:
        only: Run only kinds whose names begin with this.
    """
    cases = [case for case in all_cases() if case.kind.startswith(only)]
    outcomes: Counter[str] = Counter()
    lines: list[str] = []
    for case in cases:
        outcome, why = case.run()
        outcomes[outcome] += 1
        lines.append(f"{outcome:8}{case.kind}: {case.name}" + (f"\n          {why}" if why else ""))
        print(lines[-1], flush=True)
    figures = [
        Figure(name="kinds", value=len({case.kind for case in cases})),
        Figure(name="cases", value=len(cases)),
        Figure(name="right", value=outcomes["right"]),
        Figure(name="refused", value=outcomes["refused"]),
        Figure(name="wrong", value=outcomes["wrong"], target="0"),
    ]
    return Result(figures=figures, notes=[])

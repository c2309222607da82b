"""This project's own search on the table: its loop, with an executor that replays recorded rows on a virtual clock."""

from __future__ import annotations

from .landscape import Landscape
from .recorded import Moment


def missing() -> str:
    """Why it cannot take part; empty if it can."""
    return "the simulated executor is not connected yet (benchmarks/peers/ours.py)"


def run(
    landscape: Landscape,
    seed: int,
    workers: int,
    *,
    rungs: bool = True,
    screen: bool = True,
    children: bool = True,
    portfolio: bool = True,
) -> list[Moment]:
    """What the search had fully trained, and when.

    Args:
        landscape: What is searched: `landscape.table`, `landscape.budget` (epochs over all trials; the search ends when
            they are trained), `Deck(landscape).draw(config)` for the nearest unused fresh row.
        seed: Seeds the search.
        workers: Trials at a time.
        rungs: Whether unpromising trials are stopped.
        screen: Whether infeasible candidates are turned away before training.
        children: Whether proposals may inherit weights (rows with a parent).
        portfolio: Whether the search begins with known-good designs and what earlier studies taught.

    Returns:
        One moment for every trial that ended, in the order of the clock.
    """
    raise NotImplementedError(missing(), landscape, seed, workers, rungs, screen, children, portfolio)

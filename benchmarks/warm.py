"""The gain of a warm start from a study of other data, compared with a cold start and the usual first designs."""

from __future__ import annotations

import os

from .peers.contestants import OURS, TPE
from .peers.ours import OTHER
from .peers.runs import LOADER, Run, all_runs, landscape_of
from .peers.verdict import Contest, Curve
from .report import Figure, Result
from .search import shares

COLD = f"{OURS} -first designs"
STARTS = (COLD, f"{OURS} warm start alone", OURS, f"{OURS} warm start", f"{OURS} misled")
EARLY = (0.1, 0.2)


def run(*, seeds: int = 10, workers: int = 2, processes: int = 0) -> Result:
    """Measure shares of plain TPE's final hypervolume; the earlier study is on the other table of images.

    Args:
        seeds: Number of runs of each start on each table, each with its own earlier study.
        workers: Number of concurrent trials on the virtual clock.
        processes: Number of concurrent processes; 0 for one per core.
    """
    names = (*STARTS, TPE)
    runs = [Run(table, name, seed) for table in OTHER for name in names for seed in range(seeds)]
    done = all_runs(runs, loader=LOADER, workers=workers, processes=processes or os.cpu_count() or 1)
    figures = []
    for table, other in OTHER.items():
        landscape = landscape_of(table)
        curves = {name: [Curve.of(landscape, done[Run(table, name, seed)]) for seed in range(seeds)] for name in names}
        contest = Contest(landscape, "epochs", curves, TPE)
        print(f"\n{table}, after a study of {other}\n{shares({'epochs': contest}, names)}")
        figures += [
            Figure.of(f"{table} {name} at {share:.0%}", list(contest.at(name, share))) for share in EARLY for name in STARTS
        ]
    note = "misled: the earlier study's ranking is reversed, which is worse than any dissimilar study."
    return Result(figures=figures, notes=["alone: without the usual first designs, as is the cold start.", note])

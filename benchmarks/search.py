"""Hypervolume against epochs and recorded seconds on recorded trainings: this search against Optuna, OptunaHub and MOASHA."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from .peers.contestants import OURS, TPE, everyone
from .peers.hub import REGISTRY
from .peers.runs import LOADER, RESULTS, Run, all_runs, landscape_of
from .peers.verdict import Axis, Contest, Curve, Point, duels
from .report import Figure, Result

SHARES = (0.1, 0.2, 0.3, 0.5, 1.0)
AXES: tuple[Axis, ...] = ("epochs", "seconds")
NO_SURROGATE = (
    "No third-party surrogate benchmark is included: those with learning curves and latencies download their data separately from"
    " their packages. Add an installed one with --loader MODULE:FUNCTION and --tables."
)


def run(
    *,
    seeds: int = 20,
    tables: str = "digits,fashion,housing",
    workers: int = 2,
    contestants: str = "",
    hub: str = "",
    loader: str = LOADER,
    processes: int = 0,
    picture: bool = True,
) -> Result:
    """Measure shares of the hypervolume that plain TPE reaches with full trainings, and the significance of this search's lead.

    Args:
        seeds: Number of runs of each contestant on each table.
        tables: Names of the tables, separated by commas.
        workers: Number of concurrent trials on the virtual clock.
        contestants: Only these, separated by commas; plain TPE, the baseline, is always included.
        hub: A checkout of OptunaHub's registry.
        loader: A function that reads a table by its name.
        processes: Number of concurrent processes; 0 for one per core.
        picture: Whether to draw the curves.
    """
    if hub:
        os.environ[REGISTRY] = str(Path(hub).absolute())
    names, notes = taking_part(contestants)
    runs = [Run(table, name, seed) for table in tables.split(",") for name in names for seed in range(seeds)]
    done = all_runs(runs, loader=loader, workers=workers, processes=processes or os.cpu_count() or 1)
    contests: dict[Axis, dict[str, Contest]] = {axis: {} for axis in AXES}
    for table in tables.split(","):
        landscape = landscape_of(table, loader)
        curves = {name: [Curve.of(landscape, done[Run(table, name, seed)]) for seed in range(seeds)] for name in names}
        for axis in AXES:
            contests[axis][table] = Contest(landscape, axis, curves, TPE)
        print(f"\n{landscape.describe()}; plain TPE reaches {contests['epochs'][table].final:.4f}")
        print(shares({axis: contests[axis][table] for axis in AXES}, names))
    if picture:
        notes.append(draw(contests, names))
    return Result(figures=figures(contests, names), notes=[*never(contests["epochs"], names), *notes, NO_SURROGATE])


def taking_part(only: str) -> tuple[list[str], list[str]]:
    """The names of the contestants, and why others are skipped."""
    chosen = (
        {name.strip() for name in only.split(",")} | {TPE}
        if only
        else {peer.name for peer in everyone() if peer.role != "warm"}
    )
    called = [peer for peer in everyone() if peer.name in chosen]
    names = [peer.name for peer in called if not peer.missing()]
    return names, [f"skipped {peer.name}: {peer.missing()}" for peer in called if peer.missing()]


def shares(contests: dict[Axis, Contest], names: Sequence[str]) -> str:
    """A table's medians over seeds: one row per contestant, budgets on both axes, and when 0.99 is reached."""
    head = ["of TPE's final hypervolume"]
    for axis in contests:
        head += [f"{share:.0%} of {axis}" if share == SHARES[0] else f"{share:.0%}" for share in SHARES] + ["0.99 at"]
    rows = [head]
    for name in names:
        row = [name]
        for contest in contests.values():
            row += [f"{contest.median(name, share):.4f}" for share in SHARES] + [f"{contest.needed(name):.2f}"]
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def figures(contests: dict[Axis, dict[str, Contest]], names: Sequence[str]) -> list[Figure]:
    """The main figures; those of our own search only if it takes part."""
    epochs = contests["epochs"]
    figures_made = []
    if OURS in names:
        peers = [peer.name for peer in everyone() if peer.role == "peer" and peer.name in names]
        points = {axis: duels(contests[axis], OURS, peers) for axis in AXES}
        lowest = min(epochs.values(), key=lambda contest: contest.median(OURS, 0.2))
        figures_made = [
            Figure.of("hv_at_20pct", [float(value) for value in lowest.at(OURS, 0.2)], target=">= 0.99"),
            Figure(name="wins", value=won(points["epochs"]), target="1"),
            Figure(name="wins_seconds", value=won(points["seconds"])),
        ]
        for axis in AXES:
            print("\n".join(["", f"Budget points against {axis} at which it does not lead:", *lost(points[axis])]))
    slowest = {name: max(contest.needed(name) for contest in epochs.values()) for name in names}
    return figures_made + [
        Figure(name=f"epochs_to_99 {name}", value=value, target="<= 0.20" if name == OURS else "")
        for name, value in slowest.items()
        if math.isfinite(value)
    ]


def never(contests: dict[str, Contest], names: Sequence[str]) -> list[str]:
    """Contestants that end below 0.99 on some table."""
    short = {name: [table for table, contest in contests.items() if math.isinf(contest.needed(name))] for name in names}
    return [f"{name} ends below 0.99 on {' and '.join(tables)} in most runs." for name, tables in short.items() if tables]


def won(points: Sequence[Point]) -> float:
    return sum(point.won for point in points) / len(points)


def lost(points: Sequence[Point]) -> list[str]:
    """The comparisons without a lead, one line for each table and peer."""
    lines: dict[tuple[str, str], list[str]] = {}
    for point in points:
        if not point.won:
            lines.setdefault((point.table, point.peer), []).append(f"{point.share:.0%} ({point.ahead:+.4f}, p {point.p:.2g})")
    return [f"  {table}, {peer}: {', '.join(texts)}" for (table, peer), texts in lines.items()] or ["  none"]


def draw(contests: dict[Axis, dict[str, Contest]], names: Sequence[str]) -> str:
    """Draw the median hypervolume on both axes, one column per table; returns a note with the file's path."""
    import plotly.graph_objects as go
    from plotly.colors import qualitative
    from plotly.subplots import make_subplots

    tables = list(contests["epochs"])
    figure = make_subplots(rows=len(AXES), cols=len(tables), subplot_titles=tables * len(AXES))
    steps = [step / 100 for step in range(1, 101)]
    for row, axis in enumerate(AXES, 1):
        for column, contest in enumerate(contests[axis].values(), 1):
            for number, name in enumerate(names):
                line = go.scatter.Line(color=qualitative.Dark24[number % 24], shape="hv")
                medians = [contest.median(name, share) for share in steps]
                first = row == column == 1
                figure.add_scatter(
                    x=steps,
                    y=medians,
                    name=name,
                    line=line,
                    mode="lines",
                    legendgroup=name,
                    showlegend=first,
                    row=row,
                    col=column,
                )
            figure.update_xaxes(title_text=f"share of plain TPE's {axis}", row=row, col=column)
            figure.update_yaxes(title_text="share of its final hypervolume", range=[0.6, 1.02], row=row, col=column)
    figure.update_layout(width=520 * len(tables), height=900, template="plotly_white")
    file = RESULTS / "search.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(file, include_plotlyjs=True)
    return f"Median curves: {file.relative_to(RESULTS.parents[1])}"

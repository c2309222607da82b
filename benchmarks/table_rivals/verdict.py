"""What the recorded runs on the tables show."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.record import Line
from benchmarks.report import Figure

from .data import COVERAGE
from .systems import OURS

ALLOWED_POINTS, ALLOWED_PERCENT = 0.3, 1.5  # allowed gap to CatBoost: points of accuracy, percent of RMSE
ALLOWED_COVERAGE = 1  # allowed distance of the mean coverage, in points


def standard_error(differences: Sequence[float]) -> float:
    """The standard error of their mean; 0 for a single one."""
    return statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0


@dataclass(frozen=True)
class OneTable:
    """The results on one table.

    Args:
        name: The table's name.
        regression: Whether scores are RMSEs, else accuracies in percent.
        lines: Each system's lines, on the same splits in the same order.
    """

    name: str
    regression: bool
    lines: dict[str, list[Line]]

    @property
    def splits(self) -> int:
        return len(next(iter(self.lines.values()), []))

    def mean(self, system: str, field: str = "score") -> float:
        """The mean over the splits; NaN if the field is missing."""
        values: list[float] = [line[field] for line in self.lines[system] if line.get(field) is not None]
        return statistics.mean(values) if len(values) == self.splits else math.nan

    def behind(self, system: str, other: str) -> list[float]:
        """How far a system is behind another on each split: points of accuracy, or percent of the other's RMSE."""
        pairs = [(mine["score"], known["score"]) for mine, known in zip(self.lines[system], self.lines[other], strict=True)]
        return [100 * (mine / known - 1) if self.regression else known - mine for mine, known in pairs]

    def rank(self, system: str) -> int:
        """One more than the number of systems that are ahead by more than one standard error over the splits."""
        gaps = (self.behind(system, other) for other in self.lines if other != system)
        return 1 + sum(statistics.mean(gap) > standard_error(gap) for gap in gaps)

    def share_of_allowed(self, other: str) -> float:
        """How far ours is behind, as a share of what is allowed: 0.3 points or 1.5 %, or one standard error if that is more."""
        gap = self.behind(OURS, other)
        return statistics.mean(gap) / max(ALLOWED_PERCENT if self.regression else ALLOWED_POINTS, standard_error(gap))

    def milliseconds(self, system: str) -> float:
        """Median time of one row: CPU time, or wall time where that is less."""
        times: list[float] = [min(line["cpu_ms"], line["wall_ms"]) for line in self.lines[system]]
        return statistics.median(times)

    def speedup(self, other: str) -> float:
        return self.milliseconds(other) / self.milliseconds(OURS)

    def sentence(self) -> str:
        """The results of all systems in one line."""
        score, second = ("RMSE", "interval score") if self.regression else ("% accuracy", "log-loss")
        parts = []
        for system in sorted(self.lines, key=self.rank):
            numbers = f"{self.mean(system):.5g}, {self.mean(system, 'second'):.4g}{self._reliability(system)}"
            parts.append(f"{self.rank(system)}. {system} {numbers}, {self.milliseconds(system):.3g} ms")
        return f"{self.name}, {self.splits} splits ({score}, {second}, one row): {'; '.join(parts)}."

    def _reliability(self, system: str) -> str:
        covered, raw, error = (self.mean(system, field) for field in ("covered", "raw_error", "calibration_error"))
        shown = [] if math.isnan(covered) else [f"covers {covered:.1f} %"]
        if not math.isnan(error):
            before = "" if math.isnan(raw) else f", {raw:.2g} % before scaling"
            shown.append(f"calibration error {error:.2g} %{before}")
        return f" ({', '.join(shown)})" if shown else ""


def verdict(tables: Sequence[OneTable]) -> tuple[list[Figure], list[str]]:
    """The figures over all tables, and a note for each table."""
    systems = list(tables[0].lines)
    ranks = {system: statistics.mean(table.rank(system) for table in tables) for system in systems}
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    notes = [f"Mean ranks: {', '.join(f'{name} {rank:.2f}' for name, rank in ordered)}."]
    figures = list[Figure]()
    if OURS in systems:
        figures.append(Figure(name="mean_rank", value=ranks[OURS], target=f"<= 2.0 of {len(systems)}"))
    if {OURS, "catboost"} <= {*systems}:
        worst = max(tables, key=lambda table: table.share_of_allowed("catboost"))
        figures.append(Figure(name="worst_gap", value=worst.share_of_allowed("catboost"), target="<= 1"))
        notes.append(f"The worst gap behind CatBoost is on {worst.name}.")
    if {OURS, "autogluon"} <= {*systems}:
        figures.append(Figure(name="speedup_min", value=min(table.speedup("autogluon") for table in tables), target=">= 50"))
    if OURS in systems:
        shown, said = reliability(tables)
        figures, notes = [*figures, *shown], [*notes, *said]
    return figures, [*notes, *(table.sentence() for table in tables)]


def reliability(tables: Sequence[OneTable]) -> tuple[list[Figure], list[str]]:
    """How often our regions hold the truth, and how far our probabilities are off before and after temperature scaling."""
    covered = {table.name: table.mean(OURS, "covered") for table in tables}
    known = [share for share in covered.values() if not math.isnan(share)]
    figures, notes = list[Figure](), list[str]()
    if known:
        target = f"{100 * COVERAGE:g} ± {ALLOWED_COVERAGE}"
        figures.append(Figure(name="coverage", value=statistics.mean(known), unit="%", target=target))
        notes.append(f"Coverage is the mean over {len(known)} of {len(tables)} tables.")
    if absent := [name for name, share in covered.items() if math.isnan(share)]:
        notes.append(f"On a split of these tables our model has no regions: {', '.join(absent)}.")
    errors = [(table.mean(OURS, "raw_error"), table.mean(OURS, "calibration_error")) for table in tables]
    if pairs := [pair for pair in errors if not any(map(math.isnan, pair))]:
        for name, values in zip(("before", "after"), zip(*pairs, strict=True), strict=True):
            figures.append(Figure(name=f"calibration_error_{name}", value=statistics.mean(values), unit="%"))
        notes.append(
            f"Calibration errors, before and after temperature scaling, are means over {len(pairs)} tables with classes."
        )
    return figures, notes

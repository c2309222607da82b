"""Searches on twelve real tables beside four peers: test scores, probabilities or intervals, and latency of one row.

Without flags it reads the committed record, refuses lines of an older search, and runs one table anew as a check.
`--record` makes or resumes the record; each finished (table, split, system) is one line. `--hours` ends it early, `--systems`,
`--datasets` and `--splits` limit it.

The peers are scikit-learn's HistGradientBoosting, LightGBM and CatBoost with their defaults, and AutoGluon's medium_quality,
installed in an environment of their own. Every fit has the same minutes and threads; what ends earlier ends earlier. Our score
and our latency are those of one model, the one that `best()` gives; so are the coverage of its intervals and sets of labels, and
its calibration error before and after temperature scaling, all on the outer test rows. Systems share a rank if they are within
one standard error of their paired difference over the splits.
"""

from __future__ import annotations

import itertools
import time
from functools import partial
from pathlib import Path

from .record import RECORDS, Line, Record
from .report import Figure, Result
from .table_rivals.data import DATA, LEAST_OF_CLASS, Table
from .table_rivals.systems import SYSTEMS, codes, run_system
from .table_rivals.verdict import OneTable, verdict

SAME = ("dataset", "split", "system", "minutes", "threads")
TABLES = (
    "abalone,adult,california_housing,diamonds,employee_attrition,german_credit,hypothyroid,penguins,phoneme,segment,"
    "telco_churn,wine_quality"
)


def run(
    *,
    datasets: str = TABLES,
    splits: int = 5,
    minutes: float = 2.0,
    threads: int = 2,
    systems: str = ",".join(SYSTEMS),
    intervals: bool = True,
    record: bool = False,
    hours: float = 24.0,
    check: str = "german_credit",
    results: str = str(RECORDS / "tables.jsonl"),
) -> Result:
    """Compare the systems by the record, which `--record` completes first, starting no run after `--hours`.

    Without `--record`, `--check` names the table that is run anew.
    """
    if not DATA.is_dir():
        skipped = f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains tabular."
        return Result(figures=[], notes=[skipped])
    names = tuple(systems.split(","))
    tables = {name: Table.read(name) for name in datasets.split(",")}
    known = Record(Path(results), SAME, codes(names))

    def new(name: str, split: int, system: str) -> Line:
        line = run_system(system, tables[name], split, minutes=minutes, threads=threads, intervals=intervals)
        print(f"{name} {split} {system}: {line['score']:.5g} after {line['seconds']:.0f} s", flush=True)
        return line

    until = time.monotonic() + 3600 * hours
    # All tables of a split first: an unfinished record covers all of them.
    for split, name, system in itertools.product(range(splits if record else 0), tables, names):
        if time.monotonic() >= until:
            break
        try:
            known.once((name, split, system, minutes, threads), partial(new, name, split, system))
        except RuntimeError as error:  # the others are recorded all the same
            print(f"{name} {split} {system} failed: {error}", flush=True)
    complete, missing = finished(known, tables, splits, minutes, threads)
    figures, notes = verdict(complete) if complete else ([], ["There is nothing to compare yet."])
    if not record and check in tables:
        anew = {system: new(check, 0, system)["score"] for system in names}
        recorded = {system: known.lines.get((check, 0, system, minutes, threads), {}).get("score") for system in names}
        checked, note = comparison(check, anew, recorded)
        figures, notes = [*figures, *checked], [*notes, *note]
    rare = f"Classes of fewer than {LEAST_OF_CLASS} rows are dropped for all systems."
    return Result(figures=figures, notes=[*known.refusals(), *missing, *notes, rare])


def finished(
    record: Record, tables: dict[str, Table], splits: int, minutes: float, threads: int
) -> tuple[list[OneTable], list[str]]:
    """The recorded tables, each with the splits on which all systems ended, and a note on what is missing."""
    complete, missing = [], []
    for name, table in tables.items():
        lines: dict[str, list[Line]] = {system: [] for system in record.codes}
        for split in range(splits):
            row = [record.lines.get((name, split, system, minutes, threads)) for system in record.codes]
            found = [line for line in row if line]
            if len(found) < len(row):
                absent = [system for system, line in zip(record.codes, row, strict=True) if not line]
                missing.append(f"{name} {split} ({', '.join(absent) if found else 'all'})")
                continue
            for line in found:
                lines[line["system"]].append(line)
        if next(iter(lines.values())):
            complete.append(OneTable(name, table.regression, lines))
    return complete, [f"Not recorded: {', '.join(missing)}; --record continues."] if missing else []


def comparison(name: str, anew: dict[str, float], recorded: dict[str, float | None]) -> tuple[list[Figure], list[str]]:
    """Compare the scores of new runs on the first split of one table with the recorded ones."""
    pairs = {system: (score, known) for system, score in anew.items() if (known := recorded[system]) is not None}
    shown = ", ".join(f"{system} {score:.5g} (recorded {known:.5g})" for system, (score, known) in pairs.items())
    changes = [100 * abs(score / known - 1) for score, known in pairs.values()]
    figures = [Figure(name="check_change", value=max(changes), unit="% of the score")] if changes else []
    return figures, [f"Run anew on {name}, split 0: {shown or 'nothing of it is recorded'}."]

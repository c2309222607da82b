"""Watchers on twelve scripted streams of real rows, beside ADWIN and Kolmogorov-Smirnov tests, at equal false-alarm rates.

A stream has 10 quiet windows of 500 rows of a table or of pictures, then a change at a random row, and 10 more windows. Each method
is calibrated on quiet streams of other seeds, one level for each data set, to one false alarm in 50 windows. It watches the features,
the answers, the confidences, and the errors as true answers arrive, 500 rows late. `false_alarm_rate` is the share of quiet windows
with an alarm; `detected` the share of changed streams with an alarm in the 10 windows after the change; a delay is the number of
rows from the change to the first alarm, or all 5,000 if there is none. A stream's delay ratio is our median delay over that of the
better rival. ADWIN is river's, in an environment of its own; Kolmogorov-Smirnov tests (chi-squared for categories) compare each
window with the training rows, with Bonferroni.

Finished runs are kept in `mlruns/benchmarks/drift`, so that an interrupted benchmark continues, and runs of unchanged code are not
repeated.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from .drift_streams import streams as scripts
from .drift_streams.methods import ALTERNATIVES, METHODS, Alarm
from .drift_streams.sources import Source, load
from .drift_streams.streams import CHANGED, SCRIPTS, WINDOW, Stream, make
from .environments import WORK
from .record import CHECKOUT, PACKAGE, Line, Record, code_digest
from .report import Figure, Result
from .table_rivals.data import DATA

RATE = 1 / 50  # false alarms in a quiet window
FIRST_LEVEL = {"ours": 0.02, "adwin": 0.005, "ks": 0.012, "conformal": 0.03, "spending": 0.01}
STEPS = 5  # of the search for a level, which ends when the rate is
CLOSE = 0.1  # to the wanted one, as a logarithm of their ratio
QUIET_SEED = 10_000  # of the first calibration stream
HORIZON = CHANGED * WINDOW  # rows
RIVALS = ("adwin", "ks")
SHARED = ("sources", "streams", "channels", "methods")  # files that all methods depend on
WATCHING = ("bets", "bins", "detector", "evidence", "features", "mixture", "monitor", "profile", "rows", "watcher")
ONE_COLUMN = ("stuck sensor", "unit change", "new category", "noise")  # changes of one column and no other


def run(
    *, seeds: int = 20, only: str = "", methods: str = ",".join(METHODS), calibration: int = 20, details: bool = False
) -> Result:
    """Run the streams that are not recorded yet, and compare the methods on all.

    Args:
        seeds: Of each stream.
        only: Streams by name, separated by commas; all by default.
        methods: Methods by name; besides the three there are `conformal` and `spending`, other sequential schemes.
        calibration: Quiet streams of 50 windows that each method is calibrated on, for each data set.
        details: Print the delays of each seed.
    """
    if not DATA.is_dir():
        return Result(figures=[], notes=[f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains tabular."])
    names, chosen = only.split(",") if only else list(SCRIPTS), methods.split(",")
    levels = Record(WORK / "drift" / "levels.jsonl", ("system", "source", "calibration"), _codes(chosen))
    known = Record(WORK / "drift" / "streams.jsonl", ("system", "stream", "seed", "calibration"), _codes(chosen))
    for name, seed, method in itertools.product(names, range(seeds), chosen):
        key = (method, name, seed, calibration)
        if key not in known.lines:
            source = _load(SCRIPTS[name][1][seed % len(SCRIPTS[name][1])])
            level = levels.once((method, source.name, calibration), functools.partial(_calibrated, method, source, calibration))
            known.add(key, _watched(method, source, make(name, source, seed), level["level"]))
    lines = {(m, n, s): known.lines[m, n, s, calibration] for n, s, m in itertools.product(names, range(seeds), chosen)}
    used = [line for key, line in levels.lines.items() if key[2] == calibration]
    return _result(lines, names, seeds, chosen, used, details=details)


@functools.cache
def _load(name: str) -> Source:
    return load(name)


def _codes(methods: Sequence[str]) -> dict[str, str]:
    """Results of a method are valid for the present streams and, if it is ours, the present watchers."""
    shared = [CHECKOUT / "benchmarks" / "drift_streams" / f"{name}.py" for name in SHARED]
    room = PACKAGE / "monitoring"
    watchers = [*(room / "watchers").glob("*.py"), *(room / f"{name}.py" for name in WATCHING)]
    rivals = [CHECKOUT / "benchmarks" / "drift_streams" / f"{name}.py" for name in ("adwin", "kolmogorov", "alternatives")]
    own = {"ours": watchers, "adwin": rivals[:1], "ks": rivals[1:2], "conformal": rivals[2:], "spending": rivals[1:]}
    return {method: code_digest([*shared, *own[method]]) for method in methods}


def _calibrated(method: str, source: Source, count: int) -> Line:
    """The level at which a method raises one false alarm in 50 windows."""
    quiet = [scripts.quiet(source, QUIET_SEED + place, 50) for place in range(count)]
    tried: dict[float, float] = {}
    level = FIRST_LEVEL[method]
    for _ in range(STEPS):
        alarms = (METHODS | ALTERNATIVES)[method](source, quiet, level)
        tried[level] = _rate(alarms, [len(stream) for stream in quiet])
        print(f"{method} on {source.name}: level {level:.4g}, {100 * tried[level]:.3g} % of quiet windows", flush=True)
        if tried[level] and abs(math.log(tried[level] / RATE)) < CLOSE:
            break
        level = _next_level(tried)
    best = min(tried, key=lambda one: abs(math.log(max(tried[one], RATE / 20) / RATE)))
    windows = sum(len(stream) // WINDOW for stream in quiet)
    return {"level": best, "rate": tried[best], "windows": windows, "tried": [list(one) for one in tried.items()]}


def _next_level(tried: dict[float, float]) -> float:
    """Between the levels on both sides of the rate if there are some, else a step further."""
    below = [level for level, rate in tried.items() if rate < RATE]
    above = [level for level, rate in tried.items() if rate >= RATE]
    if below and above:
        return math.sqrt(max(below) * min(above))
    return min(3 * max(below), 0.99) if below else min(above) / 3


def _rate(alarms: Sequence[Sequence[Alarm]], rows: Sequence[int]) -> float:
    windows = sum(count // WINDOW for count in rows)
    return sum(len({(row - 1) // WINDOW for row, _ in one}) for one in alarms) / windows


def _watched(method: str, source: Source, stream: Stream, level: float) -> Line:
    (alarms,) = (METHODS | ALTERNATIVES)[method](source, [stream], level)
    quiet = stream.start // WINDOW if stream.name != "none" else len(stream) // WINDOW
    false = {(row - 1) // WINDOW for row, _ in alarms if row <= quiet * WINDOW}
    after = [(row, what) for row, what in alarms if row > stream.visible]
    first = after[0] if after and stream.name != "none" else None
    return {
        "source": source.name,
        "column": stream.column,
        "quiet": quiet,
        "false": len(false),
        "delay": first[0] - stream.start if first else None,
        "named": first[1] if first else "",
    }


def _result(
    lines: dict[tuple[str, str, int], Line],
    names: Sequence[str],
    seeds: int,
    methods: Sequence[str],
    levels: list[Line],
    *,
    details: bool,
) -> Result:
    figures, notes = [], []
    changed = [name for name in names if name != "none"]
    delays = {
        (method, name): [_delay(lines[method, name, seed]) for seed in range(seeds)] for method in methods for name in changed
    }
    for method in methods:
        own = [line for key, line in lines.items() if key[0] == method]
        alarms, windows = sum(line["false"] for line in own), sum(line["quiet"] for line in own)
        low, high = wilson(alarms, windows)
        suffix = "" if method == "ours" else f"_{method}"
        figures.append(
            Figure(name=f"false_alarm_rate{suffix}", value=alarms / windows, spread=(low, high), target="0.02 in it")
        )
        found = [line["delay"] is not None for key, line in lines.items() if key[0] == method and key[1] != "none"]
        target = ">= 0.95" if method == "ours" else ""
        figures.append(Figure(name=f"detected{suffix}", value=float(np.mean(found)) if found else math.nan, target=target))
        notes.append(f"{method}: {alarms} false alarms in {windows} quiet windows (spread: the 95 % interval).")
    one_column = [
        line for (method, name, _), line in lines.items() if method == "ours" and name in ONE_COLUMN and line["named"]
    ]
    if one_column:
        names_it = [line["named"].endswith(f": {line['column']}") for line in one_column]
        figures.append(Figure(name="named", value=float(np.mean(names_it))))
        notes.append("named: of the detected changes of one column, those whose first evidence names it.")
    stated = [(one["windows"], dict(one["tried"])[RATE]) for one in levels if one["system"] == "ours"]
    if stated:
        windows = sum(count for count, _ in stated)
        alarms = round(sum(count * rate for count, rate in stated))
        interval = wilson(alarms, windows)
        figures.append(Figure(name="false_alarm_rate_as_stated", value=alarms / windows, spread=interval, target="<= 0.02"))
        notes.append(f"Without calibration, at the stated rate: {alarms} false alarms of ours in {windows} quiet windows.")
    if "ours" in methods and len(methods) > 1 and changed:
        figures += _ratios(delays, changed, methods, notes)
    for name in changed:
        for method in methods:
            values = delays[method, name]
            count = sum(value < HORIZON for value in values)
            notes.append(f"{name}, {method}: median delay {np.median(values):.0f} rows, {count} of {seeds} found")
            if details:
                said = [
                    f"{lines[method, name, s]['source']}/{lines[method, name, s]['column']} {values[s]} {lines[method, name, s]['named']}"
                    for s in range(seeds)
                ]
                notes.append("; ".join(said))
    notes += [
        f"{one['system']} on {one['source']}: level {one['level']:.4g}, {one['rate']:.4g} of quiet windows" for one in levels
    ]
    return Result(figures=figures, notes=notes)


def _delay(line: Line) -> int:
    return HORIZON if line["delay"] is None else int(line["delay"])


def _ratios(
    delays: dict[tuple[str, str], list[int]], changed: Sequence[str], methods: Sequence[str], notes: list[str]
) -> list[Figure]:
    rivals = [method for method in RIVALS if method in methods]
    ratios = {}
    for name in changed:
        better = min(float(np.median(delays[method, name])) for method in rivals)
        ratios[name] = float(np.median(delays["ours", name])) / better
    worst = max(ratios, key=lambda name: ratios[name])
    notes.append("delay ratios: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    return [
        Figure(name="delay_ratio_median", value=float(np.median(list(ratios.values()))), target="<= 1"),
        Figure(name="delay_ratio_max", value=ratios[worst], target="<= 2"),
    ]


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, count / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return middle - half, middle + half

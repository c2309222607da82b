"""Progress of a search: a live panel in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import Progress as ProgressBars
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lepton_automl.events import (
    STOPPED,
    Event,
    HostBenchmarked,
    ModelAccelerated,
    ModelRefitted,
    Noted,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    TrialEnded,
)
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .cost_axes import other_costs
from .latency import in_unit, latency_text, latency_unit
from .status import budget_used, running_trials, startup_step
from .tables import score_interval, tested_interval, with_interval

WIDE = 110  # columns of a terminal that fit every column of the front
LEAST, GAP = 8, 2  # columns of a network's name at least; between two columns of the table
ROWS = 12  # models of the front that fit on a screen


@contextmanager
def data_progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for reading images; yields a function of the number done and the total. Shown in a terminal only."""
    with ProgressBars(transient=True, disable=not shown or not Console().is_terminal) as bars:
        task = bars.add_task("reading images", total=None, visible=False)
        yield lambda done, of: bars.update(task, completed=done, total=of, visible=True)


@contextmanager
def activity_line(what: str, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """A status line; yields a function that sets its text. Shown in a terminal only."""
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _: None
        return
    with console.status(f"{what}: starting", refresh_per_second=2) as line:  # rarely, so as not to disturb timings
        yield lambda text: line.update(f"{what}: {text}")


class Progress:
    """Shows a study while it runs; a context manager.

    Args:
        shown: Whether to print anything.
        console: Where to print; by default the standard output.
    """

    def __init__(self, *, shown: bool = True, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._shown = shown
        self._state = StudyState()
        self._live = Live(console=self._console, auto_refresh=False) if shown and self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def note(self, text: str) -> None:
        """Print a line."""
        if self._shown:
            self._console.print(text, markup=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Apply one event, and print its line if there is no live panel."""
        self._state.apply(event)
        if (self._shown and not self._live) or (self._shown and isinstance(event, Noted | StudyEnded)):
            self._line(event)

    def draw(self) -> None:
        """Redraw the live panel for the events so far and the current time."""
        if self._live and self._state.config:
            self._live.update(panel(self._state, time.time(), self._console.width), refresh=True)

    def _line(self, event: Event) -> None:
        if isinstance(event, HostBenchmarked):
            benchmark = event.benchmark
            self.note(
                f"{benchmark.host}: the fastest network here takes {benchmark.fastest.latency_ms:.3g} ms; {event.epochs} epochs per trial"
            )
        elif isinstance(event, TrialEnded) and event.result.reason != STOPPED:  # reported once, at the end
            self.note(trial_line(self._state, self._state.trials[event.result.trial]))
        elif isinstance(event, ModelAccelerated):
            self.note(accelerated_line(self._state, self._state.trials[event.result.trial]))
        elif isinstance(event, ModelRefitted):
            self.note(refitted_line(event))
        elif isinstance(event, Noted):
            self.note(event.text)
        elif isinstance(event, StudyPaused | StudyResumed):
            self.note(event.reason)
        elif isinstance(event, StudyEnded):
            self.note(f"the search ended: {event.reason}")


def trial_line(state: StudyState, trial: Trial) -> str:
    """A finished trial as a line."""
    latency = latency_text(trial.profile.latency_ms) if trial.profile else "not profiled"
    known = f"{state.settings.metric} {state.score(trial):.4f}, " if trial.status == "complete" else ""
    why = f" ({trial.result.reason.splitlines()[0]})" if trial.result and trial.result.reason else ""
    on = " on the front" if trial in state.front() else ""
    return f"trial {trial.number:3d} {trial.status}: {known}{latency}{on}{why}"


def refitted_line(event: ModelRefitted) -> str:
    """A refitted model as a line."""
    result = event.result
    return f"trial {result.trial:3d} refitted: trained again on {result.learned:,} rows in {result.seconds:.1f} s"


def accelerated_line(state: StudyState, trial: Trial) -> str:
    """An accelerated model as a line."""
    before, after = trial.search_profile, trial.profile
    assert before is not None and after is not None
    metric = state.settings.metric
    return (
        f"model of trial {trial.number}: {trial.variant.name}, {before.latency_ms:.3g} -> {after.latency_ms:.3g} ms, "
        f"{metric} {state.search_value(trial, state.settings.objectives[0]):.4f} -> {state.score(trial):.4f}"
    )


def panel(state: StudyState, now: float, width: int = WIDE) -> Group:
    """The live panel of a search: progress, trials by status, and the front.

    Args:
        state: The study.
        now: Seconds since the epoch.
        width: Columns of the terminal.
    """
    settings = state.settings
    statuses = [trial.status for trial in state.trials.values()]
    counts = {name: statuses.count(name) for name in ("complete", "stopped", "infeasible", "failed", "running")}
    share, left = budget_used(state, state.spent(now)) if state.ended is None else (1.0, state.ended.reason)
    counts_text = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    activity = "" if state.ended or state.paused else startup_step(state, "running", now)
    situation = state.paused.reason.splitlines()[0] if state.paused and not state.ended else left
    head = Text(f"{settings.name}: {counts_text or 'no trials yet'}; {situation}")
    bar = Table.grid()  # a bar alone does not end with a line break
    bar.add_row(ProgressBar(total=1.0, completed=share, width=60))
    if state.ended:  # the caller prints the front, once
        return Group(head, bar)
    return Group(head, bar, front_table(state, width=width), Text(activity or running_trials(state), style="dim"))


def front_table(state: StudyState, *, limit: int | None = ROWS, merged: bool = False, width: int = WIDE) -> Table:
    """The front as a table, with the chosen model marked, and with the models that are merged into it if requested.

    Args:
        state: The study.
        limit: Models at most; None for all.
        merged: Whether to list merged models too.
        width: Columns of the terminal. Below `WIDE` each model has one line, without its runtime, its network cut off.
    """
    narrow = width < WIDE
    test = state.tested.scores if state.tested else {}
    others, models = other_costs(state), state.front(merged=merged)[:limit]
    unit = latency_unit([trial.profile.latency_ms for trial in models if trial.profile])
    costs = [f"latency {unit}", "size kB", *(cost.title.replace(",", "") for cost in others)]
    chosen = state.choose().number if state.front() else None
    bare = narrow and bool(test or others)  # there is no room for intervals
    rows = []
    for trial in models:
        profile = trial.profile
        assert profile is not None and trial.result is not None
        tested = [f"{test[trial.number][state.settings.metric]:.4f}" if trial.number in test else "-"] if test else []
        tested = [with_interval(text, None if bare else tested_interval(state, trial)) for text in tested]
        numbers = [
            f"{trial.number}{' *' if trial.number == chosen else ''}{_into(state, trial)}",
            with_interval(f"{state.score(trial):.4f}", None if bare else score_interval(state, trial)),
            *tested,
            f"{in_unit(profile.latency_ms, unit):.{1 if unit == 'µs' else 4}f}",
            f"{profile.size_bytes / 1e3:.1f}",
            *(cost.show(trial).removesuffix(f" {cost.unit}") for cost in others),
        ]
        rows.append([*numbers, *([] if narrow else [trial.variant.name]), describe(recipe_from_json(trial.result.recipe))])
    names = ["trial", state.settings.metric, *(["test"] if test else []), *costs]
    rooms = [max(len(text) for text in (name, *(row[at] for row in rows))) for at, name in enumerate(names)]
    table = Table(box=None)
    for at, name in enumerate(names):
        table.add_column(name, justify="right" if at else "left", no_wrap=narrow, min_width=rooms[at] if narrow else None)
    if not narrow:
        table.add_column("runs in")
    left = max(LEAST, width - sum(room + GAP for room in rooms) - GAP)
    table.add_column("network", no_wrap=narrow, overflow="ellipsis" if narrow else "fold", max_width=left if narrow else None)
    for row in rows:
        table.add_row(*row)
    return table


def _into(state: StudyState, trial: Trial) -> str:
    """What a model is merged into; empty for one of the front."""
    return f" (as {state.merged[trial.number]})" if trial.number in state.merged else ""

"""The decisions of the search and their reasons: one line per event, latest first."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice

import ipywidgets as w

from lepton_automl.events import (
    STOPPED,
    CommandReceived,
    Event,
    HostBenchmarked,
    HyperparametersRanked,
    ModelAccelerated,
    ModelRefitted,
    ModelRegistered,
    Noted,
    ReferencesScored,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialResumed,
    TrialRetried,
    UserNote,
)
from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.references import is_network_worth_it
from lepton_automl.reporting.terminal import accelerated_line, refitted_line, trial_line
from lepton_automl.state import StudyState

from .protocols import StudySnapshot
from .view import View

LINES = 200  # shown at most
WHY = {
    "first_design": "one of the initial designs, known to work well on other data",
    "sampler": "expected to improve the Pareto front",
    "random": "random sample, to explore the space",
    "enqueued": "added by the user",
    "child": "pruned from a trained network",
    "taught": "a model of the front, trained again with a teacher",
}


class LogView(View):
    """Keeps the latest lines, and shows them when drawn."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._view = w.HTML()
        super().__init__(self._view)

    def take(self, state: StudyState, news: tuple[Event, ...]) -> None:
        """Add the lines of new events, whether the log is visible or not."""
        fresh = islice(filter(None, (_line(state, event) for event in reversed(news))), LINES)  # only the latest
        self._lines.extendleft(reversed(list(fresh)))

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the lines."""
        del snapshot
        rows = "".join(self._lines) or "<tr><td></td><td>nothing yet</td></tr>"
        self._view.value = f'<div class="l-log" tabindex="0" role="log"><table>{rows}</table></div>'


def _line(state: StudyState, event: Event) -> str:
    text = sentence(state, event)
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    return f"<tr><td>{at}</td><td>{html_text(text)}</td></tr>" if text else ""


def sentence(state: StudyState, event: Event) -> str:  # noqa: PLR0912  # one branch per kind of event
    """A sentence about what an event decided and why; empty if it decided nothing."""
    match event:
        case StudyStarted():
            return f"search started: {event.config.data.name}"
        case HostBenchmarked():
            fastest = event.benchmark.fastest.latency_ms
            return f"{event.benchmark.host}: the fastest network here takes {fastest:.3g} ms; {event.epochs} epochs per trial"
        case TrialProposed():
            why = WHY.get(event.origin, event.origin) + (f" of trial {event.parent}" * (event.parent is not None))
            if event.teachers:
                why += f" (taught by trials {', '.join(map(str, event.teachers))})"
            return f"trial {event.trial} proposed: {why}"
        case TrialReported():
            decision = event.decision
            if decision.reason == STOPPED:
                return ""  # reported once, for the whole search
            return (
                f"trial {event.report.trial} stopped at epoch {event.report.epoch}: {decision.reason}" if decision.stop else ""
            )
        case TrialRetried():
            return f"trial {event.trial} resumed after a failure: {event.reason}"
        case TrialResumed():
            return f"trial {event.trial} resumed from epoch {event.epoch}: now more promising than a new trial"
        case TrialEnded():
            return (
                ""
                if event.result.status == "stopped" or event.result.reason == STOPPED
                else trial_line(state, state.trials[event.result.trial])
            )
        case ModelAccelerated():
            return accelerated_line(state, state.trials[event.result.trial])
        case ModelRefitted():
            return refitted_line(event)
        case ReferencesScored():
            return " ".join(is_network_worth_it(state))
        case HyperparametersRanked():
            first = next(iter(event.shares.values()), {})
            most = sorted(first, key=lambda name: -first[name])[:3]
            return f"most important hyperparameters so far: {', '.join(most)}" if most else ""
        case CommandReceived(what="stop"):
            return "stopped by you" if _is_first_stop(state, event) else ""
        case CommandReceived():
            return f"command: {event.what}"
        case StudyPaused() | StudyResumed():
            return event.reason
        case Noted():
            return event.text
        case UserNote():
            return f"note{'' if event.trial is None else f' on trial {event.trial}'}: {event.text}"
        case StudyEnded():
            return f"search ended: {event.reason}" if event.reason != STOPPED else "search ended"
        case TestOpened():
            return "evaluated on the held-out test split"
        case ModelRegistered():
            alias = f" ({event.alias})" * bool(event.alias)
            return f"trial {event.trial} registered as {event.model} version {event.version}{alias}"
    return ""


def _is_first_stop(state: StudyState, event: CommandReceived) -> bool:
    """Whether the previous command was not a stop already; a resumed search may be stopped again."""
    before = [command.what for command in state.commands if command.at < event.at]
    return not before or before[-1] != "stop"

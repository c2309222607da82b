"""The methods: ours, ADWIN, and Kolmogorov-Smirnov tests. Each gives the rows of its alarms on some streams, at a level."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.environments import rival_python, run_module
from lepton_automl.arrays import Array
from lepton_automl.monitoring.monitor import Monitor
from lepton_automl.monitoring.rows import Feedback, Rows

from . import alternatives, kolmogorov
from .channels import channels, values
from .sources import Source
from .streams import FEEDBACK_DELAY, WINDOW, Stream

RIVER = ("river==0.26.1",)
Alarm = tuple[int, str]  # the number of rows after which it is raised, and what it names
Method = Callable[[Source, Sequence[Stream], float], list[list[Alarm]]]


def ours(source: Source, streams: Sequence[Stream], level: float) -> list[list[Alarm]]:
    """The default watchers; the level is the stated false-alarm rate."""
    profile = source.profile()
    return [_watch(Monitor(profile, false_alarms=level), stream) for stream in streams]


def _watch(monitor: Monitor, stream: Stream) -> list[Alarm]:
    found: list[Alarm] = []
    for first in range(0, len(stream), WINDOW):
        part = slice(first, min(first + WINDOW, len(stream)))
        rows = Rows(
            features={name: column[part] for name, column in stream.features.items()},
            answers=stream.answers[part],
            confidence=_part(stream.confidence, part),
        )
        found += [(one.row, f"{one.watcher}: {', '.join(one.features[:1])}") for one in monitor.rows(rows)]
        late = slice(max(part.start - FEEDBACK_DELAY, 0), max(part.stop - FEEDBACK_DELAY, 0))
        feedback = Feedback(truth=stream.truth[late], answers=stream.answers[late], confidence=_part(stream.confidence, late))
        if len(feedback):
            found += [(one.row + FEEDBACK_DELAY, one.watcher) for one in monitor.feedback(feedback)]
    return sorted(found)


def _part(array: Array | None, rows: slice) -> Array | None:
    return None if array is None else array[rows]


def ks(source: Source, streams: Sequence[Stream], level: float) -> list[list[Alarm]]:
    """The smallest p-value of each window, times the number of channels, is at most the level."""
    return [[(row, "") for row in kolmogorov.alarms(source, stream, level)] for stream in streams]


def adwin(source: Source, streams: Sequence[Stream], level: float) -> list[list[Alarm]]:
    """ADWIN on each channel in units of its standard deviation; delta is the level over the number of channels."""
    python = rival_python("river", RIVER, extends=True)
    known = channels(source)
    late = np.array([channel.late for channel in known])
    middle = np.array([np.nanmean(channel.reference) for channel in known])[:, None]
    scale = np.array([np.nanstd(channel.reference) or 1.0 for channel in known])[:, None]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{place:04}.npz" for place in range(len(streams))]
        for file, stream in zip(files, streams, strict=True):
            scaled = (np.stack(values(source, stream)) - middle) / scale
            np.savez(file, delta=level, late=late, values=scaled)
        run_module(python, "benchmarks.drift_streams.adwin", [folder], threads=1)
        return [[(row, "") for row in json.loads(file.with_suffix(".json").read_text())] for file in files]


METHODS: dict[str, Method] = {"ours": ours, "adwin": adwin, "ks": ks}
ALTERNATIVES: dict[str, Method] = {"conformal": alternatives.conformal, "spending": alternatives.spending}

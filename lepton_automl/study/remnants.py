"""What a study's folder reveals without its journal: the configuration, and the origin of each bundle."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton_automl.deployment.bundle import CARD, PROVENANCE, RECIPE
from lepton_automl.deployment.open_artifact import RUNTIME
from lepton_automl.errors import LeptonError
from lepton_automl.events import Event, HostBenchmarked, ModelAccelerated, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.jobs import AccelerationResult, HostBenchmark, TrialResult
from lepton_automl.journal import Line, encoded
from lepton_automl.journal_format import converted_config
from lepton_automl.profile import Measurement, Profile
from lepton_automl.study_store import BUNDLE, trials_in
from lepton_automl.task import all_metrics
from lepton_automl.variant import Variant

from .launch import requested_config

EPOCH = 1.0  # seconds assumed for an epoch, if nothing is known
_SCORE = re.compile(r"^\| (\w+) \| (\S+) \|$", re.MULTILINE)
_LATENCY = re.compile(r"latency: (\S+) ms \(95 % interval (\S+) to (\S+)\)")
_WALL = re.compile(r"wall clock: p50 (\S+) ms, p95 (\S+) ms")
_SIZE = re.compile(r"size: ([\d,]+) bytes; weights: ([\d,]+)")
_HOST = re.compile(r"^- host: (.*)$", re.MULTILINE)


def head(study: Path, events: list[Event]) -> list[Line]:
    """The first events of a study that its journal and the copies lack: from its configuration, and from the trials.

    Args:
        study: The study's folder.
        events: All known events, in any order.
    """
    missing: list[Event] = []
    benchmarked = next((event for event in events if isinstance(event, HostBenchmarked)), None)
    if benchmarked is None and (results := [event.result for event in events if isinstance(event, TrialEnded)]):
        benchmarked = _estimated_benchmark(results, min(event.at for event in events))
        missing += [benchmarked] if benchmarked else []
    config = None if any(isinstance(event, StudyStarted) for event in events) else requested_config(study)
    if config is not None:
        if benchmarked:  # the configuration is older than the benchmark
            config = config.replace(train=config.train.replace(epochs=benchmarked.epochs))
        missing.insert(0, StudyStarted(at=min((event.at for event in events), default=0.0), config=config))
    return [_line(event, study) for event in missing]


def _estimated_benchmark(results: list[TrialResult], at: float) -> HostBenchmarked | None:
    """The benchmark of the machine, estimated from its trials."""
    profiles = [result.profile for result in results if result.profile and result.profile.latency.ratio]
    if not profiles:
        return None
    fastest = min(profiles, key=lambda profile: profile.latency_ms)
    reference = fastest.latency.median / (fastest.latency.ratio or 1.0)
    plain = _measurement(reference, reference, reference, fastest.latency.host)
    epochs = [result.seconds / result.epochs for result in results if result.epochs]
    benchmark = HostBenchmark(
        host=fastest.latency.host, reference=plain, fastest=fastest, epoch_seconds=sorted(epochs)[len(epochs) // 2] if epochs else EPOCH
    )  # fmt: skip
    return HostBenchmarked(at=at, benchmark=benchmark, epochs=max((result.epochs for result in results), default=1))


def remnants(study: Path, events: list[Event]) -> list[Line]:
    """Events, from their bundles, of trials that are not known to have a model.

    Args:
        study: The study's folder.
        events: All known events, in any order.
    """
    proposed = {event.trial: event.uid for event in events if isinstance(event, TrialProposed)}
    packed = {event.result.trial for event in events if isinstance(event, TrialEnded) and event.result.scores}
    lines: list[Line] = []
    for folder in trials_in(study):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, LeptonError):
            lines += [_line(event, study) for event in _of_bundle(folder / BUNDLE, proposed, packed)]
    return lines


def _of_bundle(bundle: Path, proposed: dict[int, str], packed: set[int]) -> Iterator[Event]:
    """A trial's events, from its bundle."""
    origin: dict[str, Any] = json.loads((bundle / PROVENANCE).read_text(encoding="utf-8"))
    number, uid, config = int(origin["trial"]), str(origin["uid"]), converted_config(origin["config"])
    if number in packed or proposed.get(number, uid) != uid:
        return
    recipe = json.loads((bundle / RECIPE).read_text(encoding="utf-8"))
    card = (bundle / CARD).read_text(encoding="utf-8")
    metrics = all_metrics()
    scores = {name: float(value) for name, value in _SCORE.findall(card) if name in metrics}
    at, profile = (bundle / PROVENANCE).stat().st_mtime, _profile(card)
    if number not in proposed:
        yield TrialProposed(at=at, trial=number, uid=uid, config=config, recipe=recipe, origin="repaired")
    yield TrialEnded(
        at=at,
        result=TrialResult(
            trial=number, status="complete", scores=scores, profile=profile, recipe=recipe, folder=str(bundle), epochs=0
        ),
    )
    variant = Variant.from_json(json.loads((bundle / RUNTIME).read_text(encoding="utf-8")))
    if variant != Variant():
        yield ModelAccelerated(
            at=at, result=AccelerationResult(trial=number, variant=variant, scores=scores, profile=profile, tried=())
        )


def _profile(card: str) -> Profile:
    """The costs of a model, as its card states them."""
    latency, wall, size, host = (pattern.search(card) for pattern in (_LATENCY, _WALL, _SIZE, _HOST))
    if latency is None or wall is None or size is None:
        raise ValueError("the card does not hold the model's costs")
    machine = host[1] if host else ""
    median, p95 = float(wall[1]), float(wall[2])
    return Profile(
        latency=_measurement(float(latency[1]), float(latency[2]), float(latency[3]), machine),
        wall=_measurement(median, median, p95, machine),
        size_bytes=int(size[1].replace(",", "")),
        parameters=int(size[2].replace(",", "")),
    )


def _measurement(median: float, low: float, high: float, host: str) -> Measurement:
    warnings = ("taken from the model's card, when the journal was repaired",)
    return Measurement(
        name="latency",
        unit="ms",
        median=median,
        low=low,
        high=high,
        p5=low,
        p95=high,
        n=0,
        clock="",
        host=host,
        warnings=warnings,
    )


def _line(event: Event, study: Path) -> Line:
    return Line(0, event, "", 0, encoded(event, 0, study)[:-1])

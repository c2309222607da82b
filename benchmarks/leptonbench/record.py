"""`python -m benchmarks.leptonbench.record --table NAME --raw FOLDER --work FOLDER --minutes M` records rows.

Any number of processes may record one table; a killed process loses its current row. `compact` writes the Parquet file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from lepton_automl import families
from lepton_automl.data.open import open_data
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob, TrialResult
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.measuring.host import describe_host
from lepton_automl.measuring.latency import baseline_latency, measure
from lepton_automl.pipelines import cost
from lepton_automl.pipelines.cost import reference
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import PrunePlan
from lepton_automl.profile import Measurement
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec

from . import rows
from .ledger import Ledger, Line
from .sources import SOURCES, Source

SHORT = 0.1  # seconds of a timing whose result is not recorded
# The step at which an epoch's time is estimated, the first steps that are not counted, the factor over the limit to abandon at.
ESTIMATE_STEP, WARM, HOPELESS = 8, 2, 3.0
SECOND = 2  # the second epoch, as the first includes building the network
CHILDREN_OF_OTHERS = 0.25  # share of the rows far from the front that get a child


class Recorder:
    """Trains and measures rows of one table, one after another.

    Args:
            name: The table's name.
            raw: The folder of its raw data.
            work: The folder for ledgers, prepared data and temporary bundles.
            longest: Maximum CPU seconds of a fresh training; a longer one is abandoned after its first epochs.
    """

    def __init__(self, name: str, raw: Path, work: Path, longest: float = math.inf) -> None:
        self.longest = longest
        self.source: Source = SOURCES[name]
        work.mkdir(parents=True, exist_ok=True)
        with pausing_for_measurements(str(work / "setup")) as measurement_lock, measurement_lock.held():
            self.spec: DataSpec = self.source.prepared(raw, work / "data" / name)
            self.reference_ms = self._reference(work / "reference.json")
        open_data(self.spec)
        self.ledger = Ledger(work / f"{name}.jsonl")

    def _reference(self, path: Path) -> float:
        """The reference network's time on this host when quiet, the unit of every latency."""
        known: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
        host = describe_host()
        if host not in known:
            known[host] = baseline_latency(reference(1), threads=1).median
            path.write_text(json.dumps(known))
        return known[host]

    def record(self, numbers: list[int]) -> None:
        """Record the first free row of these numbers, and its children."""
        with self.ledger.claimed(numbers) as number, tempfile.TemporaryDirectory() as folder:
            before = self.ledger.lines()
            settings = rows.config(number, self.spec, before, self.source.metric)
            lines = [self.record_row(number, 0, settings, Path(folder))]
            if not lines[0]["failure"]:
                near = rows.near(lines[0], before, self.source.metric)
                if near or random.Random(number).random() < CHILDREN_OF_OTHERS:
                    for k, child in enumerate(rows.children(number, settings, self.spec, many=near), 1):
                        lines.append(self.record_row(number, k, child, Path(folder)))
            self.ledger.add(lines)

    def record_row(self, number: int, k: int, settings: Config, folder: Path, *, prune: PrunePlan = rows.LEAN) -> Line:
        """Train, pack and measure one row; a failure is recorded with its reason. With k above 0 it is a child of the row with k = 0."""
        epochs = self.source.child_epochs if k else self.source.epochs
        plan = families.usual_plan(self.spec).replace(epochs=epochs, seed=rows.TEN * number + k)
        job = TrialJob(
            trial=number,
            uid=f"{number}.{k}",
            config=settings,
            data=self.spec,
            deployment=self.source.deployment,
            train=plan,
            prune=prune,
            metric=self.source.metric,
            folder=str(folder / str(k)),
            measurement_lock="",  # each latency is a ratio of CPU times, and a held lock would pause all other processes for half the time
            reference_ms=self.reference_ms,
            parent=str(folder / "0" / "bundle") if k else None,
        )
        trial_log = _TrialLog(math.inf if k else self.longest / epochs, self.spec.train // plan.batch_size)
        result = _run_trial(job, trial_log)
        return {
            "number": number,
            "k": k,
            "config": settings,
            "recipe": families.final_recipe(settings, self.spec, prune).to_json(),
            "epochs": epochs,
            "score": trial_log.curve(self.source.metric, epochs),
            "second_score": trial_log.curve(self.source.second, epochs),
            "final_score": result.scores.get(self.source.metric),
            "final_second_score": result.scores.get(self.source.second),
            "epoch_seconds": trial_log.epoch_seconds(self.source.metric),
            "weighing_seconds": trial_log.weighing_seconds(),
            "packing_seconds": trial_log.packing_seconds(),
            **_costs(result if result.profile else None, trial_log),
            "failure": result.reason if result.status != "complete" else "",
            "host": describe_host(),
            "torch": torch.__version__,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


class TooLong(Exception):  # noqa: N818  # not an error: it ends a training that is left out
    """A training would take too long."""


class _TrialLog:
    """A trial's reports, with the CPU time of each.

    A trial times its network twice, and neither trains nor lets others train meanwhile. The recorded latency is that of
    the exported artifact, so the first timing is shortened; `weighing_seconds` counts it as long as the second.
    """

    def __init__(self, longest: float, steps: int) -> None:
        self.longest = longest  # maximum CPU seconds of an epoch
        self.steps, self.step_times = steps, list[float]()  # steps per epoch, CPU time at the start of each step
        self.epoch_estimate: float | None = None  # CPU seconds of an epoch, estimated from its first steps
        self.reports: list[Report] = []
        self.timings: list[float] = []  # CPU seconds of each timing
        self.times = [time.process_time()]

    @contextlib.contextmanager
    def patched_timing(self) -> Iterator[None]:
        """Patch the timing of trials in this context as described above."""

        def timed(*args: Any, **kwargs: Any) -> tuple[Measurement, Measurement]:
            began = time.process_time()
            try:
                return measure(*args, **kwargs | ({} if self.timings else {"seconds": SHORT}))
            finally:
                self.timings.append(time.process_time() - began)

        with mock.patch.object(cost, "measure", timed), mock.patch.object(MeasurementLock, "wait", self.step):
            yield

    def step(self) -> None:
        """Called before every training step, so that a training that is far too slow can end within its first epoch."""
        self.step_times.append(time.process_time())
        if len(self.step_times) == ESTIMATE_STEP:
            self.epoch_estimate = (self.step_times[-1] - self.step_times[WARM]) / (ESTIMATE_STEP - 1 - WARM) * self.steps
            if self.epoch_estimate > HOPELESS * self.longest:
                raise TooLong(f"left out: an epoch takes about {self.epoch_estimate:.1f} s")

    def __call__(self, report: Report) -> Decision:
        self.reports.append(report)
        self.times.append(time.process_time())
        took = self.times[-1] - self.times[-2]
        if report.epoch == SECOND and took > self.longest:
            return Decision(stop=True, reason=f"left out: an epoch takes {took:.1f} s")
        return CONTINUE

    def curve(self, score: str, epochs: int) -> list[float | None]:
        """The score after each epoch; None if there is none."""
        scores = {report.epoch: report.scores.get(score) for report in self.reports}
        return [scores.get(epoch) for epoch in range(1, epochs + 1)]

    def epoch_seconds(self, score: str) -> float | None:
        """Median CPU seconds of an epoch of the final shape, including scoring; the first one is not counted."""
        spent = [
            self.times[n + 1] - self.times[n]
            for n, (last, report) in enumerate(zip(self.reports, self.reports[1:], strict=False), 1)
            if score in report.scores and score in last.scores
        ]
        if not spent and len(self.reports) > SECOND:
            return self.times[SECOND + 1] - self.times[SECOND]  # the training was left out
        return sorted(spent)[len(spent) // 2] if spent else self.epoch_estimate

    def weighing_seconds(self) -> float | None:
        """CPU seconds from the trial's start until its cost is measured; None if there was no second timing."""
        return self.times[1] - self.times[0] - self.timings[0] + self.timings[1] if len(self.timings) > 1 else None

    def packing_seconds(self) -> float:
        """CPU seconds from the last epoch to the end."""
        return time.process_time() - self.times[-1]


def _costs(result: TrialResult | None, trial_log: _TrialLog) -> Line:
    """The costs of the exported artifact, or of the untrained network if there is no artifact."""
    profile = result.profile if result else trial_log.reports[0].profile if trial_log.reports else None
    if profile is None:
        return dict.fromkeys(("latency_ms", "latency_low", "latency_high", "busy", "size_bytes", "parameters"))
    latency = profile.latency
    return {
        "latency_ms": latency.median,
        "latency_low": latency.low,
        "latency_high": latency.high,
        "busy": latency.busy,
        "size_bytes": profile.size_bytes,
        "parameters": profile.parameters,
    }


def _run_trial(job: TrialJob, trial_log: _TrialLog) -> TrialResult:
    """Run a trial as a worker does: a candidate's failure is its result."""
    try:
        with trial_log.patched_timing():
            return run_trial(job, trial_log)
    except TooLong as left_out:
        return TrialResult(trial=job.trial, status="stopped", reason=str(left_out))
    except Exception as error:
        return TrialResult(trial=job.trial, status="failed", reason=f"{type(error).__name__}: {error}")


def main() -> None:
    """Record until the time is up or there are enough rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=sorted(SOURCES), required=True)
    parser.add_argument("--raw", type=Path, required=True, help="the folder of the raw data")
    parser.add_argument("--work", type=Path, required=True, help="the folder for ledgers and prepared data")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--longest", type=float, default=math.inf, help="skip trainings that take more CPU seconds")
    parser.add_argument("--fresh", type=int, default=10**6, help="stop when this many fresh rows are recorded")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    until = time.monotonic() + 60 * arguments.minutes
    recorder = Recorder(arguments.table, arguments.raw, arguments.work, arguments.longest)
    designs = len(families.initial_designs(recorder.spec))
    while time.monotonic() < until:
        done = {line["number"] for line in recorder.ledger.lines()}
        if len(done) >= arguments.fresh:
            break
        began = time.monotonic()
        ahead = (number for number in rows.numbers(designs) if number not in done)
        with contextlib.closing(ahead):
            recorder.record([next(ahead) for _ in range(64)])
        print(f"{arguments.table}: {len(done) + 1} rows, {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()

"""One trial: profile, train, prune, fine-tune and pack a candidate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lepton_automl import families
from lepton_automl.data.open import Data, joined_weights
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob, TrialResult
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.models.deployable import deployable
from lepton_automl.training.scores import in_target_unit, scores
from lepton_automl.training.snapshot import Snapshot, initial_snapshot
from lepton_automl.training.stopped import TrainingStopped

from .adapter import FitRequest, Network
from .checkpoint import Checkpoint, CheckpointWriter, Stopwatch
from .cost import CostProfiler
from .custom import adapter_for
from .held_out import save_held_out
from .pack import pack
from .teaching import with_teacher
from .worker_cache import cached_data

if TYPE_CHECKING:
    from lepton_automl.data.datamodule import DataModule

FIRST_PROFILE_SECONDS = 0.3  # of the first profiling, while other workers wait; finished models are profiled again

ReportFn = Callable[[Report], Decision]
HeartbeatFn = Callable[[], Decision]


def run_trial(job: TrialJob, report: ReportFn, heartbeat: HeartbeatFn = lambda: CONTINUE) -> TrialResult:
    """Run one trial: profile, train, prune, fine-tune, pack, profile again.

    A trial whose folder has its checkpoint continues from there and repeats no report.

    Args:
        job: Everything about the trial.
        report: Called after every epoch; its decision may end the trial.
        heartbeat: Called at every step, to show that the worker is alive; its decision may end the trial in the middle of an
            epoch, with the best weights so far.

    Returns:
        How the trial ended. Failures of the candidate (divergence, export) are raised.
    """
    with pausing_for_measurements(job.measurement_lock) as measurement_lock:
        run = TrialRun(job, report, measurement_lock, heartbeat)
        try:
            return _run_steps(run, measurement_lock)
        except TrainingStopped as end:  # before or between trainings: there is nothing to pack
            return run.end(status="stopped" if end.decision.packs else end.decision.status)


def _run_steps(run: TrialRun, measurement_lock: MeasurementLock) -> TrialResult:
    """Run the steps of a trial; a decision may end it after each."""
    job, lean = run.job, run.adapter.lean
    data = with_teacher(cached_data(job.data), job.teacher, run.wait)
    profiler = CostProfiler(data, job.deployment, measurement_lock, job.reference_ms, job.costs)
    if not run.resumed:
        profile = profiler.profile(run.adapter.build(lean), FIRST_PROFILE_SECONDS)
        if run.send_report(Report(trial=job.trial, epoch=0, profile=profile, waits=True)).stop:
            return run.end()
    cross_validated = run.cross_validate(data) if job.data.folds else {}
    if run.decision.ends_trial:
        return run.end()
    rows = data.whole() if job.data.folds else data
    model = run.train(rows, report_scores=not job.data.folds)
    if run.decision.ends_trial:
        return run.end()
    if run.answers:
        save_held_out(Path(job.folder), [answers for answers, _ in run.answers])
    packed = pack(model, rows, job, profiler, cross_validated)
    return run.end(
        status="complete",
        scores=packed.scores,
        profile=packed.profile,
        folder=str(packed.folder),
        resampled=packed.resampled,
    )


class TrialRun:
    """A trial in progress: its plans, its progress and the last decision."""

    def __init__(self, job: TrialJob, report: ReportFn, measurement_lock: MeasurementLock, heartbeat: HeartbeatFn) -> None:
        self.job, self.report, self.measurement_lock, self.heartbeat = job, report, measurement_lock, heartbeat
        self.adapter = adapter_for(job.config, job)
        self.prune_plan = families.prune_plan_of(job.config, job.prune)
        self.decision = CONTINUE
        self._trained: dict[str, float] = {}  # scores of the last epoch
        self._checkpoints = CheckpointWriter(job)
        self._resume(self._checkpoints.read() or Checkpoint())

    def _resume(self, checkpoint: Checkpoint) -> None:
        """Restore a checkpoint; an empty one starts from the beginning."""
        info = checkpoint.info
        self.resumed = bool(info)
        self.epochs, self.fold = info.get("epochs", 0), info.get("fold", 0)
        self.scores: dict[str, float] = info.get("found", {})
        self.answers = [
            (torch.from_numpy(checkpoint.arrays.pop(f"answers.{n}")), torch.from_numpy(checkpoint.arrays.pop(f"truth.{n}")))
            for n in range(self.fold)
        ]
        at = info.get("epoch")
        self._start = None if at is None else Snapshot(epoch=at, arrays=checkpoint.arrays, state=info["fit"])
        self._stopwatch = Stopwatch(info.get("seconds", 0.0), info.get("cpu_seconds", 0.0))

    def keep(self, fit: Snapshot | None = None) -> None:
        """Write a checkpoint: the finished folds and the state of the current fit."""
        info = {"epochs": self.epochs, "fold": self.fold, "found": self.scores, **self._stopwatch.read()}
        arrays = {f"answers.{n}": answers.numpy() for n, (answers, _) in enumerate(self.answers)}
        arrays |= {f"truth.{n}": truth.numpy() for n, (_, truth) in enumerate(self.answers)}
        if fit is not None:
            info |= {"epoch": fit.epoch, "fit": fit.state}
            arrays |= fit.arrays
        self._checkpoints.write(Checkpoint(arrays=arrays, info=info))

    def send_report(self, report: Report) -> Decision:
        """Send a report and store the decision."""
        timed = report.replace(seconds=self._stopwatch.read()["seconds"])
        with self.measurement_lock.idle() if report.waits else contextlib.nullcontext():
            self.decision = self.report(timed)
        return self.decision

    def end(self, **fields: object) -> TrialResult:
        """The trial's result; its status and reason are those of the last decision unless given in `fields`."""
        result = TrialResult(
            trial=self.job.trial,
            status=self.decision.status,
            reason=self.decision.reason,
            recipe=self.adapter.lean.to_json(),
            epochs=self.epochs,
        )
        return result.replace(**{**self._stopwatch.read(), **fields})

    def train(self, data: Data, *, report_scores: bool, in_fold: bool = False, last: int | None = None) -> Network:
        """Train a network and prune it to the final recipe.

        No score is computed before pruning: channels that will be removed must not count. A network that its family solves
        has no epochs.

        Args:
            data: The training data.
            report_scores: Whether validation scores are reported; not for folds and refits.
            in_fold: Whether this is a fold; its last epoch is reported later, with the scores of the fold.
            last: The epoch of the plan to end at, for a refit; None for its end.
        """
        adapter, first = self.adapter, 0
        epochs = adapter.plan.epochs if last is None else last
        if not self.job.parent and (solved := adapter.solve(data, self.wait)) is not None:
            return solved
        start, self._start = self._start, None
        if start is not None:  # checkpoints have the final recipe, as there is no rung before pruning
            model = adapter.build(adapter.lean)
            rest = adapter.batches(data, model)
            self._fit(model, rest, start.epoch, epochs, report_scores=report_scores, in_fold=in_fold, start=start)
            return model
        model = self._inherit(data) if self.job.parent else adapter.start(data, self.wait)
        batches = adapter.batches(data, model)
        if adapter.lean != model.recipe:
            first = self.prune_plan.cut_epoch(adapter.plan.epochs)
            self._fit(model, batches, 0, first, report_scores=False, in_fold=in_fold)
            if self.decision.stop:
                return model
            model = adapter.shrink(model, data)
            if adapter.supports_checkpoints:
                self.keep(initial_snapshot(model, first))
        self._fit(model, batches, first, epochs, report_scores=report_scores, in_fold=in_fold)
        return model

    def _fit(
        self,
        model: Network,
        batches: DataModule,
        first: int,
        last: int,
        *,
        report_scores: bool,
        in_fold: bool = False,
        start: Snapshot | None = None,
    ) -> None:
        def on_epoch(epoch: int, epoch_scores: dict[str, float]) -> Decision:
            self.epochs += 1  # over all folds
            self._trained = epoch_scores
            if in_fold and epoch == self.adapter.plan.epochs:
                return self.decision  # reported after the fold is scored, only once
            waits = report_scores and self.epochs in self.job.rungs
            return self.send_report(Report(trial=self.job.trial, epoch=self.epochs, scores=epoch_scores, waits=waits))

        def keep(take: Callable[[], Snapshot]) -> None:
            # A finished training is packed next: if that is interrupted, its last rung is trained and decided on again.
            if report_scores and self.epochs in self.job.rungs and not self.decision.packs:
                self.keep(take())

        request = FitRequest(
            first=first, last=last, on_epoch=on_epoch, wait=self.wait, score=report_scores, start=start, keep=keep
        )
        self.adapter.train(model, batches, request)

    def wait(self) -> None:
        """Show that the worker is alive, and pause while something is measured.

        Raises:
            TrainingStopped: A decision to stop has arrived.
        """
        decision = self.heartbeat()
        if decision.stop:
            trained = self.epochs > 0  # else there is nothing to pack
            self.decision = decision if trained or decision.ends_trial else decision.replace(status="stopped")
            raise TrainingStopped(self.decision)
        self.measurement_lock.wait()

    def _inherit(self, data: Data) -> Network:
        """The parent pruned to the final recipe: a child inherits its weights and is only fine-tuned."""
        parent = self.adapter.load(Path(str(self.job.parent)))
        return parent if parent.recipe == self.adapter.lean else self.adapter.shrink(parent, data)

    def cross_validate(self, data: Data) -> dict[str, float]:
        """Out-of-fold scores over all folds."""
        for number in range(self.fold, self.job.data.folds):
            fold = data.fold(number)
            model = self.train(fold, report_scores=False, in_fold=True)
            if self.decision.stop:
                break
            answers = _answers(deployable(model, self.job.data), fold.validation.inputs)
            self.answers.append((answers, in_target_unit(fold.validation.targets, self.job.data)))
            self.scores = scores(
                torch.cat([a for a, _ in self.answers]),
                torch.cat([t for _, t in self.answers]),
                self.job.data,
                weights=joined_weights([data.fold(done).validation for done in range(number + 1)]),
            )
            waits = self.epochs in self.job.rungs
            self.send_report(Report(trial=self.job.trial, epoch=self.epochs, scores=self._trained | self.scores, waits=waits))
            self.fold = number + 1
            self.keep()  # also of a stopped trial: it may be resumed
            if self.decision.stop:
                break
        return self.scores


def _answers(model: Network, inputs: dict[str, Tensor]) -> Tensor:
    model.eval()
    with torch.inference_mode():
        answers: Tensor = model(**inputs)
    return answers

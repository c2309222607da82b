"""The corridor: one candidate through the whole house."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from lepton_automl import families
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data
from lepton_automl.gate import Gate
from lepton_automl.models.deployable import deployable
from lepton_automl.training.scores import own_unit, scores
from lepton_automl.values import GO_ON, Decision, Report, TrialJob, TrialResult

from .craft import Lesson, Network
from .opened import opened_data, opened_gate
from .own import craft_of
from .pack import pack
from .weigh import Scale

ReportFn = Callable[[Report], Decision]


def run_trial(job: TrialJob, report: ReportFn) -> TrialResult:
    """Walk one candidate through the house: weigh, teach, cut, teach on, pack, weigh again.

    Args:
        job: Everything about the trial.
        report: Told after every epoch how it goes; its answer may end the trial.

    Returns:
        How it ended. What goes wrong with a candidate (it diverged, it cannot be exported) is raised.
    """
    with opened_gate(job.gate) as gate:
        walk = _Walk(job, report, gate)
        data = opened_data(job.data)
        scale = Scale(data, job.target, gate, job.reference_ms)
        if walk.says(Report(trial=job.trial, epoch=0, profile=scale.weigh(walk.craft.build(walk.craft.lean)), waits=True)).stop:
            return walk.end()
        found = walk.cross_validate(data) if job.data.folds else {}
        if walk.decision.stop:
            return walk.end()
        rows = data.whole() if job.data.folds else data
        model = walk.teach(rows, watched=not job.data.folds)
        if walk.decision.stop:
            return walk.end()
        packed = pack(model, rows, job, scale, found)
        return walk.end(status="complete", scores=packed.scores, profile=packed.profile, folder=str(packed.folder))


class _Walk:
    """One candidate on its way: its plans, how far it has come, and what the search said last."""

    def __init__(self, job: TrialJob, report: ReportFn, gate: Gate) -> None:
        self.job, self.report, self.gate = job, report, gate
        self.craft = craft_of(job.config, job)
        self.cut = families.lean_of(job.config, job.lean)
        self.epochs = 0
        self.decision = GO_ON
        self._began = time.monotonic(), time.process_time()

    def says(self, report: Report) -> Decision:
        """Report, and remember the answer."""
        self.decision = self.report(report.replace(seconds=time.monotonic() - self._began[0]))
        return self.decision

    def end(self, **known: object) -> TrialResult:
        """How the trial ended: as the last decision said, unless more is known."""
        result = TrialResult(
            trial=self.job.trial,
            status=self.decision.status,
            reason=self.decision.reason,
            recipe=self.craft.lean.to_json(),
            epochs=self.epochs,
            seconds=time.monotonic() - self._began[0],
            cpu_seconds=time.process_time() - self._began[1],
        )
        return result.replace(**known)

    def teach(self, data: Data, *, watched: bool) -> Network:
        """A trained network of the final shape.

        Before the cut no score is taken: a candidate may not shine with channels that it will lose.

        Args:
            data: What to learn from.
            watched: Whether validation scores are reported; a fold or a refit is trained unseen.
        """
        craft, epochs, first = self.craft, self.craft.plan.epochs, 0
        model = self._inherit(data) if self.job.parent else craft.build(craft.whole)
        batches = craft.batches(data, model)
        if craft.lean != model.recipe:
            first = self.cut.cut_epoch(epochs)
            self._fit(model, batches, 0, first, watched=False)
            if self.decision.stop:
                return model
            model = craft.shrink(model, data)
        self._fit(model, batches, first, epochs, watched=watched)
        return model

    def _fit(self, model: Network, batches: DataModule, first: int, last: int, *, watched: bool) -> None:
        def on_epoch(epoch: int, found: dict[str, float]) -> Decision:
            del epoch  # counted over all folds here
            self.epochs += 1
            waits = watched and self.epochs in self.job.rungs
            return self.says(Report(trial=self.job.trial, epoch=self.epochs, scores=found, waits=waits))

        lesson = Lesson(first=first, last=last, on_epoch=on_epoch, wait=self.gate.wait, score=watched)
        self.craft.teach(model, batches, lesson)

    def _inherit(self, data: Data) -> Network:
        """The parent, cut to the final shape: a child starts with what its parent has learnt, and only recovers."""
        parent = self.craft.load(Path(str(self.job.parent)) / "bundle")
        return parent if parent.recipe == self.craft.lean else self.craft.shrink(parent, data)

    def cross_validate(self, data: Data) -> dict[str, float]:
        """Scores on rows that the answering network has not seen, over all folds."""
        told: list[Tensor] = []
        truth: list[Tensor] = []
        found: dict[str, float] = {}
        for number in range(self.job.data.folds):
            fold = data.fold(number)
            model = self.teach(fold, watched=False)
            if self.decision.stop:
                break
            told.append(_answers(deployable(model, self.job.data), fold.validation.inputs))
            truth.append(own_unit(fold.validation.targets, self.job.data))
            found = scores(torch.cat(told), torch.cat(truth), self.job.data)
            waits = self.epochs in self.job.rungs
            if self.says(Report(trial=self.job.trial, epoch=self.epochs, scores=found, waits=waits)).stop:
                break
        return found


def _answers(model: Network, inputs: dict[str, Tensor]) -> Tensor:
    model.eval()
    with torch.inference_mode():
        answers: Tensor = model(**inputs)
    return answers

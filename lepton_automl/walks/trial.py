"""The corridor: one candidate through the whole house."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from lepton_automl import families
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data, open_data
from lepton_automl.gate import Gate
from lepton_automl.models.build import LeptonNet, build
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load
from lepton_automl.training.fit import fit
from lepton_automl.training.scores import own_unit, scores
from lepton_automl.values import GO_ON, DataSpec, Decision, Report, TrialJob, TrialResult

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
        if walk.says(Report(trial=job.trial, epoch=0, profile=scale.weigh(walk.lean), waits=True)).stop:
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


@functools.lru_cache(maxsize=1)
def opened_data(spec: DataSpec) -> Data:
    """A study's data, kept open between a worker's trials."""
    return open_data(spec)


@contextmanager
def opened_gate(path: str) -> Iterator[Gate]:
    """A gate for as long as a walk takes."""
    gate = Gate(path)
    try:
        yield gate
    finally:
        gate.close()


class _Walk:
    """One candidate on its way: its plans, how far it has come, and what the search said last."""

    def __init__(self, job: TrialJob, report: ReportFn, gate: Gate) -> None:
        self.job, self.report, self.gate = job, report, gate
        self.plan = families.plan_of(job.config, job.train)
        self.cut = families.lean_of(job.config, job.lean)
        self.recipe = families.draw(families.room(job.config, "model"), job.data)
        self.lean = families.final_recipe(job.config, job.data, job.lean)
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
            recipe=self.lean.to_json(),
            epochs=self.epochs,
            seconds=time.monotonic() - self._began[0],
            cpu_seconds=time.process_time() - self._began[1],
        )
        return result.replace(**known)

    def teach(self, data: Data, *, watched: bool) -> LeptonNet:
        """A trained network of the final shape.

        Before the cut no score is taken: a candidate may not shine with channels that it will lose.

        Args:
            data: What to learn from.
            watched: Whether validation scores are reported; a fold or a refit is trained unseen.
        """
        module = DataModule(data, self.plan)
        model = self._inherit(data) if self.job.parent else build(self.recipe, seed=self.plan.seed)
        first = 0
        if self.lean != model.recipe:
            first = self.cut.cut_epoch(self.plan.epochs)
            self._fit(model, module, 0, first, watched=False)
            if self.decision.stop:
                return model
            model = self._shrink(model, data)
        self._fit(model, module, first, self.plan.epochs, watched=watched)
        return model

    def _fit(self, model: LeptonNet, module: DataModule, first: int, last: int, *, watched: bool) -> None:
        def on_epoch(epoch: int, found: dict[str, float]) -> Decision:
            del epoch  # counted over all folds here
            self.epochs += 1
            waits = watched and self.epochs in self.job.rungs
            return self.says(Report(trial=self.job.trial, epoch=self.epochs, scores=found, waits=waits))

        fit(
            model,
            module,
            self.plan,
            spec=self.job.data,
            first_epoch=first,
            last_epoch=last,
            on_epoch=on_epoch,
            wait=self.gate.wait,
            score=watched,
        )

    def _inherit(self, data: Data) -> LeptonNet:
        """The parent, cut to the final shape: a child starts with what its parent has learnt, and only recovers."""
        return self._shrink(load(Path(str(self.job.parent)) / "bundle"), data)

    def _shrink(self, model: LeptonNet, data: Data) -> LeptonNet:
        """The same network with fewer channels; again a LeptonNet, built from its recipe."""
        sample = {name: rows[:256] for name, rows in data.train.inputs.items()}
        smaller = build(self.lean, seed=self.plan.seed)
        smaller.load_state_dict(shrink(model, self.lean, sample).state_dict())
        return smaller

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


def _answers(model: LeptonNet, inputs: dict[str, Tensor]) -> Tensor:
    model.eval()
    with torch.inference_mode():
        answers: Tensor = model(**inputs)
    return answers

"""After the search: the best networks are averaged, the front is accelerated, the chosen model is refitted and analyzed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lepton_automl.ensembling import EnsembleResult
from lepton_automl.error_analysis import AnalysisSplit, ErrorAnalysis, ErrorAnalysisJob
from lepton_automl.errors import LeptonError, StudyError
from lepton_automl.events import Event, ModelAccelerated, ModelRefitted, Noted
from lepton_automl.execution.executor import BackgroundExecutor, Executor, RequestFailed
from lepton_automl.jobs import AccelerateJob, AccelerationResult, TrialJob
from lepton_automl.modality import PerturbableModality, modality_of
from lepton_automl.permutation_importance import ImportanceSplit, PermutationImportance, PermutationImportanceJob
from lepton_automl.refit import RefitResult, RetrainResult
from lepton_automl.state import StudyState
from lepton_automl.study_store import BUNDLE
from lepton_automl.trial import Trial

from .ensemble_plan import candidates, ensemble_events, ensemble_job, ensemble_seconds
from .refit_plan import (
    finish_room,
    fitting,
    members_of,
    refit_job,
    refit_obstacle,
    refit_room,
    refit_seconds,
    retrain_job,
)
from .result_cache import save_result

GUESS = 3.0  # seconds assumed for one model before one was timed, if its network answers at once
PASSES = 6.0  # how often all variants together answer each validation row, and each row that calibrates int8
CALIBRATION = 256  # rows
EXPECTED_MEMBERS = 3  # of the ensemble that may be made
TICK = 0.2  # seconds between looks at the deadline while networks are trained again
LATE = 1.0  # seconds past the end after which a request is aborted
LOOK = 1.0  # seconds to analyze the chosen model's errors, in a worker that has the data open already
IMPORTANCE = 2.0  # seconds to measure what matters to it


class FinalistAccelerator:
    """Makes an ensemble, accelerates the front's models, one after another on an otherwise idle machine, and refits the chosen one.

    The model to be chosen is accelerated first. What there is no time for is left out: what matters to the chosen model first,
    then the analysis of its errors, the acceleration of the other models, and its refit; then it stays in float32 in ONNX Runtime.

    Args:
        state: The study.
        executor: Runs the requests.
        job: Returns the job of a trial.
        chosen_only: Whether only the chosen model is kept: others are not accelerated, nor is it itself where only
            its score counts, as that may cost accuracy; and nothing is measured for a report.
    """

    def __init__(
        self, state: StudyState, executor: Executor, job: Callable[[Trial], TrialJob], *, chosen_only: bool = False
    ) -> None:
        self._state, self._executor, self._job, self._chosen_only = state, executor, job, chosen_only
        self._pace = 1.0  # seconds that the last model took, as a multiple of those assumed
        self._known: tuple[tuple[int, int, int] | None, tuple[float, float]] = (
            None,
            (0.0, 0.0),
        )  # estimates, and what they depend on
        self._until: Callable[[], float | None] = lambda: None

    def seconds(self) -> float:
        """Estimated seconds for the current front; what a short budget has no room for takes none."""
        models, (ensemble, refit), room = self._state.front(), self._estimates(), finish_room(self._state)
        each = [self._expected(trial) for trial in self._remaining()]
        before = ensemble * (ensemble + GUESS <= room) + sum(each) * (not each or each[0] + LOOK <= room)
        measured = (LOOK + IMPORTANCE) * bool(models and not self._chosen_only)
        return before + refit * (refit <= refit_room(self._state)) + measured

    def _estimates(self) -> tuple[float, float]:
        """Estimated seconds of the ensemble, and of the refit of the model that would be chosen now or of some of its networks.

        The search asks at every report, so they are computed only when a trial has ended or a model has changed.
        """
        key = self._state.ends, len(self._state.commands), sum(trial.accelerated is not None for trial in self._state.front())
        if key != self._known[0]:
            models = candidates(self._state)
            refit = self._estimated_refit(models) if self._refits() else 0.0
            self._known = key, (ensemble_seconds(self._state, models), refit)
        return self._known[1]

    def _estimated_refit(self, models: Sequence[Trial]) -> float:
        members = models[:EXPECTED_MEMBERS] or members_of(self._state, self._state.choose())
        # Networks for which there is no room stay as they are.
        return refit_seconds(self._state, fitting(self._state, members, refit_room(self._state)) or members)

    def _refits(self) -> bool:
        state = self._state
        return state.settings.refit == "auto" and bool(state.front()) and not refit_obstacle(state, state.choose())

    def __call__(self, on_tick: Callable[[], None], until: Callable[[], float | None]) -> Iterator[Event]:
        """Accelerate while there is time.

        Args:
            on_tick: Called a few times a second.
            until: Returns the current deadline, by the executor's clock; None for no limit.
        """
        self._until = until

        def watch() -> None:
            on_tick()
            if self._seconds_left() < -LATE:
                raise StudyError("no time was left", where="worker")

        yield from self._ensemble(watch)
        done: set[int] = set()
        while remaining := [trial for trial in self._remaining() if trial.number not in done]:  # a limit may change the front
            trial, began = remaining[0], self._executor.now()
            done.add(trial.number)
            expected, others = self._expected(trial), sum(map(self._expected, remaining[1:]))
            left, (_, refit) = self._seconds_left(), self._estimates()
            # What comes after keeps its time; a refit that does not fit anyway keeps none.
            kept = LOOK + refit * (left - expected >= refit)
            if left < expected + (kept if len(done) > 1 else LOOK):
                break
            yield self._accelerated(trial, watch, max(expected, left - kept - others))
            self._pace *= (self._executor.now() - began) / expected
        if self._refits():
            yield self._refitted(self._state.choose(), watch)
        if self._chosen_only:
            return
        if self._seconds_left() >= LOOK:
            self._analyze_errors(watch)
        if self._seconds_left() >= IMPORTANCE:
            yield from self._measure_importance(watch)

    def _ensemble(self, on_tick: Callable[[], None]) -> Iterator[Event]:
        """Average the best networks, if there is time for that and for accelerating one model; a failure is only noted."""
        models = candidates(self._state)
        if not models or self._seconds_left() < ensemble_seconds(self._state, models) + GUESS:
            return
        began = self._executor.now()
        request = ensemble_job(self._state, models, self._job, began)
        try:
            result = self._executor.run(request, on_tick)
        except LeptonError as error:
            yield Noted(at=self._executor.now(), text=f"no ensemble was made: {error.what}", level="warning")
            return
        assert isinstance(result, EnsembleResult)
        yield from ensemble_events(request, result, began, self._executor.now())

    def _seconds_left(self) -> float:
        end = self._until()
        return math.inf if end is None else end - self._executor.now()

    def _refitted(self, trial: Trial, on_tick: Callable[[], None]) -> Event:
        """Refit the chosen model, or as many networks of an ensemble as there is time for; else a note on how to do it later."""
        began, members = self._executor.now(), members_of(self._state, trial)
        new = fitting(self._state, members, self._seconds_left())
        try:
            if not new:
                seconds = refit_seconds(self._state, members[:1])
                raise StudyError(
                    f"that takes about {seconds:.0f} s, which the budget does not have left; model.refit() does it later"
                )
            if trial.is_ensemble:
                self._retrain(new, on_tick)
            result = self._executor.run(refit_job(self._state, trial, self._job, retrained=new), on_tick)
        except LeptonError as error:
            what = f"the chosen model (trial {trial.number}) was not trained again on all rows: {error.what}"
            return Noted(at=self._executor.now(), text=what)
        assert isinstance(result, RefitResult)
        now = self._executor.now()
        return ModelRefitted(at=now, result=result.replace(seconds=now - began))

    def _retrain(self, members: Sequence[Trial], on_tick: Callable[[], None]) -> None:
        """Train the networks of an ensemble's members again, on all workers at once where the executor can do that."""
        requests, ended = [retrain_job(self._state, member, self._job) for member in members], 0
        if not isinstance(self._executor, BackgroundExecutor):
            for request in requests:
                self._executor.run(request, on_tick)
            return
        self._executor.request_slots(min(len(members), self._state.settings.workers))
        for request in requests:
            self._executor.request(request)
        while ended < len(members):
            on_tick()
            for message in self._executor.poll(TICK):
                if isinstance(message, RequestFailed):
                    raise StudyError(message.reason)
                ended += isinstance(message, RetrainResult)

    def _expected(self, trial: Trial) -> float:
        """Estimated seconds to accelerate one model: a slow network takes long to calibrate and score."""
        settings, profile = self._state.settings, trial.search_profile
        rows = CALIBRATION + (settings.data.validation or settings.data.train)
        calls = PASSES * rows / settings.deployment.batch_size
        return self._pace * (GUESS + calls * (profile.latency_ms / 1000 if profile else 0.0))

    def _analyze_errors(self, on_tick: Callable[[], None]) -> None:
        """Cache the error analysis of the chosen model for the report, which otherwise runs it itself or omits it."""
        if not self._state.front():
            return
        split: AnalysisSplit = "validation" if self._state.settings.data.validation else "held-out"
        job = self._job(self._state.choose())
        with contextlib.suppress(LeptonError):
            analysis = self._executor.run(
                ErrorAnalysisJob(trial=job, bundle=str(Path(job.folder) / BUNDLE), split=split), on_tick
            )
            assert isinstance(analysis, ErrorAnalysis)
            save_result(Path(job.folder), f"examined-{split}", analysis)

    def _measure_importance(self, on_tick: Callable[[], None]) -> Iterator[Event]:
        """Cache what matters to the chosen model for the report; a failure is only noted."""
        data = self._state.settings.data
        if not self._state.front() or not isinstance(modality_of(data), PerturbableModality):
            return
        split: ImportanceSplit = "validation" if data.validation else "train"
        job = self._job(self._state.choose())
        request = PermutationImportanceJob(
            trial=job, bundle=str(Path(job.folder) / BUNDLE), split=split, seconds=IMPORTANCE - 0.5
        )
        try:
            importance = self._executor.run(request, on_tick)
        except LeptonError as error:
            yield Noted(at=self._executor.now(), text=f"what matters to it was not measured: {error.what}", level="warning")
            return
        assert isinstance(importance, PermutationImportance)
        save_result(Path(job.folder), f"importance-{split}", importance)

    def _remaining(self) -> list[Trial]:
        """The models of the front that are not accelerated yet, the chosen one first."""
        models = [trial for trial in self._state.front() if trial.accelerated is None]
        if not models:
            return []
        chosen = self._state.choose().number
        if self._chosen_only:
            return [trial for trial in models if trial.number == chosen and self._costs_count()]
        return sorted(models, key=lambda trial: trial.number != chosen)

    def _costs_count(self) -> bool:
        """Whether anything besides the score is an objective or has a limit."""
        target = self._state.settings.deployment
        limits = [target.max_latency_ms, target.max_size_bytes, *target.limits.values()]
        return len(self._state.settings.objectives) > 1 or any(limit is not None for limit in limits)

    def _accelerated(self, trial: Trial, on_tick: Callable[[], None], seconds: float) -> Event:
        assert trial.result is not None
        try:
            request = AccelerateJob(
                job=self._job(trial),
                scores=trial.result.scores,
                resampled=trial.result.resampled,
                seconds=None if math.isinf(seconds) else seconds,
            )
            result = self._executor.run(request, on_tick)
        except LeptonError as error:
            what = f"the model of trial {trial.number} stays in float32: {error.what}"
            return Noted(at=self._executor.now(), text=what, level="warning")
        assert isinstance(result, AccelerationResult)
        return ModelAccelerated(at=self._executor.now(), result=result)

"""Trials replayed from recorded curves on a virtual clock: hours of search in a second, the same every time."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lepton_automl.errors import StudyError
from lepton_automl.jobs import Decision, HostBenchmark, HostBenchmarkJob, Report, TrialJob, TrialResult
from lepton_automl.profile import Profile
from lepton_automl.request import Request, Response

from .executor import Message, Place, PlacesChanged


@dataclass(frozen=True)
class Recording:
    """What a trial did when it ran for real.

    Args:
        profile: Its costs, measured before training.
        curve: The scores after each epoch; empty before pruning.
        epoch_seconds: Seconds of one epoch.
        final: Scores of its artifact.
        weighing_seconds: Seconds before the first epoch.
        failure: Why it failed at its end; empty if it did not.
        finished: The costs of its final artifact; None if they are those of `profile`.
    """

    profile: Profile
    curve: tuple[dict[str, float], ...]
    epoch_seconds: float
    final: dict[str, float]
    weighing_seconds: float = 1.0
    failure: str = ""
    finished: Profile | None = None


@dataclass
class _Run:
    """A trial that is being replayed."""

    job: TrialJob
    recording: Recording
    began: float
    due: float
    place: str
    epoch: int = 0
    decision: Decision = field(default_factory=Decision)


class SimulatedExecutor:
    """Replays recordings.

    Args:
        slots: Number of trials at once.
        recorded: Returns the recording of a job.
        benchmark: The response to a host benchmark request.
        began: The clock's initial time, in seconds.
    """

    def __init__(
        self, slots: int, recorded: Callable[[TrialJob], Recording], benchmark: HostBenchmark, *, began: float = 0.0
    ) -> None:
        self._places: tuple[Place, ...] = (Place(id="recording", host="recording", slots=slots),)
        self._changes: list[tuple[float, tuple[Place, ...]]] = []
        self._waiting: deque[TrialJob] = deque()
        self._recorded, self._benchmark, self._clock = recorded, benchmark, began
        self._runs: dict[int, _Run] = {}
        self._due: list[tuple[float, int]] = []
        self._held = False

    def places(self) -> tuple[Place, ...]:
        """The current places."""
        return self._places

    def change_places(self, at: float, places: Sequence[Place]) -> None:
        """Replace the places once the clock reaches `at`."""
        self._changes = sorted([*self._changes, (at, tuple(places))], key=lambda change: change[0])

    @property
    def slots(self) -> int:
        """Number of trials at once."""
        return sum(place.slots for place in self._places)

    def request_slots(self, slots: int) -> None:
        """Ignored: no other study shares the slots."""

    def waiting_reason(self) -> str:
        """Always empty."""
        return ""

    def now(self) -> float:
        """The virtual clock."""
        return self._clock

    def submit(self, job: TrialJob) -> None:
        """Start a recording; one that was proposed before the search was lost continues where it would be by now."""
        self._waiting.append(job)
        self._assign()

    def _assign(self) -> None:
        """Start waiting trials on free places."""
        while self._waiting and (place := self._free_place()):
            self._begin(self._waiting.popleft(), place)

    def _free_place(self) -> str:
        """The first place with a free slot; empty if there is none."""
        busy = Counter(run.place for run in self._runs.values())
        return next((place.id for place in self._places if busy[place.id] < place.slots), "")

    def _begin(self, job: TrialJob, place: str) -> None:
        recording = self._recorded(job)
        weighing, epoch = recording.weighing_seconds, recording.epoch_seconds
        began = self._clock if job.since is None else job.since
        first = job.done + 1 if job.done else 0  # epoch to report; 0 is the measurement before training
        if first:
            began -= weighing + job.done * epoch
        due = began + weighing + first * epoch
        self._runs[job.trial] = _Run(job, recording, began, due, place, first)
        heapq.heappush(self._due, (due, job.trial))

    def poll(self, timeout: float) -> Sequence[Message]:
        """The next message of any trial, if it is due within the timeout; advances the clock."""
        if self._held:
            self._postpone(timeout)
        change = self._changes[0][0] if self._changes else math.inf
        due = self._due[0][0] if self._due else math.inf
        if self._held or min(change, due) > self._clock + timeout:
            self._clock += timeout
            return []
        if change <= due:
            return self._change()
        due, trial = heapq.heappop(self._due)
        self._clock = max(self._clock, due)
        run = self._runs[trial]
        total = len(run.recording.curve)
        if run.decision.stop or run.epoch > total:
            result = self._end(run)
            self._assign()
            return [result]
        report = self._report(run)
        run.epoch += 1
        if not report.waits:
            self._go_on(run)
        return [report]

    def _change(self) -> list[Message]:
        """Apply the next change of places; trials on removed places end."""
        at, places = self._changes.pop(0)
        self._clock, before, self._places = max(self._clock, at), self._places, places
        added, removed = (
            tuple(place for place in these if place not in others)
            for these, others in ((self._places, before), (before, self._places))
        )
        gone = {place.id for place in removed}
        lost = [trial for trial, run in self._runs.items() if run.place in gone]
        for trial in lost:
            del self._runs[trial]
        self._due = [(due, trial) for due, trial in self._due if trial in self._runs]
        heapq.heapify(self._due)
        self._assign()
        results = [TrialResult(trial=trial, status="failed", reason="its place is gone", fault="place") for trial in lost]
        return [PlacesChanged(added=added, removed=removed), *results]

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer a waiting report; the trial ends or continues with its next epoch."""
        run = self._runs.get(trial)
        if run and not run.decision.stop:
            run.decision = decision
            self._go_on(run)

    def cancel(self, trial: int, decision: Decision) -> None:
        """End a trial at once, in the middle of its epoch."""
        if run := self._runs.get(trial):
            run.decision = decision
            self._due = [(due, number) for due, number in self._due if number != trial]
            heapq.heapify(self._due)
            run.due = min(run.due, self._clock)
            heapq.heappush(self._due, (run.due, trial))

    def hold(self, *, held: bool) -> None:
        """Hold or continue all trials; while they are held, only the clock advances."""
        self._held = held

    def _postpone(self, seconds: float) -> None:
        for run in self._runs.values():
            run.due += seconds
        self._due = [(due + seconds, trial) for due, trial in self._due]  # the order stays the same

    def run(
        self,
        request: Request,
        on_tick: Callable[[], None] = lambda: None,
        on_status: Callable[[str], None] = lambda _: None,
        *,
        limit: float | None = None,
    ) -> Response:
        """The host benchmark; other requests are not recorded."""
        on_tick()
        del on_status, limit
        if isinstance(request, HostBenchmarkJob):
            return self._benchmark
        raise StudyError("a simulated executor has no models to score")

    def close(self) -> None:
        """Do nothing: there are no workers."""

    def _report(self, run: _Run) -> Report:
        trial, epoch = run.job.trial, run.epoch
        if epoch == 0:
            return Report(trial=trial, epoch=0, profile=run.recording.profile, waits=True)
        scores = run.recording.curve[epoch - 1]
        return Report(trial=trial, epoch=epoch, scores=scores, seconds=run.due - run.began, waits=epoch in run.job.rungs)

    def _go_on(self, run: _Run) -> None:
        done = run.decision.stop or run.epoch > len(run.recording.curve)
        run.due += 0.0 if done else run.recording.epoch_seconds
        heapq.heappush(self._due, (run.due, run.job.trial))

    def _end(self, run: _Run) -> TrialResult:
        del self._runs[run.job.trial]
        epochs, seconds = max(0, run.epoch - 1), run.due - run.began
        result = TrialResult(
            trial=run.job.trial, status="complete", epochs=epochs, seconds=seconds, profile=run.recording.profile
        )
        if run.decision.packs and 0 < epochs < len(run.recording.curve):
            scores = run.recording.curve[epochs - 1]
            kept = {name: scores[name] for name in run.recording.final if name in scores}
            return result.replace(
                scores=kept, profile=run.recording.finished or run.recording.profile, reason=run.decision.reason
            )
        if run.decision.stop and not (run.decision.packs and epochs):
            status = "stopped" if run.decision.packs else run.decision.status
            return result.replace(status=status, reason=run.decision.reason)
        if run.recording.failure:
            return result.replace(status="failed", reason=run.recording.failure)
        return result.replace(scores=run.recording.final, profile=run.recording.finished or run.recording.profile)

"""The search loop: propose, submit, poll, decide, record.

The loop's state depends only on events: `write` appends an event to the journal and applies it. A restarted search first
replays its journal and then continues from the same state.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

from lepton_automl import families
from lepton_automl.errors import StudyError
from lepton_automl.events import (
    STOPPED,
    CommandReceived,
    Event,
    Noted,
    StudyEnded,
    StudyPaused,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialResumed,
    TrialRetried,
)
from lepton_automl.execution.executor import Executor, PlacesChanged, RequestFailed
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.no_model_advice import end_reason
from lepton_automl.request import Response
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from . import importance
from .budget import BudgetTracker
from .depth import BUDGET_ENDS, Depth, out_of_time
from .early_stopper import EarlyStopper
from .finalists import Finalists, NoFinalists
from .forecast import Forecaster
from .journal_retry import write_when_possible
from .pauses import Pauses
from .propose import Proposer
from .references import ReferenceScorer

TICK = 0.2  # seconds between checks of the clock and of requests, while no trial reports
RESUMED_SHARE = 0.25  # of its epochs so far by which a resumed trial has to be able to go on
FIRST_FAILURES = 6  # the search gives up if this many first trials all fail
FINISH_SECONDS = 12.0  # seconds for finalists after a stop request
PUBLISH_SECONDS = 6.0  # seconds of a grace period reserved for MLflow and the registry
SHUTDOWN_SECONDS = 2.0  # seconds that trials get to end by themselves
TRIES = 2  # attempts at a trial whose worker is lost


class Loop:
    """One study's search.

    Args:
        state: The study so far, with its start and host benchmark; the loop keeps it up to date.
        journal: Where every event is recorded before anything else is done about it.
        executor: Runs trials.
        proposer: Proposes what to try next.
        early_stopper: Decides which trials go on at their rungs.
        forecaster: Forecasts costs and gains of trials; shared with the proposer and the early stopper.
        job: Makes a trial's job.
        announce: Called with every event after it is recorded.
        inbox: Returns the requests received since the last call.
        missing: Returns what the machine lacks for trials to go on, such as disk space; empty if nothing.
        reserve: Estimates the seconds that the end of the study will take; see `BudgetTracker`.
        finalists: Processes the models of the front after the trials; by default does nothing.
    """

    def __init__(
        self,
        state: StudyState,
        *,
        journal: Journal,
        executor: Executor,
        proposer: Proposer,
        early_stopper: EarlyStopper,
        forecaster: Forecaster,
        job: Callable[[Trial], TrialJob],
        announce: Callable[[Event], None] = lambda _: None,
        inbox: Callable[[], Iterable[CommandReceived]] = lambda: (),
        missing: Callable[[], str] = lambda: "",
        reserve: Callable[[], float] | None = None,
        finalists: Finalists | None = None,
    ) -> None:
        self.state, self.journal, self.executor = state, journal, executor
        self.proposer, self.early_stopper, self.forecaster, self.job = proposer, early_stopper, forecaster, job
        self.announce, self.inbox = announce, inbox
        self.finalists = finalists or NoFinalists()
        self.budget_tracker = BudgetTracker(state, reserve, self.finalists.seconds)
        self.references = ReferenceScorer(state, executor, self.budget_tracker)
        self.depth = Depth(state, self.budget_tracker)
        self.stopping = ""
        self.pauses = Pauses(state, executor, write=self.write, missing=missing)
        self._finish_seconds = FINISH_SECONDS
        self._deferred: list[CommandReceived] = []  # requests received while the journal could not be written
        self._packed_late: set[int] = set()  # trials whose training was ended in the middle of an epoch

    # State

    def apply(self, event: Event) -> None:
        """Update everything that depends on an event, whether it is new or replayed from the journal."""
        if not self.state.apply(event):
            return
        match event:
            case TrialProposed():
                self.proposer.recall(event)
            case TrialReported():
                self.early_stopper.record_report(self.state.trials[event.report.trial], event.report)
            case TrialEnded():
                trial = self.state.trials[event.result.trial]
                self.forecaster.record_end(trial)
                self.proposer.tell(trial)
            case CommandReceived():
                self._handle_command(event)

    def _handle_command(self, request: CommandReceived) -> None:
        """Change what is tried from now on, as requested."""
        match request.what:
            case "enqueue":
                self.proposer.enqueue(request.config)
            case "retune":
                self.proposer.retune(request.trial, request.trials)
            case "pin":
                self.proposer.pin()
            case "limit":
                self.forecaster.limits_changed()
                self.proposer.limits_changed()
            case _:
                pass

    def write(self, event: Event, *, durable: bool = True) -> None:
        """Record an event, apply it and announce it; while the journal cannot be written, the search waits."""
        try:
            self.journal.append(event, durable=durable)
        except StudyError as error:
            self._wait_for_journal(event, error)
        self.apply(event)
        self.announce(event)

    def _wait_for_journal(self, event: Event, error: StudyError) -> None:
        """Hold all trials until the journal can be written, so that no result is lost.

        Raises:
            StudyError: A stop was requested meanwhile.
        """
        since, before = self.executor.now(), self.state.paused
        self.executor.hold(held=True)
        self.announce(Noted(at=since, text=f"paused: {error}", level="error"))
        paused = StudyPaused(at=since, reason=str(error))
        self._deferred += write_when_possible(self.journal, (paused, event), self.inbox, stopping=self.stopping == STOPPED)
        self.apply(paused)
        if before is None:  # an earlier pause is ended by its own cause
            self.pauses.end("the journal can be written again")

    # Run

    def replay(self, past: Iterable[Event], *, lost: bool) -> None:
        """Apply the events of the journal; if its search process was lost, the clock starts again."""
        for event in past:
            self.apply(event)
        if lost:
            self.pauses.record_end("the search was restarted")

    def run(self) -> StudyState:
        """Search until the budget is spent or a stop is requested; the models found by then are kept."""
        try:
            for trial in list(self.state.running.values()):
                self.executor.submit(self.job(trial))
            reason = self._search()
        except KeyboardInterrupt:
            reason = "the search was interrupted"
        self._end_running(reason)
        self._finish(stop_requested=reason == STOPPED)
        self._rank()
        now = self.executor.now()
        if (chosen := self._choice()) is not None and (note := self.depth.note(self.state.trials[chosen])):
            self.write(Noted(at=now, text=note, level="warning"))
        self.write(StudyEnded(at=now, reason=end_reason(self.state, reason, now), chosen=self._choice()))
        return self.state

    def _finish(self, *, stop_requested: bool) -> None:
        """Process the finalists while there is time; after a stop request only for `FINISH_SECONDS` or the grace period."""
        finish_by = self.executor.now() + self._finish_seconds
        self.stopping = ""

        def until() -> float | None:
            """The deadline; open while the study is paused, as paused time does not count."""
            return finish_by if stop_requested else None if self.state.paused else self.budget_tracker.end

        for event in self.finalists(self._handle_commands, until):
            self.write(event)
            if self.stopping:
                break

    def _search(self) -> str:
        """Search; returns why it ended."""
        reason = ""
        while not (reason and (self.stopping or self._past_deadline() or not self.state.running)):
            self._handle_commands()
            self.pauses.check_machine()
            reason = self.stopping or self._fill()
            busy = len(self.state.running) + self.references.running
            self.executor.request_slots(busy if reason else self.state.settings.workers)
            for message in self.executor.poll(TICK):
                if isinstance(message, Report):
                    self._handle_report(message)
                elif isinstance(message, PlacesChanged):
                    self.write(Noted(at=self.executor.now(), text=message.text))
                elif isinstance(message, Response | RequestFailed):
                    self.write(self.references.event(message))
                else:
                    self._end(message)
                    if importance.due(self.state):
                        self._rank()
            self._pack_late()
        return reason

    def _handle_commands(self) -> None:
        """Handle all requests; pause while other studies use the whole machine."""
        self.pauses.check_slot()
        deferred, self._deferred = self._deferred, []
        for request in (*deferred, *self.inbox()):
            self.write(request)
            match request.what:
                case "stop":
                    self.stopping = STOPPED
                    if request.grace is not None:
                        self._finish_seconds = min(
                            self._finish_seconds, max(0.0, request.grace - SHUTDOWN_SECONDS - PUBLISH_SECONDS)
                        )
                case "pause":
                    self.pauses.pause_by_user()
                case "resume":
                    self.stopping = ""  # withdraws a stop that was not acted on yet
                    self.pauses.resume_by_user()
                case _:
                    pass

    def _rank(self) -> None:
        """Record which hyperparameters matter so far: whenever half as many trials again have ended, and at the end."""
        ranked = importance.rank(self.state, self.executor.now())
        if ranked.shares:
            self.write(ranked)

    def _past_deadline(self) -> bool:
        deadline = self.budget_tracker.deadline
        return deadline is not None and not self.state.paused and self.executor.now() >= deadline

    def _fill(self) -> str:
        """Start trials on all free slots; returns why no more may be started, or an empty string."""
        if self.state.paused:
            return ""
        while not (reason := self._stop_reason()):
            self.references.start()
            if len(self.state.running) + self.references.running >= self.executor.slots:
                break
            if not self._start():
                return (
                    f"every configuration {'with the pinned values' if self.state.pinned else 'of the search space'} was tried"
                )
        return reason

    def _stop_reason(self) -> str:
        """Why nothing more is started: the budget is spent, or the first trials all failed; else empty."""
        return self.budget_tracker.spent(self.executor.now()) or self._all_failed()

    def _all_failed(self) -> str:
        """Why the search gives up: the first trials all failed; else empty."""
        trials = self.state.trials
        if not FIRST_FAILURES <= len(trials) < FIRST_FAILURES + 2 * self.state.settings.workers:
            return ""
        results = [trial.result for trial in trials.values() if trial.result]
        if len(results) < FIRST_FAILURES or any(result.status != "failed" for result in results):
            return ""
        return f"all of the first {len(results)} trials failed, the last one: {results[-1].reason.splitlines()[0]}"

    def _start(self) -> bool:
        """Submit the next proposal; false if there is none left."""
        settings, number, now = self.state.settings, 1 + max(self.state.trials, default=-1), self.executor.now()
        proposal = self.proposer.ask(number, self._can_resume)
        if proposal is None:
            return False
        if proposal.resumed is not None:
            trial = self.state.trials[proposal.resumed]
            self.write(TrialResumed(at=now, trial=trial.number, epoch=trial.epochs))
            self.executor.submit(self.job(trial))
            return True
        recipe = families.final_recipe(proposal.config, settings.data, settings.prune, settings.factory).to_json()
        event = TrialProposed(
            at=now,
            trial=number,
            uid=uuid.uuid4().hex,
            config=proposal.config,
            recipe=recipe,
            origin=proposal.origin,
            parent=proposal.parent,
            teachers=proposal.teachers,
        )
        self.write(event)
        self.executor.submit(self.job(self.state.trials[number]))
        return True

    def _handle_report(self, report: Report) -> None:
        """Decide on a report and answer it; a report repeated after a restart gets its earlier answer."""
        trial = self.state.trials[report.trial]
        if trial.result is not None:
            return
        decision = trial.decisions.get(report.epoch)
        if decision is None:
            decision = self._decide(trial, report)
            self.write(TrialReported(at=self.executor.now(), report=report, decision=decision), durable=report.waits)
            if note := self.depth.budget_note(trial):
                self.write(Noted(at=self.executor.now(), text=note))
        if report.waits:
            self.executor.decide(report.trial, decision)
        elif decision.stop:
            self.executor.cancel(report.trial, decision)

    def _decide(self, trial: Trial, report: Report) -> Decision:
        profile = report.profile or trial.search_profile  # a limit may have been set since the trial was profiled
        if profile is not None and (broken := self.state.settings.deployment.exceeded_limit(profile)):
            return Decision(stop=True, status="infeasible", reason=broken)
        if report.profile is not None:
            return CONTINUE
        if not self.depth.has_time(trial, report, self.executor.now()):
            if self.depth.is_open and self.early_stopper.is_worth_packing(trial, report):
                return Decision(stop=True, status="complete", reason=BUDGET_ENDS)
            return Decision(stop=True, reason=out_of_time(self.depth.seconds_left(trial, report)))
        decision = self.early_stopper.decide(trial, report) if report.waits else CONTINUE
        if not decision.stop and (reason := self.depth.finished(trial, report)):
            return Decision(stop=True, status="complete", reason=reason)
        return decision

    def _pack_late(self) -> None:
        """End trials that are in the middle of an epoch when the deadline is only a packing away, if that is worth it."""
        if self.state.paused or not self.depth.is_late(self.executor.now()):
            return
        for number, trial in self.state.running.items():
            if number in self._packed_late or not trial.epochs or trial.decisions[trial.reports[-1].epoch].stop:
                continue
            if self.early_stopper.is_worth_packing(trial, trial.reports[-1]):
                self._packed_late.add(number)
                self.executor.cancel(number, Decision(stop=True, status="complete", reason=BUDGET_ENDS))

    def _can_resume(self, trial: Trial) -> bool:
        """Whether a stopped trial could still come to more within the budget."""
        return self.depth.has_time(trial, trial.reports[-1], self.executor.now(), more=RESUMED_SHARE)

    def _end(self, result: TrialResult) -> None:
        """Record how a trial ended, or retry it if its failure was not its own fault."""
        trial = self.state.trials[result.trial]
        if trial.result is not None:
            return
        if result.fault == "place" and self.stopping:
            result = TrialResult(trial=trial.number, status="stopped", reason=self.stopping, epochs=trial.epochs)
        if result.status == "failed" and not self.stopping and self._retry(trial, result):
            return
        broken = (
            self.state.settings.deployment.exceeded_limit(result.profile)
            if result.status == "complete" and result.profile
            else ""
        )
        if broken:  # limits apply to the finished file, whatever was measured before training
            result = result.replace(status="infeasible", reason=broken)
        if result.status == "complete":
            self.pauses.reset_delay()
        self.write(TrialEnded(at=self.executor.now(), result=result))

    def _retry(self, trial: Trial, result: TrialResult) -> bool:
        """Restart a trial from its last checkpoint if its worker, its place or the machine caused the failure."""
        counted = result.fault == "worker"
        if result.fault == "candidate" or (counted and trial.retries + 1 >= TRIES):
            return False
        self.write(TrialRetried(at=self.executor.now(), trial=trial.number, reason=result.reason, counted=counted))
        if result.fault == "machine":
            self.pauses.pause_for_machine(result.reason)
        self.executor.submit(self.job(trial))
        return True

    def _end_running(self, reason: str) -> None:
        """Ask running trials to end, wait `SHUTDOWN_SECONDS`, then record the rest as stopped."""
        self.stopping = reason
        self.executor.hold(held=False)
        late = Decision(stop=True, reason=reason)
        for number in self.state.running:
            self.executor.cancel(number, late)
        until = self.executor.now() + SHUTDOWN_SECONDS
        while self.state.running and self.executor.now() < until:
            for message in self.executor.poll(TICK):
                if isinstance(message, TrialResult):
                    self._end(message)
        for trial in list(self.state.running.values()):
            self._end(TrialResult(trial=trial.number, status="stopped", reason=reason, epochs=trial.epochs))

    def _choice(self) -> int | None:
        return self.state.choose().number if self.state.front() else None

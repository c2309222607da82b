"""The search, read aloud: ask, submit, poll, decide, tell, announce.

Everything that the loop knows it knows from events: `write` puts one in the journal and takes it in; a search that is
taken up again takes in those of the journal first, and stands where it stood.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

from lepton_automl import families
from lepton_automl.errors import StudyError
from lepton_automl.events import (
    STOPPED,
    Asked,
    Event,
    Noted,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialRetried,
    TrialThawed,
)
from lepton_automl.execution.executor import Executor
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.no_model_advice import told_reason
from lepton_automl.state import StudyState, Trial

from . import importance
from .budget import BudgetTracker
from .early_stopper import EarlyStopper, out_of_time
from .finalists import Finalists, NoFinalists
from .forecast import Forecaster
from .journal_retry import RETRY, write_when_possible
from .propose import Proposer

TICK = 0.2  # seconds between looks at the clock and at what a person asks, while no trial says anything
FIRST_FAILURES = 6  # failures in a row, from the first trial on, that no other candidate would mend
STOPPED_WAITING = "it waits no longer"
FINISH_SECONDS = 12.0  # seconds for finalists, where a person waits for the end
PUBLISH_SECONDS = 6.0  # of a grace period that are kept for MLflow and the registry
SHUTDOWN_SECONDS = 2.0  # seconds that trials get to end by themselves when the budget is spent
TRIES = 2  # of a trial whose worker is lost
LONGEST_DELAY = (
    300.0  # seconds between looks for room at most, where there seems to be room and trials fail for want of it all the same
)


class Loop:
    """One study's search.

    Args:
        state: The study so far: begun, at least; the loop keeps it up to date.
        journal: Where every event goes, before anything is done about it.
        executor: What runs trials.
        proposer: What to try next.
        early_stopper: Who goes on.
        forecaster: What is known and to be expected; the proposer's and the judge's.
        job: Makes a trial's job.
        announce: Told every event after it is written.
        inbox: What people have asked since the last look.
        missing: What the machine lacks for trials to go on, such as room on its disk; empty where nothing is.
        reserve: Seconds that the end of the study will take; see `BudgetTracker`.
        finalists: What is done with the front when the trials are over; nothing by default.
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
        inbox: Callable[[], Iterable[Asked]] = lambda: (),
        missing: Callable[[], str] = lambda: "",
        reserve: Callable[[], float] | None = None,
        finalists: Finalists | None = None,
    ) -> None:
        self.state, self.journal, self.executor = state, journal, executor
        self.proposer, self.early_stopper, self.forecaster, self.job = proposer, early_stopper, forecaster, job
        self.announce, self.inbox, self.missing = announce, inbox, missing
        self.finalists = finalists or NoFinalists()
        self.budget_tracker = BudgetTracker(state, reserve, self.finalists.seconds)
        self.stopping = ""
        self._next_check: float | None = (
            None  # when to look whether the machine has what it lacked; None while it lacks nothing
        )
        self._check_delay = RETRY
        self._finish_seconds = FINISH_SECONDS
        self._waits_for_slot = False  # it is paused, as it has no slot of the machine
        self._deferred: list[Asked] = []  # what people asked while the journal could not be written

    # What is known

    def apply(self, event: Event) -> None:
        """Learn from an event, whether it just happened or the journal tells it again."""
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
            case Asked():
                self._handle_command(event)

    def _handle_command(self, asked: Asked) -> None:
        """Let what a person asks change what is tried from now on."""
        match asked.what:
            case "enqueue":
                self.proposer.enqueue(asked.config)
            case "retune":
                self.proposer.retune(asked.trial, asked.trials)
            case "pin":
                self.proposer.pin()
            case "limit":
                self.forecaster.limits_changed()
                self.proposer.limits_changed()
            case _:
                pass

    def write(self, event: Event, *, durable: bool = True) -> None:
        """Journal an event, take it in, and let everyone know; while the journal cannot be written, everything waits."""
        try:
            self.journal.append(event, durable=durable)
        except StudyError as error:
            self._wait_for_journal(event, error)
        self.apply(event)
        self.announce(event)

    def _wait_for_journal(self, event: Event, error: StudyError) -> None:
        """Hold all trials until the journal can be written: nothing that was earned is lost.

        Raises:
            StudyError: A person asked for the end meanwhile.
        """
        since, before = self.executor.now(), self.state.paused
        self.executor.hold(held=True)
        self.announce(Noted(at=since, text=f"paused: {error}", level="error"))
        paused = StudyPaused(at=since, reason=str(error))
        self._deferred += write_when_possible(self.journal, (paused, event), self.inbox, stopping=self.stopping == STOPPED)
        self.apply(paused)
        if before is None:  # else whoever paused it before ends that pause
            self._end_pause("the journal can be written again")

    def _write_resumed(self, reason: str) -> None:
        self.write(StudyResumed(at=self.executor.now(), reason=reason))

    # What is done

    def replay(self, past: Iterable[Event], *, lost: bool) -> None:
        """Take in what the journal tells already; where its search was lost, the clock starts again."""
        for event in past:
            self.apply(event)
        if lost:
            self._write_resumed("the search was taken up again")

    def run(self) -> StudyState:
        """Search until the budget is spent, or a person asks for the end; what was found by then stands."""
        try:
            for trial in list(self.state.running.values()):
                self.executor.submit(self.job(trial))
            reason = self._search()
        except KeyboardInterrupt:
            reason = "it was interrupted"
        self._end_running(reason)
        self._finish(asked_to_stop=reason == STOPPED)
        self._rank()
        now = self.executor.now()
        self.write(StudyEnded(at=now, reason=told_reason(self.state, reason, now), chosen=self._choice()))
        return self.state

    def _finish(self, *, asked_to_stop: bool) -> None:
        """Let the finalists have their due while there is time; who asked for the end waits no longer than a moment."""
        finish_by = self.executor.now() + self._finish_seconds
        self.stopping = ""

        def until() -> float | None:
            """Time that the study is paused is not spent, which is known when it goes on."""
            return finish_by if asked_to_stop else None if self.state.paused else self.budget_tracker.end

        for event in self.finalists(self._handle_commands, until):
            self.write(event)
            if self.stopping:
                break

    def _search(self) -> str:
        """Search; returns why it ended."""
        reason = ""
        while not (reason and (self.stopping or self._past_deadline() or not self.state.running)):
            self._handle_commands()
            self._check_machine()
            reason = self.stopping or self._fill()
            self.executor.request_slots(len(self.state.running) if reason else self.state.settings.workers)
            for message in self.executor.poll(TICK):
                if isinstance(message, Report):
                    self._handle_report(message)
                else:
                    self._end(message)
                    if importance.due(self.state):
                        self._rank()
        return reason

    def _handle_commands(self) -> None:
        """Do what people ask; while other studies have the machine, the study is paused."""
        self._check_slot()
        deferred, self._deferred = self._deferred, []
        for asked in (*deferred, *self.inbox()):
            self.write(asked)
            match asked.what:
                case "stop":
                    self.stopping = STOPPED
                    if asked.grace is not None:
                        self._finish_seconds = min(
                            self._finish_seconds, max(0.0, asked.grace - SHUTDOWN_SECONDS - PUBLISH_SECONDS)
                        )
                case "pause":
                    self._next_check = None  # a person's pause is ended by a person
                    if self._waits_for_slot:
                        self._stop_waiting(STOPPED_WAITING)
                    self._pause("a person paused it")
                case "resume":
                    self.stopping = ""  # one that was asked for and not heard until now is taken back
                    if self.state.paused and not self._waits_for_slot:
                        self._end_pause("a person resumed it")
                case _:
                    pass

    def _pause(self, reason: str) -> None:
        """Hold everything; a study that is paused already stays so. Who measures is let finish, which nobody waits for."""
        if not self.state.paused:
            self.write(StudyPaused(at=self.executor.now(), reason=reason))
        self.executor.hold(held=True)

    def _end_pause(self, reason: str) -> None:
        self._next_check = None
        self.executor.hold(held=False)
        self._write_resumed(reason)

    def _check_slot(self) -> None:
        """Pause while other studies have all of the machine: the time in which nothing can run is not spent."""
        waits = self.executor.waiting_reason()
        if waits and not self.state.paused:
            self._waits_for_slot = True
            self.write(StudyPaused(at=self.executor.now(), reason=waits))
        elif self._waits_for_slot and not waits:
            self._stop_waiting("it has a core of its own again")

    def _stop_waiting(self, reason: str) -> None:
        self._waits_for_slot = False
        self._write_resumed(reason)

    def _check_machine(self) -> None:
        """End a pause for want of room once there is some; look less often where that has not helped."""
        if self._next_check is None or self.executor.now() < self._next_check:
            return
        if self.missing():
            self._next_check = self.executor.now() + RETRY
        else:
            self._check_delay = min(2 * self._check_delay, LONGEST_DELAY)
            self._end_pause("the machine has what was lacking")

    def _rank(self) -> None:
        """Tell the windows which knobs mattered so far: each time that half as many trials have ended again, and at the end."""
        ranked = importance.rank(self.state, self.executor.now())
        if ranked.shares:
            self.write(ranked)

    def _past_deadline(self) -> bool:
        deadline = self.budget_tracker.deadline
        return deadline is not None and not self.state.paused and self.executor.now() >= deadline

    def _fill(self) -> str:
        """Start trials on all free slots; the reason why no more may be started, if there is one."""
        if self.state.paused:
            return ""
        while not (reason := self._stop_reason()) and len(self.state.running) < self.executor.slots:
            if not self._start():
                return f"every configuration {'that holds what is pinned' if self.state.pinned else 'of the space'} was tried"
        return reason

    def _stop_reason(self) -> str:
        """Why nothing more is started: the budget is spent, or the first trials all failed."""
        return self.budget_tracker.spent(self.executor.now()) or self._all_failed()

    def _all_failed(self) -> str:
        """Whether something is wrong with more than a candidate: the first trials all failed."""
        trials = self.state.trials
        if not FIRST_FAILURES <= len(trials) < FIRST_FAILURES + 2 * self.state.settings.workers:
            return ""
        results = [trial.result for trial in trials.values() if trial.result]
        if len(results) < FIRST_FAILURES or any(result.status != "failed" for result in results):
            return ""
        return f"all of the first {len(results)} trials failed, the last one: {results[-1].reason.splitlines()[0]}"

    def _start(self) -> bool:
        """Ask for a configuration and submit it; false when there is none left."""
        settings, number, now = self.state.settings, 1 + max(self.state.trials, default=-1), self.executor.now()
        proposal = self.proposer.ask(number, self._in_time)
        if proposal is None:
            return False
        if proposal.resumed is not None:
            trial = self.state.trials[proposal.resumed]
            self.write(TrialThawed(at=now, trial=trial.number, epoch=trial.epochs))
            self.executor.submit(self.job(trial))
            return True
        recipe = families.final_recipe(proposal.config, settings.data, settings.lean, settings.own).to_json()
        event = TrialProposed(
            at=now,
            trial=number,
            uid=uuid.uuid4().hex,
            config=proposal.config,
            recipe=recipe,
            origin=proposal.origin,
            parent=proposal.parent,
        )
        self.write(event)
        self.executor.submit(self.job(self.state.trials[number]))
        return True

    def _handle_report(self, report: Report) -> None:
        """Take in a report, decide, and answer; what a trial says again after a restart is answered as it was before."""
        trial = self.state.trials[report.trial]
        if trial.result is not None:
            return
        decision = trial.decisions.get(report.epoch)
        if decision is None:
            decision = self._decide(trial, report)
            self.write(TrialReported(at=self.executor.now(), report=report, decision=decision), durable=report.waits)
        if report.waits:
            self.executor.decide(report.trial, decision)
        elif decision.stop:
            self.executor.cancel(report.trial, decision)

    def _decide(self, trial: Trial, report: Report) -> Decision:
        profile = report.profile or trial.search_profile  # a limit may have come since the trial was weighed
        if profile is not None and (broken := self.state.settings.target.broken_limit(profile)):
            return Decision(stop=True, status="infeasible", reason=broken)
        if report.profile is not None:
            return CONTINUE
        left = self.early_stopper.seconds_left(trial, report)
        if not self._in_time(trial, report):
            return Decision(stop=True, reason=out_of_time(left))
        return self.early_stopper.decide(trial, report) if report.waits else CONTINUE

    def _in_time(self, trial: Trial, report: Report | None = None) -> bool:
        """Whether a trial would end before the budget does, as it went up to a report, its last one if not said."""
        left, deadline = self.early_stopper.seconds_left(trial, report or trial.reports[-1]), self.budget_tracker.deadline
        return deadline is None or self.executor.now() + left <= deadline

    def _end(self, result: TrialResult) -> None:
        """Write down how a trial ended, or try it again where it was not its own fault."""
        trial = self.state.trials[result.trial]
        if trial.result is not None:
            return
        if result.status == "failed" and not self.stopping and self._retry(trial, result):
            return
        broken = (
            self.state.settings.target.broken_limit(result.profile) if result.status == "complete" and result.profile else ""
        )
        if broken:  # the finished file is what the limits are for, whatever was weighed before training
            result = result.replace(status="infeasible", reason=broken)
        if result.status == "complete":
            self._check_delay = RETRY
        self.write(TrialEnded(at=self.executor.now(), result=result))

    def _retry(self, trial: Trial, result: TrialResult) -> bool:
        """Start a trial again from its last checkpoint, if its worker or the machine failed it."""
        counted = result.fault == "worker"
        if result.fault == "candidate" or (counted and trial.retries + 1 >= TRIES):
            return False
        self.write(TrialRetried(at=self.executor.now(), trial=trial.number, reason=result.reason, counted=counted))
        if not counted:
            self._pause(self._pause_reason(result.reason))
            self._next_check = self.executor.now() + self._check_delay
        self.executor.submit(self.job(trial))
        return True

    def _pause_reason(self, reason: str) -> str:
        """Why a study is paused by its machine, and what a person can do about it."""
        lack = self.missing()
        fix = "It goes on by itself once there is room and permission to write; lepton resume makes it look at once."
        return "\n".join([reason, *([lack] if lack and lack not in reason else []), f"  What to do: {fix}"])

    def _end_running(self, reason: str) -> None:
        """Ask what still runs to end, give it a moment, then write it off."""
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

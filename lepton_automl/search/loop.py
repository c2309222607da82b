"""The search, read aloud: ask, submit, poll, decide, tell, announce."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable

from lepton_automl import families
from lepton_automl.events import Event, StudyConfig, StudyEnded, TrialEnded, TrialProposed, TrialReported
from lepton_automl.execution.executor import Executor
from lepton_automl.journal import Journal
from lepton_automl.space import Config
from lepton_automl.state import StudyState, Trial
from lepton_automl.values import GO_ON, Decision, Report, TrialJob, TrialResult

from .budget import Purse
from .propose import Proposer
from .stopping import goes_on

TICK = 0.5  # seconds between looks at the clock while nobody says anything
TOLD_APART = 0.02  # in the logarithm of a time or size: finer differences are mostly noise
HOPELESS = 6  # failures in a row, from the first trial on, that no other candidate would mend
LAST_WORDS = 2.0  # seconds that trials get to end by themselves when the budget is spent


class Loop:
    """One study's search.

    Args:
        config: What was asked.
        state: The study so far; the loop keeps it up to date.
        journal: Where every event goes, before anything is done about it.
        executor: What runs trials.
        proposer: What to try next.
        purse: What may still be spent.
        job: Makes a trial's job from its number, uid and configuration.
        announce: Told every event after it is written.
    """

    def __init__(
        self,
        config: StudyConfig,
        *,
        state: StudyState,
        journal: Journal,
        executor: Executor,
        proposer: Proposer,
        purse: Purse,
        job: Callable[[int, str, Config], TrialJob],
        announce: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.config, self.state, self.journal, self.executor = config, state, journal, executor
        self.proposer, self.purse, self.job, self.announce = proposer, purse, job, announce
        self.at_rung: dict[int, dict[int, list[float]]] = {}

    def run(self) -> StudyState:
        """Search until the budget is spent, or a person interrupts; what was found by then stands."""
        try:
            reason = self._search()
        except KeyboardInterrupt:
            reason = "it was interrupted"
        self._end_running(reason)
        self.write(StudyEnded(at=self.executor.now(), reason=reason, chosen=self._choice()))
        return self.state

    def _search(self) -> str:
        """Search; returns why it ended."""
        reason = ""
        while not (reason and (self._late() or not self._running())):
            reason = reason or self._fill()
            for message in self.executor.poll(TICK):
                if isinstance(message, Report):
                    self._hear(message)
                else:
                    self._end(message)
        return reason

    def write(self, event: Event, *, durable: bool = True) -> None:
        """Journal an event, then let everyone know."""
        self.journal.append(event, durable=durable)
        self.state.apply(event)
        self.announce(event)

    def _running(self) -> list[Trial]:
        return [trial for trial in self.state.trials.values() if trial.result is None]

    def _late(self) -> bool:
        return self.purse.deadline is not None and self.executor.now() >= self.purse.deadline

    def _fill(self) -> str:
        """Start trials on all free slots; the reason why no more may be started, if there is one."""
        while not (reason := self._over()) and len(self._running()) < self.executor.slots:
            if not self._start():
                return "every configuration of the space was tried"
        return reason

    def _over(self) -> str:
        """Why nothing more is started: the budget is spent, or what is left of it is too short for any whole trial."""
        now = self.executor.now()
        reason = self.purse.spent(self.state, now) or self._hopeless()
        whole = [trial.result.seconds for trial in self.state.trials.values() if trial.result and trial.status == "complete"]
        if not reason and self.purse.deadline is not None and whole and now + min(whole) > self.purse.deadline:
            return f"{self.purse.deadline - now:.0f} s are left, and no trial was done in less than {min(whole):.0f} s"
        return reason

    def _hopeless(self) -> str:
        """Whether something is wrong with more than a candidate: the first trials all failed."""
        results = [trial.result for trial in self.state.trials.values() if trial.result]
        if len(results) < HOPELESS or any(result.status != "failed" for result in results):
            return ""
        return f"all of the first {len(results)} trials failed, the last one: {results[-1].reason.splitlines()[0]}"

    def _start(self) -> bool:
        """Ask for a configuration and submit it; false when there is none left."""
        number = len(self.state.trials)
        proposal = self.proposer.ask(number)
        if proposal is None:
            return False
        uid = uuid.uuid4().hex
        recipe = families.final_recipe(proposal.config, self.config.data, self.config.lean, self.config.own).to_json()
        now = self.executor.now()
        self.write(TrialProposed(at=now, trial=number, uid=uid, config=proposal.config, recipe=recipe, origin=proposal.origin))
        self.executor.submit(self.job(number, uid, proposal.config))
        return True

    def _hear(self, report: Report) -> None:
        """Take in a report, decide, and answer."""
        trial = self.state.trials[report.trial]
        if trial.result is not None:
            return
        decision = self._decide(trial, report)
        self.write(TrialReported(at=self.executor.now(), report=report, decision=decision), durable=False)
        if report.waits:
            self.executor.decide(report.trial, decision)
        elif decision.stop:
            self.executor.cancel(report.trial, decision)

    def _decide(self, trial: Trial, report: Report) -> Decision:
        if report.profile is not None:
            broken = self.config.target.breaks(report.profile)
            return Decision(stop=True, status="infeasible", reason=broken) if broken else GO_ON
        left = self._seconds_left(trial, report)
        if self.purse.deadline is not None and self.executor.now() + left > self.purse.deadline:
            return Decision(stop=True, reason=f"it would have taken {left:.0f} s more, and the budget ends before")
        if not report.waits:
            return GO_ON
        rung = self.at_rung.setdefault(report.epoch, {})
        costs = self._costs(trial, report)
        others = list(rung.values())
        rung[trial.number] = costs
        if goes_on(costs, others):
            return GO_ON
        rank = f"not in the better half of {len(others) + 1} at epoch {report.epoch}"
        return Decision(stop=True, reason=f"{rank} ({self.config.metric} {self._shown(report)})")

    def _shown(self, report: Report) -> str:
        return f"{report.scores.get(self.config.metric, math.nan):.4g}"

    def _seconds_left(self, trial: Trial, report: Report) -> float:
        """What the trial will still take, if its epochs go on as they did from its first to its last; 0 while unknown."""
        first = next((one for one in trial.reports if one.epoch > 0), report)
        epochs = report.epoch - first.epoch
        if not epochs:
            return 0.0
        total = self.config.train.epochs * (self.config.data.folds + 1)
        return (total - report.epoch) * (report.seconds - first.seconds) / epochs

    def _costs(self, trial: Trial, report: Report) -> list[float]:
        """The objectives at a rung: only the score still grows. Times and sizes within 2 % of each other count as equal."""
        return [
            goal.cost(report.scores.get(self.config.metric, math.nan))
            if goal.name == "score"
            else round(math.log(self.state.value(trial, goal)) / TOLD_APART)
            for goal in self.config.objectives
        ]

    def _end(self, result: TrialResult) -> None:
        """Write down how a trial ended, and let the proposer learn from it."""
        trial = self.state.trials[result.trial]
        if trial.result is not None:
            return
        broken = self.config.target.breaks(result.profile) if result.status == "complete" and result.profile else ""
        if broken:  # the finished file is what the limits are for, whatever was weighed before training
            result = result.replace(status="infeasible", reason=broken)
        self.write(TrialEnded(at=self.executor.now(), result=result))
        self.proposer.tell(result.trial, self._lesson(trial, result), violation=self._violation(trial, result))

    def _lesson(self, trial: Trial, result: TrialResult) -> dict[str, float]:
        """What the proposer hears of each objective; times and sizes by their logarithm, as their ratios matter."""
        if result.status == "failed" or trial.profile is None:
            return {}
        last = next((report.scores for report in reversed(trial.reports) if self.config.metric in report.scores), {})
        score = {**last, **result.scores}.get(self.config.metric)
        values = {goal.name: math.log(self.state.value(trial, goal)) for goal in self.config.objectives if goal.name != "score"}
        return values if score is None else {"score": score, **values}

    def _violation(self, trial: Trial, result: TrialResult) -> float:
        """By how much the latency limit was broken, as a logarithm; a small number for another limit."""
        if result.status != "infeasible" or trial.profile is None:
            return 0.0
        limit = self.config.target.max_latency_ms
        return max(1e-3, math.log(trial.profile.latency_ms / limit)) if limit else 1e-3

    def _end_running(self, reason: str) -> None:
        """Ask what still runs to end, give it a moment, then write it off."""
        late = Decision(stop=True, reason=reason)
        for trial in self._running():
            self.executor.cancel(trial.number, late)
        until = self.executor.now() + LAST_WORDS
        while self._running() and self.executor.now() < until:
            for message in self.executor.poll(TICK):
                if isinstance(message, TrialResult):
                    self._end(message)
        for trial in self._running():
            self._end(TrialResult(trial=trial.number, status="stopped", reason=reason, epochs=trial.epochs))

    def _choice(self) -> int | None:
        return self.state.choose().number if self.state.front() else None

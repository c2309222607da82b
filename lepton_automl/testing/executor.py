"""The contract of executors. A plug-in's own test inherits `ExecutorContract` and defines how its executor is started.

Trials are scripted (see `scripted`). An executor that runs trials in other processes gets the function by its path,
`"lepton_automl.testing.executor:scripted"`; one that replays recordings replays what the script would do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lepton_automl.data.prepare import prepare
from lepton_automl.data.store import SPEC, load_spec
from lepton_automl.errors import LeptonError
from lepton_automl.execution.executor import Executor, Message, PlacesChanged
from lepton_automl.jobs import Decision, Report, ScoreJob, TrialJob, TrialResult
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.profile import Measurement, Profile
from lepton_automl.specs import DataSpec, Deployment

SCRIPTED = "lepton_automl.testing.executor:scripted"
EPOCH_SECONDS = 0.02
LONG = 60.0  # seconds within which a worker starts on any machine
ROWS = 40  # of the data
STOP = Decision(stop=True, reason="stopped by the test")


def scripted(job: TrialJob, report: Callable[[Report], Decision], heartbeat: Callable[[], None]) -> TrialResult:
    """A trial that learns nothing: its score after each epoch is the share of epochs done."""
    answer = report(Report(trial=job.trial, epoch=0, profile=profile(), waits=True))
    epoch = 0
    while not answer.stop and epoch < job.train.epochs:
        time.sleep(EPOCH_SECONDS)
        heartbeat()
        epoch += 1
        answer = report(Report(trial=job.trial, epoch=epoch, scores=scores(job, epoch), waits=epoch in job.rungs))
    if answer.stop:
        return TrialResult(trial=job.trial, status=answer.status, reason=answer.reason, epochs=epoch)
    if job.config.get("fails"):
        raise ValueError("it was scripted to fail")
    return TrialResult(trial=job.trial, status="complete", scores=scores(job, epoch), epochs=epoch)


def scores(job: TrialJob, epoch: int) -> dict[str, float]:
    """What the script reports after an epoch."""
    return {job.metric: epoch / job.train.epochs}


def profile() -> Profile:
    """The profile of every scripted trial, with a latency of one millisecond."""
    latency = Measurement(name="latency", unit="ms", median=1.0, low=1.0, high=1.0, p5=1.0, p95=1.0, n=9, clock="thread_cpu")
    return Profile(latency=latency, wall=latency, size_bytes=1000, parameters=100)


def job(trial: int, folder: Path, *, epochs: int = 4, rungs: tuple[int, ...] = (2,), fails: bool = False) -> TrialJob:
    """A scripted trial's job."""
    return TrialJob(
        trial=trial,
        uid=str(trial),
        config={"fails": fails},
        data=_data(folder / "data"),
        deployment=Deployment(),
        train=TrainPlan(epochs=epochs),
        prune=PrunePlan(),
        metric="accuracy",
        rungs=rungs,
        folder=str(folder / "trials" / str(trial)),
        measurement_lock=str(folder / "gate"),
    )


def _data(folder: Path) -> DataSpec:
    """A few prepared rows; scripted trials do not read them."""
    if not (folder / SPEC).is_file():
        rows = [[float(number)] for number in range(ROWS)]
        return prepare((rows, [number % 2 for number in range(ROWS)]), folder)
    return load_spec(folder)


def _timeout() -> Callable[[], None]:
    """A function to call repeatedly, which fails after `LONG` seconds."""
    until = time.monotonic() + LONG

    def on_tick() -> None:
        assert time.monotonic() < until, "the request does not end"

    return on_tick


class ExecutorContract:
    """The contract as pytest tests: inherit it in a class whose name begins with `Test`."""

    def start(self, slots: int, folder: Path) -> Executor:
        """The executor under test, which runs scripted trials.

        Args:
            slots: How many trials it runs at once.
            folder: An empty folder for its files.
        """
        raise NotImplementedError

    def lose_place(self, executor: Executor) -> None:
        """Remove the place of the running trial and add another; an executor with fixed places skips this."""
        del executor
        pytest.skip("its places do not change")

    def collect(
        self, executor: Executor, trials: int, answer: Callable[[Report], Decision] = lambda _: Decision()
    ) -> list[Message]:
        """All messages until a number of trials have ended; reports that wait are answered."""
        messages: list[Message] = []
        until = time.monotonic() + LONG
        while sum(isinstance(message, TrialResult) for message in messages) < trials:
            assert time.monotonic() < until, f"only these messages arrived: {messages}"
            for message in executor.poll(1.0):
                messages.append(message)
                if isinstance(message, Report) and message.waits:
                    executor.decide(message.trial, answer(message))
        return messages

    def until_report(self, executor: Executor, epoch: int) -> Report:
        """The report of an epoch, which is left unanswered; earlier reports are answered."""
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            for message in executor.poll(1.0):
                assert isinstance(message, Report)
                if message.epoch == epoch:
                    return message
                if message.waits:
                    executor.decide(message.trial, Decision())
        raise AssertionError(f"epoch {epoch} was never reported")

    def test_a_trial_reports_every_epoch_in_order_and_then_its_result(self, tmp_path: Path) -> None:
        """Reports come in order, rungs wait, the result comes last and once."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(5, tmp_path))
            *reports, result = self.collect(executor, 1)
            assert [(report.epoch, report.waits) for report in reports if isinstance(report, Report)] == [
                (0, True), (1, False), (2, True), (3, False), (4, False),
            ]  # fmt: skip
            assert (
                all(isinstance(report, Report) and report.trial == 5 for report in reports)
                and isinstance(reports[0], Report)
                and reports[0].profile is not None
            )
            assert isinstance(result, TrialResult) and result.status == "complete" and result.epochs == 4
            assert not executor.poll(0.1)

    def test_a_trial_waits_at_a_rung_until_it_is_answered(self, tmp_path: Path) -> None:
        """No epoch is trained before the decision."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.until_report(executor, 2)
            assert not executor.poll(0.3) and not executor.poll(0.3)
            executor.decide(0, Decision())
            result = self.collect(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "complete"

    def test_a_stopped_trial_ends_with_the_status_of_the_decision(self, tmp_path: Path) -> None:
        """The result has the decision's status and reason; the slot is free again."""
        with closing(self.start(1, tmp_path)) as executor:
            for number, status in enumerate(("stopped", "infeasible")):
                executor.submit(job(number, tmp_path))
                decision = STOP.replace(status=status)
                messages = self.collect(executor, 1, lambda report, reply=decision: reply if report.epoch == 2 else Decision())  # type: ignore[misc]  # mypy cannot infer a lambda's default
                result = messages[-1]
                assert isinstance(result, TrialResult) and (result.trial, result.status) == (number, status)
                assert result.reason == STOP.reason and result.epochs == 2

    def test_a_cancelled_trial_ends_early_with_the_status_stopped(self, tmp_path: Path) -> None:
        """A trial that does not wait at a rung ends at its next batch or epoch."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, epochs=500, rungs=()))
            self.until_report(executor, 3)
            executor.cancel(0, STOP)
            result = self.collect(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "stopped" and result.epochs < 500

    def test_a_trial_that_is_cancelled_before_it_starts_ends_too(self, tmp_path: Path) -> None:
        """The worker may still be starting when the job and its cancellation arrive together."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            executor.cancel(0, STOP)
            messages = self.collect(executor, 1, lambda _: STOP.replace(reason="the cancellation was lost"))
            assert isinstance(messages[-1], TrialResult) and messages[-1].reason == STOP.reason

    def test_a_request_does_not_wait_for_an_abandoned_trial(self, tmp_path: Path) -> None:
        """A trial that waits at a rung for a decision that never comes makes room for the request."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.until_report(executor, 2)
            try:
                executor.run(ScoreJob(data=job(0, tmp_path).data, bundles={0: str(tmp_path)}), _timeout())
            except LeptonError:  # there is nothing to score
                return
            raise AssertionError("it should have failed")

    def test_messages_to_an_ended_trial_are_ignored(self, tmp_path: Path) -> None:
        """A decision may be sent at the same time as the result."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.collect(executor, 1)
            executor.cancel(0, STOP)
            executor.decide(0, STOP)
            executor.submit(job(1, tmp_path))
            result = self.collect(executor, 1)[-1]
            assert isinstance(result, TrialResult) and (result.trial, result.status) == (1, "complete")

    def test_a_failure_has_a_reason_and_does_not_affect_the_next_trial(self, tmp_path: Path) -> None:
        """An error in a trial is the fault of its candidate."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, fails=True))
            failed = self.collect(executor, 1)[-1]
            assert isinstance(failed, TrialResult) and failed.status == "failed" and failed.fault == "candidate"
            assert "it was scripted to fail" in failed.reason
            executor.submit(job(1, tmp_path))
            result = self.collect(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "complete"

    def test_as_many_trials_run_at_once_as_there_are_slots(self, tmp_path: Path) -> None:
        """Neither of two trials waits for the other to end."""
        with closing(self.start(2, tmp_path)) as executor:
            assert executor.slots == 2
            for number in range(2):
                executor.submit(job(number, tmp_path, epochs=60, rungs=()))
            messages = self.collect(executor, 2)
            ends = [place for place, message in enumerate(messages) if isinstance(message, TrialResult)]
            firsts = [
                next(place for place, message in enumerate(messages) if isinstance(message, Report) and message.trial == number)
                for number in range(2)
            ]
            assert max(firsts) < min(ends)

    def test_it_does_not_wait_if_it_is_alone(self, tmp_path: Path) -> None:
        """Slots that it gave up are available again when it needs them."""
        with closing(self.start(2, tmp_path)) as executor:
            executor.request_slots(0)
            executor.poll(0.1)
            assert executor.waiting_reason() == ""
            executor.request_slots(2)
            executor.poll(0.1)
            assert executor.slots == 2 and executor.waiting_reason() == ""

    def test_held_trials_pause_and_lose_nothing(self, tmp_path: Path) -> None:
        """While they are held, only messages already sent arrive; when they go on, every epoch is reported."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            self.until_report(executor, 2)
            executor.hold(held=True)
            executor.hold(held=True)
            messages = list(executor.poll(0.3))
            assert not executor.poll(0.5)
            executor.hold(held=False)
            messages += self.collect(executor, 1)
            epochs = [message.epoch for message in messages if isinstance(message, Report)]
            assert epochs == [*range(3, 41)] and isinstance(messages[-1], TrialResult)

    def test_a_request_that_fails_raises_in_the_caller(self, tmp_path: Path) -> None:
        """With a `LeptonError`."""
        with closing(self.start(1, tmp_path)) as executor:
            request = ScoreJob(data=job(0, tmp_path).data, bundles={0: str(tmp_path)})
            try:
                executor.run(request)
            except LeptonError:
                return
            raise AssertionError("it should have failed")

    def test_the_clock_goes_forward(self, tmp_path: Path) -> None:
        """Waiting takes time, by the executor's own clock."""
        with closing(self.start(1, tmp_path)) as executor:
            before = executor.now()
            executor.poll(0.1)
            assert executor.now() > before and math.isfinite(before)

    def test_it_may_be_closed_in_the_middle_of_a_trial_and_again(self, tmp_path: Path) -> None:
        """The caller does not need to know what is running."""
        executor = self.start(1, tmp_path)
        executor.submit(job(0, tmp_path, epochs=500))
        self.until_report(executor, 0)
        executor.close()
        executor.close()

    def test_its_places_have_unique_ids(self, tmp_path: Path) -> None:
        """They have at least as many slots as the executor."""
        with closing(self.start(2, tmp_path)) as executor:
            places = executor.places()
            assert places and len({place.id for place in places}) == len(places)
            assert sum(place.slots for place in places) >= executor.slots

    def test_a_trial_whose_place_vanishes_can_be_run_elsewhere(self, tmp_path: Path) -> None:
        """The change of places is reported first, then a failure with the fault `place`; submitted again, the trial completes."""
        with closing(self.start(1, tmp_path)) as executor:
            before = executor.places()
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            self.until_report(executor, 2)
            self.lose_place(executor)
            messages = self.collect(executor, 1)
            change, result = messages[-2], messages[-1]
            assert isinstance(change, PlacesChanged) and change.removed == before and change.text
            assert change.added == executor.places() and not {place.id for place in change.added} & {
                place.id for place in before
            }
            assert isinstance(result, TrialResult) and (result.status, result.fault) == ("failed", "place")
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            again = self.collect(executor, 1)[-1]
            assert isinstance(again, TrialResult) and again.status == "complete" and again.epochs == 40

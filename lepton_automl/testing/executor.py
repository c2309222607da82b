"""What every executor must do. A plug-in's own test inherits `ExecutorContract` and says how its executor is started.

Trials are scripted (see `scripted`): an executor that runs walks in other processes is given the function by its path,
`"lepton_automl.testing.executor:scripted"`; one that plays recordings plays what the script would do.
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
LONG = 60.0  # seconds in which a worker has started, on whatever machine
ROWS = 40  # of the data
STOP = Decision(stop=True, reason="it was told to")


def scripted(job: TrialJob, report: Callable[[Report], Decision], heartbeat: Callable[[], None]) -> TrialResult:
    """A trial that learns nothing: its score after each epoch is the epoch's share of all."""
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
    """What every scripted trial weighs: a millisecond."""
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


def _patience() -> Callable[[], None]:
    """What loses its patience in the end, called again and again."""
    until = time.monotonic() + LONG

    def on_tick() -> None:
        assert time.monotonic() < until, "the request never ends"

    return on_tick


class ExecutorContract:
    """The contract, as tests for pytest: inherit it in a class whose name begins with `Test`."""

    def start(self, slots: int, folder: Path) -> Executor:
        """The executor under test, which runs scripted trials.

        Args:
            slots: How many trials it is to run at once.
            folder: An empty folder for whatever it leaves.
        """
        raise NotImplementedError

    def lose_place(self, executor: Executor) -> None:
        """Make the place of the running trial vanish, and another appear; an executor whose places stay skips this."""
        del executor
        pytest.skip("its places do not change")

    def hear(
        self, executor: Executor, trials: int, answer: Callable[[Report], Decision] = lambda _: Decision()
    ) -> list[Message]:
        """All messages until so many trials have ended; reports that wait are answered."""
        heard: list[Message] = []
        until = time.monotonic() + LONG
        while sum(isinstance(message, TrialResult) for message in heard) < trials:
            assert time.monotonic() < until, f"only this was said: {heard}"
            for message in executor.poll(1.0):
                heard.append(message)
                if isinstance(message, Report) and message.waits:
                    executor.decide(message.trial, answer(message))
        return heard

    def until_report(self, executor: Executor, epoch: int) -> Report:
        """The report of an epoch, which is not answered; those before it are."""
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            for message in executor.poll(1.0):
                assert isinstance(message, Report)
                if message.epoch == epoch:
                    return message
                if message.waits:
                    executor.decide(message.trial, Decision())
        raise AssertionError(f"epoch {epoch} was never reported")

    def test_a_trial_says_every_epoch_in_order_and_then_how_it_ended(self, tmp_path: Path) -> None:
        """Reports come in order, rungs wait, the result comes last and once."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(5, tmp_path))
            *reports, result = self.hear(executor, 1)
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

    def test_a_trial_at_a_rung_stands_still_until_it_is_answered(self, tmp_path: Path) -> None:
        """Nothing is trained that nobody has decided on."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.until_report(executor, 2)
            assert not executor.poll(0.3) and not executor.poll(0.3)
            executor.decide(0, Decision())
            result = self.hear(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "complete"

    def test_a_trial_that_is_told_to_stop_ends_as_it_was_told(self, tmp_path: Path) -> None:
        """The decision's status and reason are the result's; its slot is free again."""
        with closing(self.start(1, tmp_path)) as executor:
            for number, status in enumerate(("stopped", "infeasible")):
                executor.submit(job(number, tmp_path))
                decision = STOP.replace(status=status)
                result = self.hear(executor, 1, lambda report, answer=decision: answer if report.epoch == 2 else Decision())[-1]  # type: ignore[misc]  # mypy cannot infer a lambda's default
                assert isinstance(result, TrialResult) and (result.trial, result.status) == (number, status)
                assert result.reason == STOP.reason and result.epochs == 2

    def test_a_cancelled_trial_ends_early_and_says_so(self, tmp_path: Path) -> None:
        """A trial that waits for nothing ends at its next batch or epoch."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, epochs=500, rungs=()))
            self.until_report(executor, 3)
            executor.cancel(0, STOP)
            result = self.hear(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "stopped" and result.epochs < 500

    def test_a_trial_that_is_cancelled_before_it_has_begun_ends_too(self, tmp_path: Path) -> None:
        """A worker may still be starting when its job and the word to leave it arrive together."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            executor.cancel(0, STOP)
            messages = self.hear(executor, 1, lambda _: STOP.replace(reason="it did not hear the first word"))
            assert isinstance(messages[-1], TrialResult) and messages[-1].reason == STOP.reason

    def test_an_errand_does_not_wait_for_a_trial_that_was_written_off(self, tmp_path: Path) -> None:
        """A trial at a rung, to which nobody listens any more, makes room."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.until_report(executor, 2)
            try:
                executor.run(ScoreJob(data=job(0, tmp_path).data, bundles={0: str(tmp_path)}), _patience())
            except LeptonError:  # there is nothing to score
                return
            raise AssertionError("it should have failed")

    def test_words_to_a_trial_that_has_ended_do_no_harm(self, tmp_path: Path) -> None:
        """A decision may cross with a result."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path))
            self.hear(executor, 1)
            executor.cancel(0, STOP)
            executor.decide(0, STOP)
            executor.submit(job(1, tmp_path))
            result = self.hear(executor, 1)[-1]
            assert isinstance(result, TrialResult) and (result.trial, result.status) == (1, "complete")

    def test_a_failure_carries_its_reason_and_spares_the_next_trial(self, tmp_path: Path) -> None:
        """What a candidate does wrong is its own fault."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, fails=True))
            failed = self.hear(executor, 1)[-1]
            assert isinstance(failed, TrialResult) and failed.status == "failed" and failed.fault == "candidate"
            assert "it was scripted to fail" in failed.reason
            executor.submit(job(1, tmp_path))
            result = self.hear(executor, 1)[-1]
            assert isinstance(result, TrialResult) and result.status == "complete"

    def test_as_many_trials_run_at_once_as_there_are_slots(self, tmp_path: Path) -> None:
        """Neither of two waits for the other's end."""
        with closing(self.start(2, tmp_path)) as executor:
            assert executor.slots == 2
            for number in range(2):
                executor.submit(job(number, tmp_path, epochs=60, rungs=()))
            heard = self.hear(executor, 2)
            ends = [place for place, message in enumerate(heard) if isinstance(message, TrialResult)]
            firsts = [
                next(place for place, message in enumerate(heard) if isinstance(message, Report) and message.trial == number)
                for number in range(2)
            ]
            assert max(firsts) < min(ends)

    def test_it_waits_for_nothing_where_it_is_alone(self, tmp_path: Path) -> None:
        """What it does not need it has again when it needs it."""
        with closing(self.start(2, tmp_path)) as executor:
            executor.request_slots(0)
            executor.poll(0.1)
            assert executor.waiting_reason() == ""
            executor.request_slots(2)
            executor.poll(0.1)
            assert executor.slots == 2 and executor.waiting_reason() == ""

    def test_held_trials_stand_still_and_lose_nothing(self, tmp_path: Path) -> None:
        """No word while they are held, but for those that were under way; every epoch once they go on."""
        with closing(self.start(1, tmp_path)) as executor:
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            self.until_report(executor, 2)
            executor.hold(held=True)
            executor.hold(held=True)
            messages = list(executor.poll(0.3))
            assert not executor.poll(0.5)
            executor.hold(held=False)
            messages += self.hear(executor, 1)
            epochs = [message.epoch for message in messages if isinstance(message, Report)]
            assert epochs == [*range(3, 41)] and isinstance(messages[-1], TrialResult)

    def test_an_errand_that_fails_is_raised_where_it_was_sent_from(self, tmp_path: Path) -> None:
        """In words for people."""
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
        """Whoever ends a search need not know what runs."""
        executor = self.start(1, tmp_path)
        executor.submit(job(0, tmp_path, epochs=500))
        self.until_report(executor, 0)
        executor.close()
        executor.close()

    def test_its_places_have_names_of_their_own(self, tmp_path: Path) -> None:
        """And as many slots as can be used."""
        with closing(self.start(2, tmp_path)) as executor:
            places = executor.places()
            assert places and len({place.id for place in places}) == len(places)
            assert sum(place.slots for place in places) >= executor.slots

    def test_a_trial_whose_place_vanishes_can_be_run_elsewhere(self, tmp_path: Path) -> None:
        """It ends by the fault of its place, which is reported first; submitted again, it completes."""
        with closing(self.start(1, tmp_path)) as executor:
            before = executor.places()
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            self.until_report(executor, 2)
            self.lose_place(executor)
            heard = self.hear(executor, 1)
            change, result = heard[-2], heard[-1]
            assert isinstance(change, PlacesChanged) and change.removed == before and change.text
            assert change.added == executor.places() and not {place.id for place in change.added} & {
                place.id for place in before
            }
            assert isinstance(result, TrialResult) and (result.status, result.fault) == ("failed", "place")
            executor.submit(job(0, tmp_path, epochs=40, rungs=()))
            again = self.hear(executor, 1)[-1]
            assert isinstance(again, TrialResult) and again.status == "complete" and again.epochs == 40

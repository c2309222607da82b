"""Driving a study from anywhere: pausing, stopping and extending it, and changing what it searches while it runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from types import EllipsisType

from lepton_automl.errors import Complaints, ConfigError, StudyError, did_you_mean
from lepton_automl.search.budget import BudgetTracker
from lepton_automl.space import Setting
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.trust import remember

from .client import LOOK, StudyClient
from .commands import CommandSender, command
from .limits import check_limits


class StudyControl:
    """Commands to a study. Each returns when the search has recorded it.

    Args:
        study: The study.
    """

    def __init__(self, study: StudyClient) -> None:
        self._study, self._commands = study, CommandSender(study)

    def pause(self) -> None:
        """Hold all trials where they are; paused time is not part of the budget.

        Raises:
            StudyError: The search is not running, or does not answer.
        """
        self._commands.send(command("pause"))

    def trust(self) -> None:
        """Say that the code which the study carries may run here: the factory of a person's own networks.

        That is remembered for this user, by the code's digest.
        """
        for code in self._study.state.settings.code:
            remember(code.digest)

    def resume(self, *, trust: bool = False) -> None:
        """Go on: after a pause, with a new process where the old one is lost, or with what is left of a stopped one's budget.

        Args:
            trust: Whether code that the study carries may run here; see `trust`.

        Raises:
            StudyError: Its budget is spent, or it does not answer.
        """
        if trust:
            self.trust()
        status = self._commands.settled()
        if status in {"starting", "running", "paused"}:
            self._commands.send(command("resume"))
        else:
            spent = BudgetTracker(self._study.state).spent(time.time()) if self._study.state.ended else ""
            if spent and self._study.is_published:
                unit = self._study.state.settings.budget.units[0]
                raise StudyError(
                    spent, where=self._study.name, fix=f"Extend its budget: lepton extend {self._study.name} --{unit} 5"
                )
            self._commands.launch()

    def stop(self, *, wait: bool = True, grace: float | None = None) -> None:
        """End the search; what it found stands, and its chosen model is handed over. Nothing is left where it had not begun.

        Args:
            wait: Return only when the model is handed over.
            grace: Seconds in which all has to be handed over; what is not ready by then waits for `resume`. None for as long
                as it takes.

        Raises:
            StudyError: The study's process is lost, or does not answer.
        """
        status = self._study.status
        if status == "starting":
            self._commands.stop_at_the_start()
            if not self._study.folder.exists():
                return
        elif status in {"running", "paused", "lost"} and not self._commands.send(command("stop", grace=grace)):
            return
        if wait:
            self._study.wait()

    def extend(
        self,
        *,
        minutes: float | None = None,
        trials: int | None = None,
        epochs: int | None = None,
        cost: float | None = None,
    ) -> None:
        """Add to the budget; a study that has ended goes on where it ended.

        Args:
            minutes: More minutes.
            trials: More trials.
            epochs: More epochs.
            cost: More money.

        Raises:
            ConfigError: The budget has no such unit, or would still be spent.
            StudyError: The search does not answer.
        """
        status = self._commands.settled()
        more = {"minutes": minutes, "trials": trials, "epochs": epochs, "cost": cost}
        budget = extended(self._study.state.settings.budget, more)
        state = dataclasses.replace(self._study.state, config=self._study.state.settings.replace(budget=budget))
        if spent := BudgetTracker(state).spent(time.time()):
            raise ConfigError(
                f"the study would still stop, as {spent}", where="extend", fix="Extend that as well, in the same call."
            )
        request = command("extend", budget=budget)
        if status in {"ended", "lost"} or not self._commands.send(request):
            self._commands.launch(request)

    def limit(
        self, *, max_latency_ms: float | EllipsisType | None = ..., max_size_bytes: int | EllipsisType | None = ...
    ) -> None:
        """Set hard limits, or lift them; a limit that is not named stays as it is.

        From now on candidates that break one are infeasible: new ones before any training, running ones at their next
        report. Finished models that break one leave the front, and come back when it is lifted. Of a study that has ended
        the front alone changes; it goes on within the limits if its budget is extended. One that is still weighing its
        machine is waited for.

        Args:
            max_latency_ms: What one call may take on the target, in milliseconds; None to lift the limit.
            max_size_bytes: What the exported model file may take, in bytes; None to lift the limit.

        Raises:
            ConfigError: Nothing is given, or something is out of range.
            LimitError: Nothing can keep the limits; the message says what the fastest network known takes.
            StudyError: The search does not answer.
        """
        named = {"max_latency_ms": max_latency_ms, "max_size_bytes": max_size_bytes}
        limits = {name: limit for name, limit in named.items() if limit is not ...}
        if not limits:
            fix = "Give a limit, such as limit(max_latency_ms=0.5); None removes it."
            raise ConfigError("no limit is given", where="limit", fix=fix)
        state = self._weighed()
        deployment = state.settings.deployment.replace(**limits)
        if state.host_benchmark is not None:
            check_limits(
                deployment, state.host_benchmark.benchmark, [trial.profile for trial in state.trials.values() if trial.profile]
            )
        self._commands.record(command("limit", deployment=deployment))

    def pin(self, config: Mapping[str, Setting]) -> None:
        """Pin hyperparameters: every later trial has these settings; what was learnt about the others stands.

        Args:
            config: A value for each hyperparameter to pin, beside those that are pinned already.

        Raises:
            ConfigError: Nothing is given, or a hyperparameter is unknown or out of range; all of it is listed.
            StudyError: The search does not answer.
        """
        if not config:
            raise ConfigError(
                "no hyperparameter is given", where="pin", fix="Give a hyperparameter and its value: pin({'train.lr': 0.01})."
            )
        self._study.state.settings.space.complete(config)
        self._commands.record(command("pin", config=dict(config)))

    def unpin(self, *names: str) -> None:
        """Let pinned hyperparameters vary again.

        Args:
            *names: Their names; all that are pinned, if none is given.

        Raises:
            ConfigError: A hyperparameter is not pinned; all such are listed.
            StudyError: The search does not answer.
        """
        complaints, pinned = Complaints("unpin"), self._study.state.pinned
        for name in names:
            complaints.check(name in pinned, f"{name!r} is not pinned.{did_you_mean(name, pinned)}")
        complaints.check(pinned or names, "nothing is pinned")
        complaints.raise_any()
        self._commands.record(command("unpin", hyperparameters=names or tuple(pinned)))

    def enqueue(self, config: Mapping[str, Setting]) -> None:
        """Try a configuration next.

        Args:
            config: Settings of hyperparameters; those left out stand at their defaults, or where they are pinned.

        Raises:
            ConfigError: A hyperparameter is unknown, out of range or pinned elsewhere; all of it is listed.
            StudyError: The search is not running, or does not answer.
        """
        request, pinned = command("enqueue", config=dict(config)), self._study.state.pinned
        self._study.state.settings.space.complete(config)
        complaints = Complaints("enqueue")
        for name in pinned.keys() & config.keys():
            held = pinned[name]
            complaints.check(config[name] == held, f"{name} is pinned to {held!r}", f"Call unpin({name!r}) first.")
        complaints.raise_any()
        self._commands.send_while_it_runs(request)

    def retune(self, trial: int, trials: int = 8) -> None:
        """Try variations of a trial's configuration next: of each, one to three hyperparameters are changed, the rest stays as it is.

        They are trained like any other candidate, from fresh weights. Fewer are tried where there are no more that are new.

        Args:
            trial: The trial's number.
            trials: How many variations.

        Raises:
            ConfigError: There is no such trial, or `trials` is no whole number of at least 1.
            StudyError: The search is not running, or does not answer.
        """
        number = self._study.state.trial(trial).number
        if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
            raise ConfigError(f"trials is {trials!r}; it must be an integer of at least 1", where="retune")
        self._commands.send_while_it_runs(command("retune", trial=number, trials=trials))

    def repair(self) -> str:
        """Put a damaged journal right, from its whole lines, their copies and the models' folders; convert an older format.

        The old file is kept beside the new one.

        Returns:
            What was done, in words; empty where nothing is wrong.

        Raises:
            StudyError: The study runs, there is none, or nothing of it can be restored.
        """
        from .repair import repair

        return repair(self._study.name, self._study.home)

    def _weighed(self) -> StudyState:
        """The state, once the machine is weighed: only then is it known what can be kept."""
        while self._study.status == "starting":
            time.sleep(LOOK)
        return self._study.state


def extended(budget: Budget, more: Mapping[str, float | None]) -> Budget:
    """A budget with more of what it has.

    Raises:
        ConfigError: It has no such unit, nothing is given, or something is not above zero; all of it is listed.
    """
    complaints = Complaints("extend")
    amounts = {name: amount for name, amount in more.items() if amount is not None}
    limited = budget.units
    fix = f"Its budget is in {' and '.join(limited)}: use extend({limited[0]}=...)."
    complaints.check(bool(amounts), "no amount is given", fix)
    for name, amount in amounts.items():
        complaints.check(name in limited, f"the study's budget has no {name}", fix)
        complaints.check(amount > 0, f"{name} is {amount!r}; it must be a number above 0")
    complaints.raise_any()
    return budget.replace(**{name: getattr(budget, name) + amount for name, amount in amounts.items()})

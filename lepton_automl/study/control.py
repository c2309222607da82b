"""Controlling a study from any process: pausing, stopping and extending it, and changing what it searches while it runs."""

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
        """Pause all trials; paused time does not count against the budget.

        Raises:
            StudyError: The search is not running, or does not respond.
        """
        self._commands.send(command("pause"))

    def trust(self) -> None:
        """Allow the code that the study carries to run here, such as the factory of custom networks.

        This is remembered for this user, by the code's digest.
        """
        for code in self._study.state.settings.code:
            remember(code.digest)

    def resume(self, *, trust: bool = False) -> None:
        """Continue: after a pause, with a new process if the old one is lost, or with the rest of a stopped study's budget.

        Args:
            trust: Whether code that the study carries may run here; see `trust`.

        Raises:
            StudyError: Its budget is spent, or it does not respond.
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
        """End the search, keep its results and publish its chosen model. A study that had not begun leaves nothing.

        Args:
            wait: Whether to return only when the model is published.
            grace: Seconds in which everything has to be published; `resume` finishes what is not ready by then. None for as
                long as it takes.

        Raises:
            StudyError: The study's process is lost, or does not respond.
        """
        status = self._study.status
        if status == "starting":
            self._commands.stop_before_start()
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
        """Add to the budget; a study that has ended continues.

        Args:
            minutes: More minutes.
            trials: More trials.
            epochs: More epochs.
            cost: More money.

        Raises:
            ConfigError: The budget has no such unit, or would still be spent.
            StudyError: The search does not respond.
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
        """Set or remove hard limits; a limit that is not given stays as it is.

        From now on, candidates over a limit are infeasible: new ones before any training, running ones at their next report.
        Finished models over a limit leave the front, and return when it is removed. If the study has ended, only its front
        changes; it continues within the limits if its budget is extended. If the machine is still being benchmarked, this
        waits for the benchmark.

        Args:
            max_latency_ms: Maximum latency of one call on the deployment device, in milliseconds; None removes the limit.
            max_size_bytes: Maximum size of the exported model file, in bytes; None removes the limit.

        Raises:
            ConfigError: Nothing is given, or a value is out of range.
            LimitError: No known network meets the limits; the message gives the latency and size of the fastest one.
            StudyError: The search does not respond.
        """
        named = {"max_latency_ms": max_latency_ms, "max_size_bytes": max_size_bytes}
        limits = {name: limit for name, limit in named.items() if limit is not ...}
        if not limits:
            fix = "Give a limit, such as limit(max_latency_ms=0.5); None removes it."
            raise ConfigError("no limit is given", where="limit", fix=fix)
        state = self._benchmarked_state()
        deployment = state.settings.deployment.replace(**limits)
        if state.host_benchmark is not None:
            check_limits(
                deployment, state.host_benchmark.benchmark, [trial.profile for trial in state.trials.values() if trial.profile]
            )
        self._commands.record(command("limit", deployment=deployment))

    def pin(self, config: Mapping[str, Setting]) -> None:
        """Pin hyperparameters: every later trial has these values; what was learned about the others is kept.

        Args:
            config: A value for each hyperparameter to pin, in addition to those that are pinned already.

        Raises:
            ConfigError: Nothing is given, or a hyperparameter is unknown or out of range; all problems are listed.
            StudyError: The search does not respond.
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
            StudyError: The search does not respond.
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
            config: Values of hyperparameters; those left out have their pinned values, else their defaults.

        Raises:
            ConfigError: A hyperparameter is unknown, out of range or pinned to another value; all problems are listed.
            StudyError: The search is not running, or does not respond.
        """
        request, pinned = command("enqueue", config=dict(config)), self._study.state.pinned
        self._study.state.settings.space.complete(config)
        complaints = Complaints("enqueue")
        for name in pinned.keys() & config.keys():
            value = pinned[name]
            complaints.check(config[name] == value, f"{name} is pinned to {value!r}", f"Call unpin({name!r}) first.")
        complaints.raise_any()
        self._commands.send_while_it_runs(request)

    def retune(self, trial: int, trials: int = 8) -> None:
        """Try variations of a trial's configuration next; each one changes one to three hyperparameters.

        They are trained like any other candidate, from fresh weights. Fewer are tried if there are not enough new ones.

        Args:
            trial: The trial's number.
            trials: How many variations.

        Raises:
            ConfigError: There is no such trial, or `trials` is not an integer of at least 1.
            StudyError: The search is not running, or does not respond.
        """
        number = self._study.state.trial(trial).number
        if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
            raise ConfigError(f"trials is {trials!r}; it must be an integer of at least 1", where="retune")
        self._commands.send_while_it_runs(command("retune", trial=number, trials=trials))

    def repair(self) -> str:
        """Repair a damaged journal, from its intact lines, their copies and the models' folders; convert an older format.

        The old file is kept beside the new one.

        Returns:
            What was done, in a sentence; empty if nothing was wrong.

        Raises:
            StudyError: The study is running, does not exist, or nothing of it can be restored.
        """
        from .repair import repair

        return repair(self._study.name, self._study.home)

    def _benchmarked_state(self) -> StudyState:
        """The state, once the machine is benchmarked: only then is it known which limits can be met."""
        while self._study.status == "starting":
            time.sleep(LOOK)
        return self._study.state


def extended(budget: Budget, more: Mapping[str, float | None]) -> Budget:
    """A budget with larger amounts of its units.

    Raises:
        ConfigError: It has no such unit, nothing is given, or an amount is not above zero; all problems are listed.
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

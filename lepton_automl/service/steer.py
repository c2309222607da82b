"""Changing what a study searches while it runs: what comes next, what stands still, and what must be kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import EllipsisType

from lepton_automl.errors import Complaints, ConfigError, StudyError, did_you_mean
from lepton_automl.events import Asked
from lepton_automl.space import Setting
from lepton_automl.state import StudyState

from .control import LOOK, Controls, limits, wish
from .limits import check_limits


class Steering(Controls):
    """A handle that can also change the course. Each asking returns when the search has written down that it heard it."""

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
        given = {name: limit for name, limit in named.items() if limit is not ...}
        if not given:
            fix = "Say limit(max_latency_ms=0.5), or None in place of a number to lift a limit."
            raise ConfigError("nothing is given", where="limit", fix=fix)
        state = self._weighed()
        target = state.settings.target.replace(**given)
        if state.weighed is not None:
            check_limits(target, state.weighed.weighed, [trial.profile for trial in state.trials.values() if trial.profile])
        self._tell(wish("limit", target=target))

    def pin(self, config: Mapping[str, Setting]) -> None:
        """Hold knobs still: whatever is tried from now on has these settings; what was learnt of the other knobs stands.

        Args:
            config: A setting for each knob to hold, beside those that are pinned already.

        Raises:
            ConfigError: Nothing is given, or a knob is unknown or out of range; all of it is listed.
            StudyError: The search does not answer.
        """
        if not config:
            raise ConfigError("nothing is given", where="pin", fix="Name a knob and its setting: pin({'train.lr': 0.01}).")
        self.state.settings.space.complete(config)
        self._tell(wish("pin", config=dict(config)))

    def unpin(self, *names: str) -> None:
        """Let pinned knobs turn again.

        Args:
            *names: Their names; all that are pinned, if none is given.

        Raises:
            ConfigError: A knob is not pinned; all such are listed.
            StudyError: The search does not answer.
        """
        complaints, pinned = Complaints("unpin"), self.state.pinned
        for name in names:
            complaints.check(name in pinned, f"{name!r} is not pinned.{did_you_mean(name, pinned)}")
        complaints.check(pinned or names, "nothing is pinned")
        complaints.raise_any()
        self._tell(wish("unpin", knobs=names or tuple(pinned)))

    def enqueue(self, config: Mapping[str, Setting]) -> None:
        """Try a configuration next.

        Args:
            config: Settings of knobs; those left out stand at their defaults, or where they are pinned.

        Raises:
            ConfigError: A knob is unknown, out of range or pinned elsewhere; all of it is listed.
            StudyError: The search is not running, or does not answer.
        """
        asked, pinned = wish("enqueue", config=dict(config)), self.state.pinned
        self.state.settings.space.complete(config)
        complaints = Complaints("enqueue")
        for name in pinned.keys() & config.keys():
            held = pinned[name]
            complaints.check(config[name] == held, f"{name} is pinned to {held!r}", f"Say unpin({name!r}) first.")
        complaints.raise_any()
        self._ask_while_it_runs(asked)

    def retune(self, trial: int, trials: int = 8) -> None:
        """Try variations of a trial's configuration next: of each, one to three knobs are turned, the rest stays as it is.

        They are trained like any other candidate, from fresh weights. Fewer are tried where there are no more that are new.

        Args:
            trial: The trial's number.
            trials: How many variations.

        Raises:
            ConfigError: There is no such trial, or `trials` is no whole number of at least 1.
            StudyError: The search is not running, or does not answer.
        """
        number = self.state.trial(trial).number
        if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
            raise ConfigError(f"trials is {trials!r}; it must be a whole number of at least 1", where="retune")
        self._ask_while_it_runs(wish("retune", trial=number, trials=trials))

    # How it is asked

    def _weighed(self) -> StudyState:
        """The state, once the machine is weighed: only then is it known what can be kept."""
        while self.status == "starting":
            time.sleep(LOOK)
        return self.state

    def _ask_while_it_runs(self, asked: Asked) -> None:
        """Ask for trials, which a study that has ended has no budget for."""
        if not self._ask(asked):
            unit = limits(self.state.settings.budget)[0]
            fix = f"Extend its budget, then {asked.what}: extend({unit}=...), or lepton extend {self.name} --{unit} 5"
            raise StudyError("it has ended", where=self.name, fix=fix)

    def _tell(self, asked: Asked) -> None:
        """Ask; of a study that has ended, write it down for whoever looks at it or goes on with it."""
        if not self._ask(asked):
            self._settled()
            self._check_whole()
            with self.home.held(self.name):
                self.note(asked)

"""Driving a study from anywhere: what people ask of it, and how they hear that it was heard."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

from lepton_automl.errors import Complaints, ConfigError, StudyError
from lepton_automl.events import Asked, Event, Request
from lepton_automl.factory import TRUST
from lepton_automl.home import JOURNAL
from lepton_automl.journal import Journal
from lepton_automl.search.budget import Purse
from lepton_automl.trust import remember
from lepton_automl.values import Budget

from .handle import Handle
from .launch import WISHES, launch, lost

LOOK = 0.02  # seconds between looks for an answer
ANSWER = 2.0  # seconds in which a search that runs answers; it looks five times a second
START = 120.0  # seconds in which one that is launched does, on a machine that is busy
NUDGE = 10.0  # seconds after which a search that has not begun gets a signal, too
STANDS: dict[str, bool] = {"pause": True, "resume": False}  # whether the study is paused, once such an asking is done
UNITS = ("minutes", "trials", "epochs", "cost")


class Controls(Handle):
    """A handle that can also ask. Each asking returns when the search has written down that it heard it."""

    def pause(self) -> None:
        """Hold all trials where they are; paused time is not part of the budget.

        Raises:
            StudyError: The search is not running, or does not answer.
        """
        self._ask(wish("pause"))

    def trust(self) -> Self:
        """Say that the code which the study carries may run here: the factory of a person's own networks.

        That is remembered for this user, by the code's digest.
        """
        own = self.state.settings.own
        if own is not None:
            remember(own.digest)
        return self

    def check_trusted(self) -> None:
        """See that the code which the study carries may run here, before anything is started that needs it.

        Raises:
            StudyError: Its user has not said so.
        """
        own = self.state.settings.own
        if own is not None and (what := own.untrusted()):
            raise StudyError(what, where=self.name, fix=TRUST.replace("STUDY", self.name))

    def resume(self, *, trust: bool = False) -> None:
        """Go on: after a pause, with a new process where the old one is lost, or with what is left of a stopped one's budget.

        Args:
            trust: Whether code that the study carries may run here; see `trust`.

        Raises:
            StudyError: Its budget is spent, or it does not answer.
        """
        if trust:
            self.trust()
        status = self._settled()
        if status in {"starting", "running", "paused"}:
            self._ask(wish("resume"))
        else:
            spent = Purse(self.state).spent(time.time()) if self.state.ended else ""
            if spent and self.is_handed_over:
                unit = limits(self.state.settings.budget)[0]
                raise StudyError(spent, where=self.name, fix=f"Give it more: lepton extend {self.name} --{unit} 5")
            self._launch()

    def stop(self, *, wait: bool = True, grace: float | None = None) -> None:
        """End the search; what it found stands, and its chosen model is handed over. Nothing is left where it had not begun.

        Args:
            wait: Return only when the model is handed over.
            grace: Seconds in which all has to be handed over; what is not ready by then waits for `resume`. None for as long
                as it takes.

        Raises:
            StudyError: The study's process is lost, or does not answer.
        """
        status = self.status
        if status == "starting":
            self._stop_at_the_start()
            if not self.folder.exists():
                return
        elif status in {"running", "paused", "lost"} and not self._ask(wish("stop", grace=grace)):
            return
        if wait:
            self.wait()

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
        status = self._settled()
        more = {"minutes": minutes, "trials": trials, "epochs": epochs, "cost": cost}
        budget = extended(self.state.settings.budget, more)
        state = dataclasses.replace(self.state, config=self.state.settings.replace(budget=budget))
        if spent := Purse(state).spent(time.time()):
            raise ConfigError(f"even so, {spent}", where="extend", fix="Extend that, too.")
        asked = wish("extend", budget=budget)
        if status in {"ended", "lost"} or not self._ask(asked):
            self._launch(asked)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the study has ended and its model is handed over.

        Args:
            timeout: Seconds; None for as long as it takes.

        Raises:
            LeptonError: It could not begin, or its process is lost.
            TimeoutError: It still runs.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self.home.running(self.name):
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"{self.name} still runs after {timeout:g} s")
            time.sleep(LOOK)
        if self.state.ended is None:
            raise lost(self.name, self.home)
        return self

    def follow(self, *callbacks: Callable[[Event, Any], None], progress: bool = True) -> Self:
        """Show the study until its end; interrupting this (Ctrl-C) ends nothing but the view.

        Args:
            *callbacks: Called as `f(event, study)` for every event, from the first one on.
            progress: Whether to show anything.

        Raises:
            LeptonError: It could not begin, or its process is lost.
        """
        from lepton_automl.reporting.terminal import Progress

        from .follow import Follower

        with Progress(shown=progress) as window:
            Follower(self, window, callbacks).run()
        return self

    @property
    def is_handed_over(self) -> bool:
        """Whether the study has ended, and its chosen model is registered since, if there is one."""
        ended = self.state.ended
        return ended is not None and (
            ended.chosen is None or any(one.trial == ended.chosen and one.at >= ended.at for one in self.state.registered)
        )

    def repair(self) -> str:
        """Put a damaged journal right: from its whole lines, their copies, and what lies beside the models.

        The damaged file is kept beside the new one.

        Returns:
            What was done, in words; empty where nothing is wrong.

        Raises:
            StudyError: The study runs, there is none, or nothing of it can be restored.
        """
        from .repair import repair

        return repair(self.name, self.home)

    # How it is asked

    def _settled(self) -> str:
        """The status, when one that is ending has ended."""
        if self.status == "ending":
            self.wait()
        return self.status

    def _ask(self, asked: Asked) -> bool:
        """Ask, and wait for the answer; false where the study has ended, which answers nothing any more."""
        status = self.status
        if status == "lost":
            raise lost(self.name, self.home)
        if status in {"ending", "ended"}:
            if asked.what not in STANDS:
                return False
            raise StudyError(f"the study has {status}", where=self.name, fix="There is nothing to hold.")
        try:
            Journal(self.folder / WISHES).append(asked)
        except StudyError:  # there is no room for it
            if asked.what == "stop" and self._terminate():
                return True
            raise
        if status == "starting" and asked.what in STANDS:
            return True  # it has no journal yet to answer in, and does it within a moment
        return self._heard(asked, ANSWER)

    def _terminate(self) -> bool:
        """Send the search the signal that stops it; false where it is not known which process that is."""
        pid = self.home.searcher(self.name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True

    def _heard(self, asked: Asked, seconds: float) -> bool:
        """Wait until the journal has the asking; false where the study ended first."""
        until = time.monotonic() + seconds
        while True:
            status = self.status  # before the look, so that the last word of a process is not missed
            heard = any(one.uid == asked.uid for one in reversed(self.state.asked))
            if heard and (asked.what not in STANDS or bool(self.state.paused) is STANDS[asked.what]):
                return True
            if status == "lost":
                raise lost(self.name, self.home)
            if status == "ended":
                return False
            if status == "starting":  # it weighs the machine, and listens thereafter
                until = max(until, time.monotonic() + seconds)
            if time.monotonic() > until:
                if heard:  # somebody else asked for the contrary meanwhile
                    return True
                if status == "ending":  # it listens no more
                    return False
                trouble = self.home.says(self.name).get("trouble", "")
                fix = trouble or f"Look at {self.folder / 'search.log'}; lepton status {self.name} says whether it still runs."
                raise StudyError(f"the search does not answer to {asked.what!r}", where=self.name, fix=fix)
            time.sleep(LOOK)

    def _launch(self, *more: Asked) -> None:
        """Take the study up with a new process; what was asked of the old one and not heard is heard first.

        Raises:
            StudyError: Its journal is damaged, or it carries code that may not run here.
        """
        self._check_whole()
        self.check_trusted()
        last = wish("resume")  # takes back a pause or a stop that nobody heard
        with self.home.held(self.name) as alive:
            for asked in (*more, last):
                Journal(self.folder / WISHES).append(asked)
            launch(self.folder, alive)
        before = self.state.ended
        if not self._heard(last, START) and self.state.ended is before:
            raise lost(self.name, self.home)

    def _stop_at_the_start(self) -> None:
        """Ask a process to end that has not begun to search; it may still be launching, and hears it when it listens.

        Only one that does not listen gets a signal, and only if it is known to be the search: what launched it, such as a
        notebook's kernel, is none of it.

        Raises:
            StudyError: It does not end.
        """
        Journal(self.folder / WISHES).append(wish("stop"))
        began, signalled = time.monotonic(), False
        while self.home.running(self.name) and not (self.folder / JOURNAL).exists():
            waited = time.monotonic() - began
            pid = self.home.searcher(self.name)
            if waited > NUDGE and not signalled and pid is not None:
                signalled = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            if waited > START:
                fix = f"Look at {self.folder / 'search.log'}; it is process {pid or 'of an unknown number'}."
                raise StudyError("it does not answer to 'stop'", where=self.name, fix=fix)
            time.sleep(LOOK)
        self.home.forget(self.name)


def wish(what: Request, **more: Any) -> Asked:
    """Something that is asked of a study, now."""
    return Asked(at=time.time(), uid=uuid.uuid4().hex, what=what, **more)


def extended(budget: Budget, more: Mapping[str, float | None]) -> Budget:
    """A budget with more of what it has.

    Raises:
        ConfigError: It has no such unit, nothing is given, or something is not above zero; all of it is listed.
    """
    complaints = Complaints("extend")
    given = {name: amount for name, amount in more.items() if amount is not None}
    limited = limits(budget)
    fix = f"It is limited by {' and '.join(limited)}: say extend({limited[0]}=...)."
    complaints.check(bool(given), "nothing is given", fix)
    for name, amount in given.items():
        complaints.check(name in limited, f"the study's budget has no {name}", fix)
        complaints.check(amount > 0, f"{name} is {amount!r}; it must be a number above 0")
    complaints.raise_any()
    return budget.replace(**{name: getattr(budget, name) + amount for name, amount in given.items()})


def limits(budget: Budget) -> list[str]:
    """The units that a budget limits."""
    return [name for name in UNITS if getattr(budget, name) is not None]

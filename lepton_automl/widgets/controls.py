"""Controls of a running search."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from lepton_automl.reporting.labels import clean, html_text
from lepton_automl.space import Hyperparameter, Setting
from lepton_automl.state import StudyState

from .actions import Actions
from .protocols import OVER, StudyDriver, StudySnapshot
from .view import View, button

UNITS = ("minutes", "trials", "epochs", "cost")


class Controls(View):
    """Buttons and fields; each reports the result of its command.

    Args:
        drive: The study.
        actions: Runs the commands.
    """

    def __init__(self, drive: StudyDriver, actions: Actions) -> None:
        self._drive, self._actions = drive, actions
        self._state: StudyState | None = None
        self._limit_shown: float | None = None
        self.pause = button(
            "pause", self._pause, tip="Pause all trials; paused time does not count towards the budget", icon="pause"
        )
        self.resume = button("resume", self._resume, tip="Resume the search", icon="play")
        self.stop = button("stop", self._stop, tip="Stop the search and save its best model", icon="stop", style="danger")
        self.amount = w.FloatText(5, layout={"width": "52px"}, tooltip="Amount to add")
        self.unit = w.Dropdown(options=["minutes"], layout={"width": "92px"}, tooltip="Unit of the budget")
        self.more = button("extend", self._extend, tip="Add to the budget", icon="plus")
        self.latency = w.FloatText(0, step=0.01, layout={"width": "80px"}, tooltip="Max latency per call (ms); 0 for no limit")
        self.set = button("set limit", self._limit_typed, tip="Set the latency limit, in ms per call; 0 removes it")
        self.hyperparameter = w.Dropdown(options=[], layout={"width": "130px"}, tooltip="Hyperparameter")
        self.setting = w.Combobox(placeholder="value", layout={"width": "96px"}, tooltip="Fixed value")
        self.pin = button("pin", self._pin, tip="Fix this hyperparameter at this value from now on", icon="thumb-tack")
        self.unpin = button("unpin", self._unpin, tip="Search this hyperparameter again")
        self.held = w.HTML()
        self.hyperparameter.observe(lambda _: self._offer(), "value")
        groups = (
            (self.pause, self.resume, self.stop),
            (self.amount, self.unit, self.more),
            (w.Label("limit, ms"), self.latency, self.set),
            (self.hyperparameter, self.setting, self.pin, self.unpin, self.held),
        )
        boxes = [w.HBox(group) for group in groups]
        self._while_it_runs = (boxes[0], boxes[3])
        row = w.Box(boxes)
        row.add_class("l-controls")
        super().__init__(row, actions.message)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Enable the controls that apply now."""
        state, status = snapshot.state, snapshot.status
        self._state = state
        for box in self._while_it_runs:
            box.layout.display = "none" if status == "ended" else ""
        held = status in {"paused", "lost"}
        self.pause.layout.display, self.resume.layout.display = ("none", "") if held else ("", "none")
        self.pause.disabled, self.resume.disabled = status != "running", not held
        self.stop.disabled = status not in {"starting", "running", "paused", "lost"}
        self.pin.disabled = status in OVER
        self.held.value = ", ".join(html_text(f"{name} = {setting}", 60) for name, setting in state.pinned.items())
        self.unpin.disabled = not state.pinned
        self._offer_units(state)
        self._offer_hyperparameters(state)
        limit = state.settings.deployment.max_latency_ms
        if limit != self._limit_shown:
            self._limit_shown = limit
            self.latency.value = limit or 0

    def limit(self, max_latency_ms: float | None) -> None:
        """Set the latency limit; None removes it."""
        message = f"latency limit set to {max_latency_ms:g} ms" if max_latency_ms else "latency limit removed"
        self._act(
            "limiting",
            lambda: self._drive.control.limit(max_latency_ms=max_latency_ms),
            message,
            f"control.limit(max_latency_ms={max_latency_ms})",
        )

    def _act(self, doing: str, act: Callable[[], Any], done: str, code: str) -> None:
        def run() -> str:
            act()
            return done

        self._actions.start(doing, run, code=f"study.{code}")

    def _pause(self) -> None:
        self.pause.disabled = True  # at once, before the search answers
        self._act("pausing", self._drive.control.pause, "paused", "pause()")

    def _resume(self) -> None:
        self.resume.disabled = True
        self._act("resuming", self._drive.control.resume, "resumed", "resume()")

    def _stop(self) -> None:
        self.stop.disabled = True
        self._act("stopping", lambda: self._drive.control.stop(wait=False), "Stopping; saving the best model", "stop()")

    def _extend(self) -> None:
        unit = str(self.unit.value)
        amount = self.amount.value if unit in {"minutes", "cost"} else int(self.amount.value)
        self._act(
            "extending",
            lambda: self._drive.control.extend(**{unit: amount}),
            f"{amount:g} {unit} added",
            f"extend({unit}={amount:g})",
        )

    def _limit_typed(self) -> None:
        self.limit(self.latency.value or None)

    def _pin(self) -> None:
        hyperparameter = self._selected_hyperparameter()
        if hyperparameter is None:
            return
        name, setting = str(self.hyperparameter.value), parse_setting(hyperparameter, self.setting.value)
        self._act(
            "pinning",
            lambda: self._drive.control.pin({name: setting}),
            f"{name} fixed at {setting}",
            f"control.pin({{{name!r}: {setting!r}}})",
        )

    def _unpin(self) -> None:
        name = str(self.hyperparameter.value)
        self._act("unpinning", lambda: self._drive.control.unpin(name), f"{name} is searched again", f"control.unpin({name!r})")

    def _selected_hyperparameter(self) -> Hyperparameter | None:
        return self._state.settings.space.get(str(self.hyperparameter.value)) if self._state else None

    def _offer_units(self, state: StudyState) -> None:
        units = tuple(unit for unit in UNITS if getattr(state.settings.budget, unit) is not None)
        if units != tuple(self.unit.options):
            self.unit.options = units

    def _offer_hyperparameters(self, state: StudyState) -> None:
        names = [(clean(name, 60), name) for name in state.settings.space]
        if names != list(self.hyperparameter.options):
            self.hyperparameter.options = names
            self.hyperparameter.index = 0 if names else None
            self._offer()

    def _offer(self) -> None:
        hyperparameter = self._selected_hyperparameter()
        if hyperparameter:
            offer_settings(self.setting, hyperparameter)


def offer_settings(field: w.Combobox, hyperparameter: Hyperparameter) -> None:
    """Empty a field and offer a hyperparameter's choices and range in it; `parse_setting` parses what is entered."""
    field.options = [clean(json.dumps(choice), 60) for choice in hyperparameter.choices]
    field.value, field.placeholder = "", clean(hyperparameter.describe(), 60)


def parse_setting(hyperparameter: Hyperparameter, text: str) -> Setting:
    """The setting entered as text: one of the choices, else a number, else the text itself."""
    for choice in hyperparameter.choices:
        if text in {clean(json.dumps(choice), 60), str(choice)}:
            return choice  # type: ignore[no-any-return]  # choices are settings
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) and (hyperparameter.integer or "." not in text) else number

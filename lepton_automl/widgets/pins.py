"""Hyperparameters that are fixed before the search starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets as w

from lepton_automl import families
from lepton_automl.reporting.labels import clean, html_text
from lepton_automl.space import Setting, Space
from lepton_automl.specs import DataSpec

from .controls import offer_settings, parse_setting
from .fields import LABEL
from .plan import argument_error
from .view import View, button, free_clicks


class Pins(View):
    """Fixes hyperparameters of the search space for the data, and lists the fixed ones.

    Args:
        changed: Called when one is fixed or released.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.held: dict[str, Setting] = {}
        self._changed = changed
        self._spec: DataSpec | None = None
        self._space = Space(hyperparameters={})
        self.hyperparameter = w.Dropdown(
            description="hyperparameter",
            tooltip="Hyperparameter; the list is filled once the data are known",
            style=LABEL,
            layout={"width": "256px"},
        )
        self.setting = w.Combobox(placeholder="value", tooltip="Fixed value", layout={"width": "84px"})
        self.pin = button("fix", self._pin, tip="Fix this hyperparameter at this value", icon="thumb-tack")
        self._fixed_box, self._complaint = w.Box(), w.HTML()
        self._fixed_box.add_class("l-wrap")
        self.hyperparameter.observe(lambda _: self._offer(), "value")
        row = w.HBox([self.hyperparameter, self.setting, self.pin])
        row.add_class("l-wrap")
        super().__init__(row, self._fixed_box, self._complaint)
        self.update(None)

    def update(self, spec: DataSpec | None) -> None:
        """Update the hyperparameters on offer for the data."""
        self._spec = spec
        self._space = families.space_for(spec) if spec else Space(hyperparameters={})
        options = [(clean(name, 60), name) for name in sorted(self._space)]
        if options != list(self.hyperparameter.options):
            self.hyperparameter.options = options
            self.hyperparameter.index = 0 if options else None
        self.pin.disabled = not options
        self._offer()
        self._list()

    @property
    def complaint(self) -> str:
        """The error in the fixed hyperparameters; empty if they are valid."""
        return self._error(self.held)

    def _error(self, held: dict[str, Setting]) -> str:
        if self._spec is None:
            return ""
        return argument_error(partial(families.add_hyperparameters, self._space, self._spec), changes=held)

    def _offer(self) -> None:
        hyperparameter = self._space.get(str(self.hyperparameter.value))
        if hyperparameter:
            offer_settings(self.setting, hyperparameter)

    def _pin(self) -> None:
        name = str(self.hyperparameter.value)
        setting = {name: parse_setting(self._space[name], self.setting.value)}
        complaint = self._error(setting)
        if not complaint:
            self.held |= setting
        self._list(complaint)
        self._changed()

    def _release(self, name: str) -> None:
        del self.held[name]
        self._list()
        self._changed()

    def _list(self, complaint: str = "") -> None:
        message = complaint or self.complaint
        self._complaint.value = f'<span class="l-warn" role="alert">▲ {html_text(message, 300)}</span>' if message else ""
        self._fixed_box.children = [
            button(f"{name} = {setting}", partial(self._release, name), tip="Search this hyperparameter again", icon="times")
            for name, setting in self.held.items()
        ]
        free_clicks(self._fixed_box)

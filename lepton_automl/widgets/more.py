"""Less common settings, hidden behind a button: separate test data, class weights, seed, sampler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

from lepton_automl.plugins import names

from .fields import LABEL, Field, choice_field, number_field, set_options
from .plan import argument_error
from .preview_worker import Preview
from .sources import Source, path_source, same_objects
from .view import View

SAMPLERS = {
    "tpe": "tree-structured Parzen estimator",
    "gp": "Gaussian process",
    "nsga2": "genetic algorithm",
    "random": "random search",
    "grid": "grid search",
}


class More(View):
    """Test data, columns that split the rows, class weight, seed and sampler; closed at first.

    Args:
        make: The class of searches, whose errors explain wrong arguments.
        on_test_chosen: Called when the data have to be read again.
        changed: Called when another value is entered that does not affect the data.
    """

    def __init__(self, make: Callable[..., Any], on_test_chosen: Callable[[], None], changed: Callable[[], None]) -> None:
        self._make, self._on_test_chosen = make, on_test_chosen
        self._sources: list[Source] = []
        test = w.Combobox(
            description="test data",
            placeholder="split from the data",
            tooltip="A variable or a path with separate test data; used once, at the end",
            continuous_update=False,
            style=LABEL,
            layout={"width": "290px"},
        )
        self.test = Field(test)
        self.group = choice_field(
            "group column", "Rows with the same value in this column stay in the same split", [("none", None)]
        )
        self.time = choice_field(
            "time column", "Split by time: the latest rows are the test rows, those before them validation", [("none", None)]
        )
        self.weight = choice_field("class weights", "Class weights", [("none", None), ("balanced", "balanced")])
        self.seed = number_field("seed", "0", "Random seed of splits, proposals, weights and batches")
        usual, *others = names("samplers")
        choices = [
            (f"default: {usual}", None),
            *((f"{name}: {SAMPLERS[name]}" if name in SAMPLERS else name, name) for name in others),
        ]
        self.sampler = choice_field("sampler", "The algorithm that proposes the next network", choices)
        self._fields = w.HBox([self.test, self.group, self.time, self.weight, self.sampler, self.seed])
        self._fields.add_class("l-wrap")
        self.opened = w.ToggleButton(
            False, description="more settings", icon="caret-right", tooltip="Test data, class weights, seed and more"
        )
        self.opened.layout.width = "auto"
        self.opened.observe(lambda _: self._show_or_hide(), "value")
        super().__init__(self.opened, self._fields, classes=("l-more",))
        for field in (self.test, self.group, self.time, self.weight, self.seed):
            field.on_change(self._on_change)
        self.sampler.on_change(changed)
        self.update(None)
        self._show_or_hide()

    def refresh(self, sources: list[Source]) -> None:
        """Update the notebook variables on offer."""
        before, variable = self.source, self.source in self._sources
        self._sources = sources
        self.test.control.options = [source.alone for source in self._sources]
        now = self.source
        if before and variable and not (now and same_objects(before, now)):
            self._on_test_chosen()

    @property
    def source(self) -> Source | None:
        """The test data; None if they are split from the data."""
        text = self.test.control.value.strip()
        known = next((source for source in self._sources if source.alone == text), None)
        return known or (path_source(text) if text and Path(text).expanduser().exists() else None)

    def show_errors(self) -> int:
        """Show the errors beside their fields, and return their number."""
        test = self.test.control.value.strip()
        unknown = test and not self.source
        complaints = {
            self.test: f"There is no variable with data and no path {test!r}." if unknown else "",
            self.seed: self._seed_error(),
        }
        for field, complaint in complaints.items():
            field.show_error(complaint)
        return sum(map(bool, complaints.values()))

    def automl_arguments(self) -> dict[str, Any]:
        """The entered arguments of `AutoML`."""
        arguments = {"seed": self.seed.value, "class_weight": self.weight.value, "sampler": self.sampler.value}
        return {name: value for name, value in arguments.items() if value is not None}

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The entered arguments of `fit`, except the test data."""
        arguments = {"group_column": self.group.value, "time_column": self.time.value}
        return {name: value for name, value in arguments.items() if value is not None}

    @property
    def preview_options(self) -> dict[str, Any]:
        """The settings that affect the preview of the data."""
        known = {name: value for name, value in self.automl_arguments().items() if name in ("seed", "class_weight")}
        if self._seed_error():
            known.pop("seed")
        return self.fit_arguments | known | {"pretrained": "auto"}

    def _seed_error(self) -> str:
        seed = self.seed.value
        return "" if seed is None else argument_error(self._make, seed=seed)

    def update(self, preview: Preview | None) -> None:
        """Update the choices for the data."""
        columns = [(name, name) for name in (preview.columns if preview else ())]
        with self.quietly():
            for field in (self.group, self.time):
                set_options(field, [("none", None), *columns])
                field.layout.display = "" if columns else "none"
            numbers = bool(preview and preview.spec and not preview.spec.classes)
            if numbers:
                self.weight.control.index = 0
            self.weight.layout.display = "none" if numbers else ""

    def forget(self) -> None:
        """Clear the settings that belong to the previous data."""
        with self.quietly():
            self.test.control.value, self.group.control.index, self.time.control.index = "", 0, 0

    def _on_change(self) -> None:
        if not self._hold:
            self._on_test_chosen()

    def _show_or_hide(self) -> None:
        """Show or hide the settings."""
        self._fields.layout.display = "" if self.opened.value else "none"
        self.opened.icon = "caret-down" if self.opened.value else "caret-right"

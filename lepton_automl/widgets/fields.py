"""Form fields with a label, a tooltip, and an error message beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from lepton_automl.reporting.labels import clean, html_text

from .view import View

LABEL = {"description_width": "108px"}


class Field(View):
    """A control with an error message beside it.

    Args:
        control: The input widget.
    """

    def __init__(self, control: w.Widget) -> None:
        self.control = control
        self._complaint = w.HTML()
        self._complaint.layout.display = "none"
        super().__init__(control, self._complaint, classes=("l-field",))

    @property
    def value(self) -> Any:
        """The entered value; None if it is empty."""
        value = self.control.value
        return parse_number(value) if isinstance(self.control, w.Text) else value

    def show_error(self, text: str) -> None:
        """Show an error message; an empty text clears it."""
        html = f'<span class="l-warn" role="alert">▲ {html_text(text, 300)}</span>' if text else ""
        if html != self._complaint.value:
            self._complaint.value = html
            self._complaint.layout.display = "" if html else "none"
            (self.control.add_class if html else self.control.remove_class)("l-wrong")

    def on_change(self, act: Callable[[], None]) -> None:
        """Call a function when the value changes."""
        self.control.observe(lambda _: act(), "value")


def parse_number(text: str) -> Any:
    """Parse an input: a number, None if it is empty, else the text itself, which validation will reject."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


class TextField(Field):
    """A text field."""

    @property
    def value(self) -> str | None:
        """The entered value; None if it is empty."""
        return self.control.value.strip() or None


def number_field(name: str, hint: str, tip: str, value: str = "") -> Field:
    """An optional number field.

    Args:
        name: The label.
        hint: The placeholder while it is empty.
        tip: The tooltip.
        value: The initial value.
    """
    return Field(_text(name, hint, tip, value))


def text_field(name: str, hint: str, tip: str) -> TextField:
    """An optional text field."""
    return TextField(_text(name, hint, tip))


def _text(name: str, hint: str, tip: str, value: str = "") -> w.Text:
    return w.Text(value, description=name, placeholder=hint, tooltip=tip, style=LABEL, layout={"width": "250px"})


def choice_field(name: str, tip: str, options: list[Any]) -> Field:
    """A dropdown; the first option is selected."""
    return Field(w.Dropdown(options=options, index=0, description=name, tooltip=tip, style=LABEL, layout={"width": "290px"}))


def set_options(field: Field, options: list[tuple[str, Any]]) -> None:
    """Replace the options of a choice, and keep the selection if it is still among them."""
    cleaned = [(clean(label, 60), value) for label, value in options]
    control = field.control
    if list(control.options) == cleaned:
        return
    chosen = control.value
    control.options = cleaned
    values = [value for _, value in cleaned]
    if isinstance(control, w.SelectMultiple):
        control.value = tuple(item for item in chosen if item in values)
    else:
        control.index = values.index(chosen) if chosen in values else 0


CSS = """
.lepton-builder .l-form{display:grid;grid-template-columns:auto auto minmax(0,1fr);gap:0 18px}
@container (max-width:760px){.lepton-builder .l-form{grid-template-columns:minmax(0,1fr)}}
.lepton-builder h4{margin:6px 0 2px}
.lepton-builder .l-form>*{max-width:430px}
.lepton-builder .l-form>.l-inferred{max-width:none}
.lepton-builder .l-field{flex-flow:row wrap;align-items:center;margin:0;max-width:420px}
.lepton-builder .l-field>*{margin:1px 0}
.lepton-builder .l-field .l-warn{display:block;font-size:12px;font-weight:400;margin:0 0 2px 98px;max-width:300px;line-height:1.25}
.lepton-builder .l-wrong input,.lepton-builder .l-wrong select{border-color:#D55E00!important;border-width:2px}
.lepton-builder .l-wrap,.lepton-builder .l-upload{flex-flow:row wrap;align-items:center;gap:0 6px}
.lepton-builder .l-upload{margin-left:96px}
.lepton-builder .l-upload .l-field .l-warn{margin-left:0;max-width:190px}
.lepton-builder .l-more{align-items:flex-start}
.lepton-builder .l-more>.l-wrap{gap:0 18px}
.lepton-builder .l-more .mod-active{box-shadow:none}
.lepton-builder .l-inferred{border-left:1px solid var(--l-line);padding-left:14px;max-height:430px;overflow:auto}
.lepton-builder .l-inferred>*{flex:0 0 auto}
.lepton-builder .l-inferred .l-examples img{width:48px;height:48px}
"""

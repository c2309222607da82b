"""The code of a trial: shown, and saved to a file."""

from __future__ import annotations

from html import escape

import ipywidgets as w

from lepton_automl.reporting.labels import clean

from .model_actions import ModelActions
from .view import View, button


class CodeView(View):
    """A script, and a button that saves it; hidden until there is one.

    Args:
        do: The actions of its button.
    """

    def __init__(self, do: ModelActions) -> None:
        self._trial = -1
        self.text = w.HTML()
        self.file = w.Text(layout={"width": "180px"}, tooltip="A new file that ends in .py, or in .ipynb for a notebook")
        tip = "Save the code as a script (.py) or a notebook (.ipynb)"
        self.save = button("save to", lambda: do.save_code(self._trial, self.file.value), tip=tip)
        super().__init__(w.HBox([self.save, self.file]), self.text)
        self.hide()

    def show(self, trial: int, code: str) -> None:
        """Show the code of a trial."""
        if trial != self._trial:
            self._trial, self.file.value = trial, f"trial_{trial}.py"
        self.text.value, self.layout.display = code_html(code), ""

    def hide(self) -> None:
        """Show nothing."""
        self.text.value, self.layout.display = "", "none"


def code_html(code: str) -> str:
    """Lines of code as HTML without scripts."""
    lines = "\n".join(clean(line, 400) for line in code.splitlines())
    return f'<pre class="l-code" tabindex="0">{escape(lines)}</pre>'

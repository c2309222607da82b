"""Plotly's widget, loaded without what nobody asks of it.

It brings nbformat along, that jsonschema, and that a grammar of addresses in all scripts, which takes a second of the
processor to be made (rfc3987_syntax 1.1, by lark): a third of the time until a dashboard stands. Here the grammar is made
when somebody checks such an address.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

GRAMMAR = "rfc3987_syntax"


def load_figure_widget() -> None:
    """Import `plotly.graph_objects.FigureWidget`; the grammar is left for whoever needs it."""
    spared = GRAMMAR not in sys.modules and importlib.util.find_spec(GRAMMAR) is not None
    if spared:
        sys.modules[GRAMMAR] = _Later(GRAMMAR)
    try:
        importlib.import_module("plotly.basewidget")
    finally:
        if spared:
            del sys.modules[GRAMMAR]


class _Later(ModuleType):
    """Stands for the grammar while jsonschema takes its one function from it."""

    @staticmethod
    def is_valid_syntax(*args: Any) -> Any:
        """What the grammar says, which is made now."""
        return importlib.import_module(GRAMMAR).is_valid_syntax(*args)

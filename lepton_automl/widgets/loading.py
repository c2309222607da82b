"""Import plotly's widget without building a grammar that it does not need.

The widget imports nbformat, that jsonschema, and that the grammar of internationalized URLs, which takes a second of CPU
time to build (rfc3987_syntax 1.1, by lark): a third of the time until a dashboard is shown. Here the grammar is built when
such a URL is first checked.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

GRAMMAR = "rfc3987_syntax"


def load_figure_widget() -> None:
    """Import `plotly.graph_objects.FigureWidget`; the grammar is built on first use."""
    deferred = GRAMMAR not in sys.modules and importlib.util.find_spec(GRAMMAR) is not None
    if deferred:
        sys.modules[GRAMMAR] = _LazyGrammar(GRAMMAR)
    try:
        importlib.import_module("plotly.basewidget")
    finally:
        if deferred:
            del sys.modules[GRAMMAR]


class _LazyGrammar(ModuleType):
    """Stands in for the grammar while jsonschema imports its one function."""

    @staticmethod
    def is_valid_syntax(*args: Any) -> Any:
        """Check a URL with the grammar, which is built on the first call."""
        return importlib.import_module(GRAMMAR).is_valid_syntax(*args)

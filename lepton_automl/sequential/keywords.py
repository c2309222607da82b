"""Unknown keywords of a call, with a suggestion."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lepton_automl.errors import Complaints, one_of

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def known_keywords(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A method that refuses unknown keywords with all that it knows, and the closest one."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        made = function.__name__ == "__init__" and args
        complaints = Complaints(type(args[0]).__name__ if made else function.__name__)
        for name in kwargs:
            complaints.check(name in known, f"there is no argument {name!r}.", one_of(name, known))
        complaints.raise_any()
        return function(*args, **kwargs)

    return checked

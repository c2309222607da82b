"""Errors for users: what happened, where, and what to do next.

Inner code raises short errors; the public function that was called adds the context once (see `Complaints`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_WRAPPERS = ("torch.onnx", "torch._dynamo")  # their errors hide the cause behind their own text


class LeptonError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        what: What happened, in one sentence.
        where: The file, column, argument or study it happened in.
        fix: What to do next.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        head = f"{where}: {what}" if where else what
        super().__init__(f"{head}\n  What to do: {fix}" if fix else head)

    def to_json(self) -> dict[str, str]:
        """The error for another process; see `error_from_json`."""
        return {"kind": type(self).__name__, "what": self.what, "where": self.where, "fix": self.fix}


class ConfigError(LeptonError, ValueError):
    """An argument is wrong; nothing was started."""


class DataError(LeptonError, ValueError):
    """The data cannot be used as it is."""


class LimitError(LeptonError, ValueError):
    """No network meets a hard limit."""


class StudyError(LeptonError, RuntimeError):
    """A study cannot be opened, written or used in this way."""


class BundleError(LeptonError, RuntimeError):
    """A model bundle is damaged, was changed, or does not fit its input."""


class ExtraError(LeptonError, ImportError):
    """An optional dependency is missing."""


class InputError(ValueError):
    """A row or an image does not fit what the model was trained on."""


def error_from_json(data: Any, default: type[LeptonError]) -> LeptonError | None:
    """Rebuild an error that another process wrote.

    Args:
        data: The result of `LeptonError.to_json`, or anything else.
        default: The class to use if `data` names none of this module's.

    Returns:
        The error; None if `data` does not describe one.
    """
    try:
        what, place, fix = (str(data[part]) for part in ("what", "where", "fix"))
        kind = globals().get(str(data.get("kind")), default)
    except (TypeError, KeyError, AttributeError):
        return None
    known = kind if isinstance(kind, type) and issubclass(kind, LeptonError) else default
    return known(what, where=place, fix=fix)


_ANSI_CODES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LONGEST_REASON = 240  # characters of another package's error


def in_one_line(error: BaseException) -> str:
    """Another package's error as one short line without colours, to quote in ours; a wrapper's cause instead of the wrapper.

    Args:
        error: What was raised.

    Returns:
        The exception's class and its first line; for a `LeptonError`, only the sentence.
    """
    if isinstance(error, LeptonError):
        return error.what.partition("\n")[0]
    visited = {id(error)}
    while error.__cause__ is not None and type(error).__module__.startswith(_WRAPPERS) and id(error.__cause__) not in visited:
        error = error.__cause__
        visited.add(id(error))
    lines = [line.strip() for line in without_colours(str(error)).splitlines()]
    reason = next((line for line in lines if line), "")
    if len(reason) > _LONGEST_REASON:
        reason = reason[:_LONGEST_REASON].rpartition(" ")[0] + " ..."
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def without_colours(text: str) -> str:
    """A text without the terminal's colour codes."""
    return _ANSI_CODES.sub("", text)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A suggestion to append to a message; empty if no option is close.

    Args:
        name: What the user wrote.
        options: What is allowed.
    """
    by_lower = {str(option).lower(): str(option) for option in options}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[near[0]]!r}?" if near and by_lower[near[0]] != name else ""


def one_of(name: str, options: Iterable[str]) -> str:
    """A fix that lists the options and suggests the closest one."""
    listed = list(options)
    return f"Use one of: {', '.join(map(str, listed))}.{did_you_mean(name, listed)}"


class Complaints:
    """Collects everything wrong with one call, then raises one error.

    Example:
        >>> complaints = Complaints("Budget")
        >>> complaints.add("minutes is -1; it must be more than 0")
        >>> complaints.raise_any()
        Traceback (most recent call last):
        ...
        lepton_automl.errors.ConfigError: Budget: minutes is -1; it must be more than 0
    """

    def __init__(self, where: str, kind: type[LeptonError] = ConfigError) -> None:
        self.where, self.kind = where, kind
        self.found: list[tuple[str, str]] = []

    def add(self, what: str, fix: str = "") -> None:
        """Add a problem and, if there is one, its fix."""
        self.found.append((what, fix))

    def check(self, good: object, what: str, fix: str = "") -> None:
        """Add the problem unless `good`."""
        if not good:
            self.add(what, fix)

    def raise_any(self) -> None:
        """Raise one error with every problem added so far; do nothing if there is none."""
        if not self.found:
            return
        if len(self.found) == 1:
            what, fix = self.found[0]
            raise self.kind(what, where=self.where, fix=fix)
        listed = "".join(f"\n  {n}. {what}" + (f" {fix}" if fix else "") for n, (what, fix) in enumerate(self.found, 1))
        raise self.kind(f"{len(self.found)} things are wrong:{listed}", where=self.where)

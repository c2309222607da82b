"""Errors for people: what happened, where, and what to do next.

Inner code raises short errors; the door that a person called adds the context once (see `Complaints`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_WRAPPERS = ("torch.onnx", "torch._dynamo")  # their errors tell of themselves first


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


def error_from_json(data: Any, otherwise: type[LeptonError]) -> LeptonError | None:
    """The error that another process has left.

    Args:
        data: What `LeptonError.to_json` gave, or anything else.
        otherwise: The class where it names none of ours.

    Returns:
        The error; None where this is not one.
    """
    try:
        what, where, fix = (str(data[part]) for part in ("what", "where", "fix"))
        kind = globals().get(str(data.get("kind")), otherwise)
    except (TypeError, KeyError, AttributeError):
        return None
    known = kind if isinstance(kind, type) and issubclass(kind, LeptonError) else otherwise
    return known(what, where=where, fix=fix)


_ANSI_CODES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LONGEST_REASON = 240  # letters of another's error


def in_one_line(error: BaseException) -> str:
    """Another package's error as one plain line to put into ours: no essay, no colours, its cause where it only wraps one.

    Args:
        error: What was raised.

    Returns:
        The exception's class and its first line; only the sentence where the error is ours.
    """
    if isinstance(error, LeptonError):
        return error.what.partition("\n")[0]
    seen = {id(error)}
    while error.__cause__ is not None and type(error).__module__.startswith(_WRAPPERS) and id(error.__cause__) not in seen:
        error = error.__cause__
        seen.add(id(error))
    lines = [line.strip() for line in without_colours(str(error)).splitlines()]
    said = next((line for line in lines if line), "")
    if len(said) > _LONGEST_REASON:
        said = said[:_LONGEST_REASON].rpartition(" ")[0] + " ..."
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def without_colours(text: str) -> str:
    """A text without the codes by which terminals change colours."""
    return _ANSI_CODES.sub("", text)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A question to add to a message, or nothing where no option is near.

    Args:
        name: What the person wrote.
        options: What they could have written.
    """
    by_lower = {str(option).lower(): str(option) for option in options}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[near[0]]!r}?" if near and by_lower[near[0]] != name else ""


def one_of(name: str, options: Iterable[str]) -> str:
    """A fix that lists the options, with the nearest one first."""
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
        """Note one complaint and, where there is one, its remedy."""
        self.found.append((what, fix))

    def check(self, good: object, what: str, fix: str = "") -> None:
        """Note the complaint unless `good`."""
        if not good:
            self.add(what, fix)

    def raise_any(self) -> None:
        """Raise all that was noted as one error; do nothing if all is well."""
        if not self.found:
            return
        if len(self.found) == 1:
            what, fix = self.found[0]
            raise self.kind(what, where=self.where, fix=fix)
        listed = "".join(f"\n  {n}. {what}" + (f" {fix}" if fix else "") for n, (what, fix) in enumerate(self.found, 1))
        raise self.kind(f"{len(self.found)} things are wrong:{listed}", where=self.where)

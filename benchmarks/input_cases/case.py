"""A case: a small input that is written to a folder, and the expected outcome."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.registered import import_all
from lepton_automl.errors import InputError, LeptonError

Outcome = Literal["right", "refused", "wrong"]
Body = Callable[[Path], None]
_CASES: list[Case] = []


@dataclass(frozen=True)
class Case:
    """One input and its expected outcome.

    Args:
        kind: The kind of input, such as `"A3 rows that end in a separator"`.
        name: What distinguishes this input within its kind.
        body: Creates the input in an empty folder, uses it, and asserts the expected results.
        refused: Part of the expected error message; empty if the input must work.
        slow: Whether it takes more than a few seconds; `make slow` runs it.
    """

    kind: str
    name: str
    body: Body
    refused: str = ""
    slow: bool = False

    def run(self) -> tuple[Outcome, str]:
        """Return the outcome, and the reason if it is wrong."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.body(Path(folder))
            except (LeptonError, InputError) as error:
                if self.refused and self.refused in str(error):
                    return "refused", ""
                return "wrong", f"{type(error).__name__}: {error}"
            except Exception as error:  # an input may break the package in any way
                return "wrong", f"{type(error).__name__}: {error}"
        return ("wrong", f"it was not rejected (expected: {self.refused})") if self.refused else ("right", "")


def case(kind: str, name: str, *, refused: str = "", slow: bool = False) -> Callable[[Body], Body]:
    """Register a function as a case; see `Case`."""

    def register(body: Body) -> Body:
        _CASES.append(Case(kind, name, body, refused, slow))
        return body

    return register


def all_cases() -> list[Case]:
    """Every case of this package, in the order of its files."""
    import_all(__package__)
    return list(_CASES)

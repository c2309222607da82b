"""What the buttons do with a model or with the whole study; each shows the Python code that does the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.errors import ConfigError, LeptonError
from lepton_automl.permutation_importance import PermutationImportance

from .actions import Actions
from .protocols import StudyDriver


class ModelActions:
    """Starts actions in background threads.

    Args:
        drive: The study.
        actions: Runs them and shows their results.
        loaded: Called with a model that was loaded.
    """

    def __init__(self, drive: StudyDriver, actions: Actions, loaded: Callable[[Any], None]) -> None:
        self._drive, self._actions, self._loaded = drive, actions, loaded

    def use(self, trial: int) -> None:
        """Load a model into the notebook."""

        def use() -> str:
            self._loaded(self._drive.model(trial))
            return f"dashboard.model is trial {trial}"

        self._start("loading", use, code=f"model = {self._code(trial)}")

    def register(self, trial: int, alias: str) -> None:
        """Register a model in MLflow."""

        def register() -> str:
            version = self._drive.model(trial).register(alias=alias)
            return f"trial {trial} registered as {self._drive.name} version {version} ({alias})"

        self._start("registering", register, code=self._code(trial, f'.register(alias="{alias}")'))

    def export(self, trial: int, folder: str) -> None:
        """Export a model's bundle to a folder."""
        folder = folder.strip()

        def export() -> str:
            if not folder:
                raise ConfigError("no folder is given", where="export", fix="Enter a new folder beside the button.")
            return f"bundle exported to {self._drive.model(trial).export(folder)}"

        self._start("exporting", export, code=self._code(trial, f".export({folder!r})"))

    def retune(self, trial: int) -> None:
        """Try variations of a trial next."""

        def retune() -> str:
            self._drive.control.retune(trial)
            return f"variations of trial {trial} will be tried next"

        self._start("retuning", retune, code=f"study.control.retune({trial})")

    def examine(self, trial: int, show: Callable[[ErrorAnalysis], None]) -> None:
        """Analyze a model's errors."""

        def examine() -> str:
            show(self._drive.model(trial).analyze_errors(progress=False))
            return f"errors of trial {trial} shown"

        self._start("analyzing errors", examine, code=self._code(trial, ".analyze_errors()"))

    def importance(self, trial: int, show: Callable[[PermutationImportance], None]) -> None:
        """Measure what matters to a model."""

        def measure() -> str:
            show(self._drive.model(trial).permutation_importance(progress=False))
            return f"importance for trial {trial} shown"

        self._start("measuring importance", measure, code=self._code(trial, ".permutation_importance()"))

    def mlflow(self, trial: int) -> None:
        """Open a trial's run in MLflow."""
        self._start("opening MLflow", lambda: self._drive.tracking.page(trial))

    def test(self) -> None:
        """Open the sealed test split."""

        def test() -> str:
            self._drive.evaluate_test()
            return "the front was scored on the test split"

        self._start("scoring on the test split", test, code="study.evaluate_test()")

    def report(self) -> None:
        """Write the report."""

        def report() -> str:
            return f"report written to {self._drive.report.write(progress=False)}"

        self._start("writing the report", report, code="study.report.write()")

    def note(self, text: str, trial: int | None) -> None:
        """Write a note into the study's journal."""

        def note() -> str:
            self._drive.add_note(text, trial=trial)
            return "note added"

        about = "" if trial is None else f", trial={trial}"
        self._start("adding the note", note, code=f"study.add_note({text.strip()!r}{about})")

    def has_code(self, trial: int) -> bool:
        """Whether the code of a model's training can be written."""
        try:
            return callable(getattr(self._drive.model(trial), "code", None))
        except LeptonError:  # it has no model
            return False

    def code(self, trial: int, show: Callable[[str], None]) -> None:
        """Write a model's training as code."""

        def write() -> str:
            show(str(self._drive.model(trial).code()))
            return f"code of trial {trial} shown"

        self._start("writing the code", write, code=self._code(trial, ".code()"))

    def save_code(self, trial: int, file: str) -> None:
        """Write a model's training as code to a file."""
        file = file.strip()

        def save() -> str:
            self._drive.model(trial).code(file)
            return f"code written to {file}"

        self._start("saving the code", save, code=self._code(trial, f".code({file!r})"))

    def _start(self, doing: str, act: Callable[[], str], *, code: str = "") -> None:
        """Start an action; a second click while it runs is ignored."""
        self._actions.start(doing, act, code=code, once=True)

    def _code(self, trial: int, rest: str = "") -> str:
        return f"open_study({self._drive.name!r}).model({trial}){rest}"

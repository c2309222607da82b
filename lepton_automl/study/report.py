"""The report of a study, from its journal and the error analysis of its chosen model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.errors import ConfigError, LeptonError, StudyError
from lepton_automl.explanation import ExplainedRows
from lepton_automl.permutation_importance import PermutationImportance
from lepton_automl.profile import ResourceProfile
from lepton_automl.reporting.context import ReportContext
from lepton_automl.reporting.permutation_importance import importance_rows, importance_svg
from lepton_automl.reporting.report import plots_html, report_html
from lepton_automl.reporting.tables import chosen_trial
from lepton_automl.search.importance import rank
from lepton_automl.state import StudyState
from lepton_automl.study_store import trial_folder

from .analyze_errors import analyze_errors, default_split
from .code import trial_code
from .permutation_importance import importance_split
from .result_cache import cached_result

if TYPE_CHECKING:
    from .client import StudyClient

PAGE, IMPORTANCE = "report.html", "permutation_importance"


class StudyReport:
    """The report of a study: one HTML file that works offline, for readers who did not follow the search.

    It covers the settings and the results, an interactive front, why this model was chosen, its errors, how its latency was
    measured, which columns or regions of images matter, which hyperparameters mattered, which trials were stopped and why, what the search cost, and how to run the
    model. If the chosen model's errors have not been analyzed yet, a worker does that first, which takes about ten seconds.

    Args:
        study: The study.
    """

    def __init__(self, study: StudyClient) -> None:
        self._study = study

    def html(self, *, trial: int | None = None, progress: bool = True) -> str:
        """The report as one page.

        Args:
            trial: The number of a finished trial that the report is about; None for the chosen model.
            progress: Whether to show progress in a terminal.
        """
        return report_html(report_context(self._study, trial=trial, ask=True, progress=progress))

    def write(self, path: str | Path | None = None, *, trial: int | None = None, progress: bool = True) -> Path:
        """Write the report.

        Args:
            path: The file, or a folder to put `report.html` in; by default the study's own folder.
            trial: The number of a finished trial that the report is about; None for the chosen model.
            progress: Whether to show progress in a terminal.

        Returns:
            The file.

        Raises:
            ConfigError: The file cannot be written, or there is no such trial.
            StudyError: The trial has no model.
        """
        file = self._study.folder / PAGE if path is None else Path(path)
        file = file / PAGE if file.is_dir() else file
        content = self.html(trial=trial, progress=progress)
        try:
            file.write_text(content, encoding="utf-8")
        except OSError as error:
            what = f"{file} cannot be written: {error.strerror}"
            fix = "Give a file in a folder that exists and that you may write to."
            raise ConfigError(what, where="report", fix=fix) from error
        return file


def pages(study: StudyClient) -> dict[str, str]:
    """The files for the study's run in MLflow: the report, and all plots on one page. Starts no worker."""
    context = report_context(study, ask=False)
    return {PAGE: report_html(context), "plots.html": plots_html(context.state)}


def report_context(study: StudyClient, *, trial: int | None = None, ask: bool, progress: bool = False) -> ReportContext:
    """Everything that a report is written from.

    Args:
        study: The study, running or ended.
        trial: The number of a finished trial that the report is about; None for the chosen model.
        ask: Whether to start a worker to analyze the chosen model's errors, if they are not cached.
        progress: Whether to show progress in a terminal.

    Raises:
        ConfigError: There is no such trial.
        StudyError: It has no model.
    """
    if trial is not None and (status := study.state.trial(trial).status) != "complete":
        what = f"trial {trial} has no model: its status is {status}"
        raise StudyError(what, where=study.name, fix="Choose a trial whose status is complete.")
    state = ranked(study.state).about(trial)
    number = chosen_trial(state)
    if number is None:
        return ReportContext(state)
    folder = trial_folder(study.folder, number)
    analysis = cached_result(folder, f"examined-{default_split(study, number)}", ErrorAnalysis)
    missing = "" if analysis else "Its errors have not been analyzed: call StudyModel.analyze_errors()."
    if analysis is None and ask:
        try:
            analysis = analyze_errors(study, number, progress=progress)
        except LeptonError as error:
            missing = f"{error.what}. {error.fix}".partition("\n")[0]
    profile = cached_result(folder, "portrait", ResourceProfile)
    try:
        code = trial_code(study, number)
    except LeptonError:  # the prepared data were removed
        code = ""
    explained = explained_worst(study, number, analysis, ask=ask) if analysis else None
    return ReportContext(state, analysis, profile, missing, chosen_importance(study, trial), code, explained)


def explained_worst(study: StudyClient, trial: int, analysis: ErrorAnalysis, *, ask: bool) -> ExplainedRows | None:
    """Explanations of a model's worst answers; None if there are none, or if they are not cached and not asked for."""
    found = cached_result(trial_folder(study.folder, trial), f"explained-{analysis.split}", ExplainedRows)
    if found is not None or not ask:
        return found
    from .explain import explain_worst

    try:
        return explain_worst(study, trial, analysis)
    except LeptonError:  # the modality has no parts, or the prepared data were removed
        return None


def chosen_importance(study: StudyClient, trial: int | None = None) -> PermutationImportance | None:
    """What matters to a trial's model, by default the chosen one; None if that was not measured."""
    number = chosen_trial(study.state) if trial is None else trial
    if number is None:
        return None
    name = f"importance-{importance_split(study, number)}"
    return cached_result(trial_folder(study.folder, number), name, PermutationImportance)


def importance_files(study: StudyClient) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """What matters to the chosen model, for the study's run in MLflow: files, and tables by name; empty if it was not measured."""
    importance = chosen_importance(study)
    if importance is None:
        return {}, {}
    return {f"{IMPORTANCE}.svg": importance_svg(importance)}, {IMPORTANCE: importance_rows(importance)}


def ranked(state: StudyState) -> StudyState:
    """The state with its hyperparameters ranked, even if the journal is of an older version or the search has just begun."""
    if state.ranked is None:
        state.ranked = rank(state, state.last_at)
    return state

"""The errors of a model, analyzed once in a worker process and cached beside its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_automl.error_analysis import HELD_OUT, AnalysisSplit, ErrorAnalysis, ErrorAnalysisJob
from lepton_automl.errors import StudyError
from lepton_automl.reporting.terminal import activity_line
from lepton_automl.study_store import trial_folder

from .bottleneck import send_request
from .result_cache import cached_result, save_result

if TYPE_CHECKING:
    from .client import StudyClient


def analyze_errors(
    study: StudyClient, trial: int, *, split: AnalysisSplit | None = None, progress: bool = True
) -> ErrorAnalysis:
    """Analyze the errors of a finished model; `StudyModel.analyze_errors` is the usual way.

    Raises:
        StudyError: The trial has no model, there are no rows to analyze, or the test split has not been evaluated.
    """
    rows = split or default_split(study, trial)
    check_split(study, trial, rows)
    folder = trial_folder(study.folder, trial)
    analysis = cached_result(folder, f"examined-{rows}", ErrorAnalysis)
    if analysis is None:
        with activity_line(f"{study.name}/{trial}", shown=progress) as show:
            show(f"predicting the {rows} rows")
            result = send_request(
                study, trial, lambda job, bundle: ErrorAnalysisJob(trial=job, bundle=bundle, split=rows), show, rows
            )
        assert isinstance(result, ErrorAnalysis)
        analysis = save_result(folder, f"examined-{rows}", result)
    return analysis


def default_split(study: StudyClient, trial: int) -> AnalysisSplit:
    """The rows to analyze a model on: those of the validation split, or of the folds if scores are cross-validated.

    If its predictions on the folds were not stored, those of the test split, once it has been evaluated.
    """
    if study.state.settings.data.validation:
        return "validation"
    return "test" if _is_tested(study, trial) and not _has_held_out(study, trial) else "held-out"


def _is_tested(study: StudyClient, trial: int) -> bool:
    tested = study.state.tested
    return tested is not None and trial in tested.scores


def _has_held_out(study: StudyClient, trial: int) -> bool:
    return (trial_folder(study.folder, trial) / HELD_OUT).exists()


def check_split(study: StudyClient, trial: int, split: AnalysisSplit) -> None:
    """Check that a model can be analyzed on the rows of a split.

    Raises:
        StudyError: There are no such rows, or the test split has not been evaluated.
    """
    data = study.state.settings.data
    if split == "test" and not _is_tested(study, trial):
        fix = "Call evaluate_test() once all choices are made; it evaluates the models of the front at that time only."
        raise StudyError(f"the test split has not been evaluated for trial {trial}", where=study.name, fix=fix)
    if split == "validation" and not data.validation:
        fix = 'Use split="held-out": each row is then predicted by a network that was trained without it.'
        raise StudyError("scores were cross-validated: there is no validation split", where=study.name, fix=fix)
    if split == "held-out" and not _has_held_out(study, trial):
        what = "its predictions on the folds were not stored" if data.folds else "scores were not cross-validated"
        other = 'analyze_errors(split="validation")' if data.validation else "evaluate_test(), and analyze the test rows"
        fix = f"The network itself was trained on all rows: call {other}." if data.folds else f"Call {other}."
        raise StudyError(f"there are no held-out rows for trial {trial}: {what}", where=study.name, fix=fix)

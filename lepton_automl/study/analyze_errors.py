"""A model's errors, worked out once in a worker process and kept beside its bundle."""

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
    """Look at what a finished model gets wrong; `Model.analyze_errors` is the usual way.

    Raises:
        StudyError: The trial left no model, there are no rows to ask it, or the test split is still sealed.
    """
    held = split or default_split(study, trial)
    check_split(study, trial, held)
    folder = trial_folder(study.folder, trial)
    analysis = cached_result(folder, f"examined-{held}", ErrorAnalysis)
    if analysis is None:
        with activity_line(f"{study.name}/{trial}", shown=progress) as show:
            show(f"asking it the {held} rows")
            answer = send_request(
                study, trial, lambda job, bundle: ErrorAnalysisJob(trial=job, bundle=bundle, split=held), show
            )
        assert isinstance(answer, ErrorAnalysis)
        analysis = save_result(folder, f"examined-{held}", answer)
    return analysis


def default_split(study: StudyClient, trial: int) -> AnalysisSplit:
    """The rows to examine a model on: those of the validation split, or of the folds where scores were cross-validated.

    Where its predictions on the folds were not stored, those of a test that is open.
    """
    if study.state.settings.data.validation:
        return "validation"
    return "test" if _is_free(study, trial) and not _held_out(study, trial) else "held-out"


def _is_free(study: StudyClient, trial: int) -> bool:
    tested = study.state.tested
    return tested is not None and trial in tested.scores


def _held_out(study: StudyClient, trial: int) -> bool:
    return (trial_folder(study.folder, trial) / HELD_OUT).exists()


def check_split(study: StudyClient, trial: int, split: AnalysisSplit) -> None:
    """Make sure that a model may be asked the rows of a split.

    Raises:
        StudyError: There are no such rows, or the test split is still sealed.
    """
    data = study.state.settings.data
    if split == "test" and not _is_free(study, trial):
        fix = "Call evaluate_test() once all choices are made; it evaluates the models of the front at that time only."
        raise StudyError(f"the test split has not been evaluated for trial {trial}", where=study.name, fix=fix)
    if split == "validation" and not data.validation:
        fix = 'Use split="held-out": each row is then predicted by a network that was trained without it.'
        raise StudyError("scores were cross-validated: there is no validation split", where=study.name, fix=fix)
    if split == "held-out" and not _held_out(study, trial):
        what = "its predictions on the folds were not stored" if data.folds else "scores were not cross-validated"
        other = 'analyze_errors(split="validation")' if data.validation else "evaluate_test(), and examine the test rows"
        fix = f"The network itself was trained on all rows: call {other}." if data.folds else f"Call {other}."
        raise StudyError(f"there are no held-out rows for trial {trial}: {what}", where=study.name, fix=fix)

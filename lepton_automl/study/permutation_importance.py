"""What matters to a model, measured once in a worker process and cached beside its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_automl.permutation_importance import (
    REPEATS,
    ROWS,
    SECONDS,
    ImportanceSplit,
    PermutationImportance,
    PermutationImportanceJob,
)
from lepton_automl.reporting.permutation_importance import ImportanceReport
from lepton_automl.reporting.terminal import activity_line
from lepton_automl.study_store import trial_folder

from .analyze_errors import check_split, default_split
from .bottleneck import send_request
from .result_cache import cached_result, save_result

if TYPE_CHECKING:
    from .client import StudyClient


def permutation_importance(  # the options of `StudyModel.permutation_importance`
    study: StudyClient,
    trial: int,
    *,
    split: ImportanceSplit | None = None,
    repeats: int | None = None,
    rows: int | None = None,
    seconds: float | None = None,
    progress: bool = True,
) -> ImportanceReport:
    """Measure what matters to a finished model; `StudyModel.permutation_importance` is the usual way.

    Raises:
        StudyError: The trial has no model, there are no such rows, or the test split has not been evaluated.
        DataError: Importance is not available for the modality, or the metric is not defined on the rows.
    """
    chosen = split or importance_split(study, trial)
    if chosen != "train":
        check_split(study, trial, chosen)
    folder, name = trial_folder(study.folder, trial), f"importance-{chosen}"
    usual = repeats is None and rows is None and seconds is None
    importance = cached_result(folder, name, PermutationImportance) if usual else None
    if importance is None:
        with activity_line(f"{study.name}/{trial}", shown=progress) as show:
            show(f"perturbing the {chosen} rows")
            result = send_request(
                study,
                trial,
                lambda job, bundle: PermutationImportanceJob(
                    trial=job,
                    bundle=bundle,
                    split=chosen,
                    repeats=repeats or REPEATS,
                    rows=rows or ROWS,
                    seconds=seconds or SECONDS,
                ),
                show,
                chosen,
            )
        assert isinstance(result, PermutationImportance)
        importance = save_result(folder, name, result)
    return ImportanceReport(**vars(importance))


def importance_split(study: StudyClient, trial: int) -> ImportanceSplit:
    """The rows to score a model on: unseen ones, or if scores are cross-validated and the test split is sealed, all it learned from."""
    split = default_split(study, trial)
    if split == "held-out":
        tested = study.state.tested
        return "test" if tested is not None and trial in tested.scores else "train"
    return split

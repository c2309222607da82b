"""Comparison of two finished models on the same rows."""

from __future__ import annotations

import math

from lepton_automl.comparison import Comparison, ComparisonJob
from lepton_automl.error_analysis import ErrorAnalysisJob
from lepton_automl.metric import score_difference
from lepton_automl.training.scores import in_target_unit, scorers_of

from .error_analysis import predictions
from .worker_cache import cached_data


def compare(job: ComparisonJob) -> Comparison:
    """Compare two models in their own runtimes, without the decoder settings that were fitted on validation rows.

    Raises:
        DataError: There are no rows to evaluate.
    """
    data = cached_data(job.trials[0].data)
    jobs = [
        ErrorAnalysisJob(trial=trial, bundle=bundle, split=job.split)
        for trial, bundle in zip(job.trials, job.bundles, strict=True)
    ]
    (rows, first), (_, second) = (predictions(analysis, cached_data(analysis.trial.data)) for analysis in jobs)
    truth = in_target_unit(rows.targets, data.spec).numpy()
    differences = {name: score_difference(scorer, first, second, truth) for name, scorer in scorers_of(data.spec).items()}
    defined = {name: score for name, score in differences.items() if math.isfinite(score.difference)}
    return Comparison(rows=len(rows), scores=defined)

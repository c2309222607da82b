"""The models of a study: its front, and operations on them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lepton_automl.error_analysis import AnalysisSplit
from lepton_automl.errors import StudyError
from lepton_automl.events import TestOpened
from lepton_automl.jobs import ModelScores, ScoreJob
from lepton_automl.state import StudyState

from .client import StudyClient
from .tracking import StudyTracking
from .worker import ask_worker

if TYPE_CHECKING:  # and imported where they are used: `lepton status` does without them
    import pandas as pd

    from lepton_automl.corrected import CorrectedScore

    from .model import StudyModel


class StudyModels:
    """The finished models of a study; iterating yields those of the front, from the best score to the fastest.

    Args:
        study: The study.
    """

    def __init__(self, study: StudyClient) -> None:
        self._study = study

    def __iter__(self) -> Iterator[StudyModel]:
        return iter([self[trial.number] for trial in self._study.state.front()])

    def __len__(self) -> int:
        return len(self._study.state.front())

    def __getitem__(self, trial: int) -> StudyModel:
        """The model of one trial, on the front or not.

        Args:
            trial: Its number.

        Raises:
            ConfigError: There is no such trial.
            StudyError: It has no model.
        """
        from .model import StudyModel

        known = self._study.state.trial(trial)
        if known.status != "complete":
            what = f"trial {trial} has no model: its status is {known.status}"
            raise StudyError(what, where=self._study.name, fix="Choose a trial whose status is complete.")
        return StudyModel(self._study, trial)

    @property
    def front(self) -> pd.DataFrame:
        """The models of the Pareto front, from the best score to the fastest: one row per model."""
        import pandas as pd

        from lepton_automl.reporting.tables import front_columns, front_table

        return pd.DataFrame(front_table(self._study.state), columns=front_columns(self._study.state))

    @property
    def merged(self) -> pd.DataFrame:
        """The models that only chance may tell from one of the front: one row per model.

        No other model dominates them, but the front has one that they are not credibly better than, by more than one standard
        error of the score and by more than 3 % of a cost.

        Returns:
            The columns of `front`; `into`, the number of that model; and how they differ from it: `score_difference`,
            `standard_error` of it, and `latency_ratio`.
        """
        import pandas as pd

        from lepton_automl.reporting.tables import merged_columns, merged_table

        return pd.DataFrame(merged_table(self._study.state), columns=merged_columns(self._study.state))

    @property
    def corrected(self) -> CorrectedScore | None:
        """What the default choice, `best()`, is expected to score on new rows: its score without the luck of having been chosen.

        By bootstrap bias correction (Tsamardinos and others, 2018); None if no model has resampled scores.
        """
        from lepton_automl.corrected import corrected_score

        return corrected_score(self._study.state)

    def best(
        self,
        *,
        max_latency_ms: float | None = None,
        min_score: float | None = None,
        limits: Mapping[str, float] | None = None,
        knee: bool = False,
    ) -> StudyModel:
        """A model from the front, chosen by validation scores only.

        Without a wish, it is the fastest model whose score is as good as the best one, as far as that is known: behind it by at
        most one standard error of the paired difference, and at most 0.3 points (0.5 % of an error such as RMSE). A faster
        model is not taken if it saves less than 10 % of the latency.

        Args:
            max_latency_ms: Choose the best-scored model within this latency.
            min_score: Choose the fastest model with at least this score in the study's metric; with at most this error,
                if less is better.
            limits: Choose the best-scored model within these upper limits by cost: `{"memory_bytes": 5e6}`. They may be
                on latency, size, the number of weights, and every cost that is an objective.
            knee: Choose the knee of the front, among the models within the limits if there are any: beyond it, a better score
                costs much more time. It may be well behind the best score.

        Returns:
            The model. With limits, it may be one that is merged into a model of the front.

        Raises:
            LimitError: No model on the front qualifies.
            ConfigError: A limit is on a cost that this study did not measure.
        """
        from .model import StudyModel

        trial = self._study.state.choose(max_latency_ms=max_latency_ms, min_score=min_score, limits=limits, knee=knee)
        return StudyModel(self._study, trial.number)

    def compare(self, first: int, second: int, *, split: AnalysisSplit | None = None) -> pd.DataFrame:
        """Compare two models on the same rows: whether one is better, or the difference may be chance.

        Args:
            first: The trial number of one model.
            second: The trial number of the other.
            split: `"validation"`, `"test"` once it has been evaluated, or `"held-out"` for cross-validated
                scores; by default the rows that scores are computed on.

        Returns:
            One row per metric: `first` and `second`, the scores of both; `difference`, the second minus the first; `low` and
            `high`, the ends of its 95 % interval, by a paired bootstrap of the rows.

        Raises:
            StudyError: A trial has no model, or there are no rows to compare them on.
        """
        import pandas as pd

        from lepton_automl.comparison import Comparison, ComparisonJob

        from .analyze_errors import check_split, default_split
        from .bottleneck import job_and_bundle

        split = split or default_split(self._study, first)
        for trial in (first, second):
            check_split(self._study, trial, split)
        first_job, first_bundle = job_and_bundle(self._study, first, split)
        second_job, second_bundle = job_and_bundle(self._study, second, split)
        job = ComparisonJob(trials=(first_job, second_job), bundles=(first_bundle, second_bundle), split=split)
        comparison = ask_worker(self._study, job)
        assert isinstance(comparison, Comparison)
        columns = ["first", "second", "difference", "low", "high"]
        rows = {name: [getattr(known, column) for column in columns] for name, known in comparison.scores.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def evaluate_test(self) -> pd.DataFrame:
        """Open the sealed test split, once, and score the whole front, merged models included.

        A second call returns the scores of the first: choosing again after seeing them would make the test worthless.

        Returns:
            The front with its test scores.

        Raises:
            StudyError: The study is still running, has no test split, or no model.
        """
        from lepton_automl import families

        state = self._study.state
        if state.tested is None:
            self._study.check_intact()
            self._check_testable(state)
            settings = state.settings
            data, models = settings.data.replace(folder=str(self._study.folder / "data")), state.front(merged=True)
            bundles = {model.number: str(self._study.bundle(model.number)) for model in models}
            specs = {model.number: families.trial_spec(state.network_config(model), data, settings.factory) for model in models}
            inputs = {trial: spec.input for trial, spec in specs.items() if spec.input != data.input}
            request = ScoreJob(data=data, bundles=bundles, inputs=inputs, threads=settings.deployment.threads)
            scored = ask_worker(self._study, request)
            assert isinstance(scored, ModelScores)
            self._study.note(TestOpened(at=time.time(), scores=scored.scores, intervals=scored.intervals))
            StudyTracking(self._study).mirror_or_warn(report=True)
        return self.front

    def _check_testable(self, state: StudyState) -> None:
        if state.ended is None and self._study.home.running(self._study.name):
            fix = "Wait until it ends: a model that is trained later would have no test score."
            raise StudyError("the study is still running", where=self._study.name, fix=fix)
        if not state.settings.data.test:
            raise StudyError(
                "there is no test split", where=self._study.name, fix="Start a new search with a test share above 0."
            )
        if not state.front():
            raise state.no_model()

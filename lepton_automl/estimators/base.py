"""What the estimators share: their settings, the search, and the model that they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from lepton_automl.api import AutoML
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import DataError
from lepton_automl.execution.capacity import affordable_workers, cores
from lepton_automl.specs import Budget, Deployment

from .rows import TARGET, WEIGHT, as_frame, paired, training_table
from .search import chosen_bundle, opened, packed, task_of_numbers
from .tables import as_rows

FEWEST = 2  # rows


class LeptonEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base of the estimators; see them for the parameters."""

    def __init__(
        self,
        *,
        minutes: float | None = 10.0,
        trials: int | None = None,
        objectives: Sequence[str] = ("accuracy",),
        metric: Any = None,
        max_latency_ms: float | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        refit: str = "auto",
        workers: int | None = None,
        name: str | None = None,
        home: str | Path | None = None,
        random_state: Any = None,
    ) -> None:
        self.minutes = minutes
        self.trials = trials
        self.objectives = objectives
        self.metric = metric
        self.max_latency_ms = max_latency_ms
        self.hyperparameters = hyperparameters
        self.refit = refit
        self.workers = workers
        self.name = name
        self.home = home
        self.random_state = random_state

    def _fit(self, x: Any, y: NDArray[Any], sample_weight: Any, *, numbers: bool, **request: Any) -> Self:
        """Search networks for validated columns and targets."""
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        table = training_table(as_frame(x, self._columns()), y, weights)
        if len(table) < FEWEST:
            raise DataError(
                "there is only 1 sample, perhaps repeated", where="fit", fix=f"Give at least {FEWEST} different ones."
            )
        table = table if numbers else paired(table)
        options: dict[str, Any] = {"task": task_of_numbers()} if numbers else {}
        options |= {"sample_weight": WEIGHT} if WEIGHT in table else {}
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        automl = self._request(seed, **request)
        if self.name is None:  # else the study is kept, and shown in MLflow
            self.bundle_ = chosen_bundle(table, automl, options, workers=self._workers())
        else:
            study = automl.fit(table, target=TARGET, wait=True, **options)
            self.bundle_ = packed(study.best().path)
        return self

    def _request(self, seed: int, **request: Any) -> AutoML:
        budget = Budget(trials=self.trials) if self.trials is not None else Budget(minutes=self.minutes)
        return AutoML(
            name=self.name,
            home=self.home,
            budget=budget,
            objectives=tuple(self.objectives),
            metric=request.pop("metric", self.metric),
            deployment=Deployment(max_latency_ms=self.max_latency_ms),
            hyperparameters=dict(self.hyperparameters or {}),
            refit=self.refit,  # type: ignore[arg-type]  # checked by AutoML
            workers=self._workers(),
            seed=seed,
            progress=False,
            **request,
        )

    def _workers(self) -> int:
        """Worker processes: with a budget of trials one by default, so that a seed decides everything."""
        if self.workers is not None:
            return self.workers
        return 1 if self.trials is not None else affordable_workers(cores())[0]

    def _columns(self) -> list[str]:
        """The names of the columns of the search's table; a user's may be taken by the target."""
        return [f"x{number}" for number in range(self.n_features_in_)]

    def _input(self, x: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Checked columns, and checked targets if there are some; tables keep the types of their columns."""
        x = as_rows(x)
        frame = isinstance(x, pd.DataFrame)
        checks: dict[str, Any] = {"skip_check_array": True} if frame else {"dtype": "numeric", "ensure_all_finite": "allow-nan"}
        checked = validate_data(self, x, y, reset=reset, **checks)
        if isinstance(checked, tuple):
            check_consistent_length(*checked)
        return checked

    def _model(self) -> Predictor:
        check_is_fitted(self)
        return opened(self.bundle_)

    def _rows(self, x: Any) -> pd.DataFrame:
        """Rows to predict as the search's columns."""
        check_is_fitted(self)
        return as_frame(self._input(x, reset=False), self._columns())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.non_deterministic = self.trials is None
        return tags

"""scikit-learn's own checks of estimators."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from lepton_automl.estimators import LeptonClassifier, LeptonRegressor


@pytest.mark.slow  # a fit or two each
@parametrize_with_checks([LeptonClassifier(trials=1, random_state=0), LeptonRegressor(trials=1, random_state=0)])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)

"""scikit-learn estimators."""

from .classifier import LeptonClassifier as LeptonClassifier
from .regressor import LeptonRegressor as LeptonRegressor

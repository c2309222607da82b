"""Our own tasks keep the contract that plug-ins are held to."""

from typing import ClassVar

import numpy as np

from lepton_automl.tasks.classification import Binary, Multiclass
from lepton_automl.tasks.multilabel import Multilabel
from lepton_automl.tasks.quantile import QuantileRegression
from lepton_automl.tasks.regression import Regression
from lepton_automl.testing.task import TaskContract

SURE = 10.0  # a logit


class TestBinary(TaskContract):
    task = Binary()

    def cells(self, rows):
        return np.array(["no", "yes"])[np.arange(rows) % 2]

    def perfect(self, stored, output):
        return (SURE * np.eye(output.size)[stored]).astype(np.float32)


class TestMulticlass(TestBinary):
    task = Multiclass()

    def cells(self, rows):
        return np.arange(rows) % 3 + 7


class TestRegression(TaskContract):
    task = Regression()

    def cells(self, rows):
        return np.random.default_rng(0).normal(100, 5, rows)

    def perfect(self, stored, output):
        return stored[:, None]


class TestSkewedNumbers(TestRegression):
    options: ClassVar = {"target_transform": "log"}

    def cells(self, rows):
        return np.random.default_rng(0).lognormal(2, 1, rows)


class TestSkewedQuantiles(TestSkewedNumbers):
    task = QuantileRegression()
    options: ClassVar = {"quantiles": (0.1, 0.5, 0.9), "target_transform": "sqrt"}
    inferred = False

    def perfect(self, stored, output):
        return np.repeat(stored[:, None], output.size, 1)

    def truth(self, cells, context):
        return [[cell] * 3 for cell in cells.tolist()]


class TestQuantiles(TaskContract):
    task = QuantileRegression()
    options: ClassVar = {"quantiles": (0.1, 0.5, 0.9)}
    inferred = False

    def cells(self, rows):
        return np.random.default_rng(0).normal(100, 5, rows)

    def perfect(self, stored, output):
        return np.repeat(stored[:, None], output.size, 1)

    def truth(self, cells, context):
        return [[cell] * 3 for cell in cells.tolist()]


class TestLabelSets(TaskContract):
    task = Multilabel()

    def cells(self, rows):
        cells = np.empty(rows, object)
        cells[:] = [[["red"], ["blue", "green"], [], ["blue"]][row % 4] for row in range(rows)]
        return cells

    def perfect(self, stored, output):
        return (SURE * (2 * stored - 1)).astype(np.float32)

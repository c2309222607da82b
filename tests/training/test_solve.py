"""Linear models that are solved at once."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge
from torch import nn

from lepton_automl.tasks.classification.training import CrossEntropy
from lepton_automl.tasks.multilabel.training import BinaryCrossEntropy
from lepton_automl.tasks.quantile.training import Pinball
from lepton_automl.tasks.regression.training import SquaredError
from lepton_automl.training import solve
from lepton_automl.training.solve import fit_head, solve_linear
from tests.samples import table_spec

ROWS, COLUMNS = 400, 6


def features(rows=ROWS, columns=COLUMNS, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) + 3.0


def loss_of(solution, x, y, criterion):
    return float(criterion(x @ solution.weight.T + solution.bias, y))


@pytest.mark.parametrize(("rows", "columns"), [(400, 6), (40, 90)], ids=["long", "wide"])
def test_a_quadratic_loss_is_solved_like_a_ridge_regression(rows, columns):
    x = features(rows, columns)
    y = x @ torch.linspace(-1, 1, columns) + 0.5 * torch.randn(rows, generator=torch.Generator().manual_seed(1))
    solution = solve_linear(x, y, SquaredError(), 1)
    theirs = Ridge(alpha=rows * solution.strength / 2, solver="svd").fit(x.double().numpy(), y.double().numpy())
    np.testing.assert_allclose(solution.weight[0].numpy(), theirs.coef_, atol=1e-4)
    assert float(solution.bias) == pytest.approx(theirs.intercept_, abs=1e-3)


def test_noise_is_regularised_more_strongly_than_a_clear_relation():
    x = features(60, 30)
    clear, noise = x @ torch.ones(30), torch.randn(60, generator=torch.Generator().manual_seed(2))
    strengths = [solve_linear(x, y, SquaredError(), 1).strength for y in (clear, noise)]
    assert strengths[0] < strengths[1]


def test_cross_entropy_is_minimised_like_a_logistic_regression():
    x = features()
    y = ((x - 3) @ torch.randn(COLUMNS, 3, generator=torch.Generator().manual_seed(3))).argmax(1)
    solution = solve_linear(x, y, CrossEntropy((), 0.0), 3)
    theirs = LogisticRegression(C=1 / (ROWS * solution.strength), max_iter=5000, tol=1e-8).fit(x.numpy(), y.numpy())
    ours = (x @ solution.weight.T + solution.bias).softmax(1).numpy()
    assert np.abs(ours - theirs.predict_proba(x.numpy())).max() < 0.02


def test_quantiles_are_near_the_best_linear_ones():
    x = features(300, 3)
    y = x @ torch.tensor([1.0, -0.5, 0.2]) + torch.randn(300, generator=torch.Generator().manual_seed(4)) * x[:, 0].abs() / 3
    criterion = Pinball((0.1, 0.5, 0.9))
    solution = solve_linear(x, y, criterion, 3)
    rivals = [QuantileRegressor(quantile=q, alpha=0.0, solver="highs").fit(x.numpy(), y.numpy()) for q in (0.1, 0.5, 0.9)]
    theirs = criterion(torch.tensor(np.stack([rival.predict(x.numpy()) for rival in rivals], 1)).float(), y)
    assert loss_of(solution, x, y, criterion) < 1.05 * float(theirs)


def test_several_labels_are_learned_together():
    x = features()
    y = (x - 3.0 > 0)[:, :4].float()
    solution = solve_linear(x, y, BinaryCrossEntropy((), 0.0), 4)
    assert (((x @ solution.weight.T + solution.bias) > 0) == (y > 0.5)).float().mean() > 0.97


def test_one_row_or_constant_features_have_a_solution():
    for x, y in [(features(1), torch.zeros(1)), (torch.ones(20, 4), torch.arange(20.0))]:
        solution = solve_linear(x, y, SquaredError(), 1)
        assert torch.isfinite(solution.weight).all() and float(x[0] @ solution.weight[0] + solution.bias[0]) == pytest.approx(
            float(y.mean()), abs=1e-3
        )
    assert torch.isfinite(solve_linear(features(3), torch.tensor([0, 1, 0]), CrossEntropy((), 0.0), 2).weight).all()


def test_a_head_is_solved_on_as_many_rows_as_there_is_time_for(monkeypatch):
    calls, seen = [], []
    x = features(200)
    y = (x[:, 0] > 3).long()
    monkeypatch.setattr(solve, "NUMBERS", 100 * COLUMNS)
    monkeypatch.setattr(solve, "CHUNK", 30)
    head = nn.Linear(COLUMNS, 2)

    def encode(numeric):
        seen.append(len(numeric))
        return numeric

    fit_head(head, encode, {"numeric": x}, y, table_spec(), wait=lambda: calls.append(1))
    assert seen == [30, 30, 30, 10] and len(calls) > len(seen)
    assert (head(x).argmax(1) == y).float().mean() > 0.95 and head.weight.requires_grad

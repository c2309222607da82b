"""Linear models solved at once; how strongly they are regularised is chosen on the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # strongest first: each solution is the start of the next
RIDGE_STRENGTHS = tuple(10.0 ** (power / 2) for power in range(2, -13, -1))
HELD_OUT = 0.2  # share of the rows on which a strength is judged, if there is no closed form
STEPS = 100  # of L-BFGS for one strength
NUMBERS = 10_000_000  # features of all rows that are used; more rows are thinned out
CHUNK = 1_024  # rows whose features are computed at once
LARGEST = 2_048  # rows or features, whichever are fewer, up to which the closed form takes about a second


@dataclass(frozen=True)
class LinearSolution:
    """A linear model `features @ weight.T + bias`.

    Args:
        weight: [outputs, features].
        bias: [outputs].
        strength: The chosen regularisation: a factor of half the sum of squared weights, next to the mean loss.
    """

    weight: Tensor
    bias: Tensor
    strength: float


def fit_head(
    head: nn.Linear,
    features: Callable[..., Tensor],
    inputs: Mapping[str, Tensor],
    targets: Tensor,
    spec: DataSpec,
    *,
    wait: Callable[[], None] = lambda: None,
) -> None:
    """Solve the last layer of a network by the loss of its task, in place.

    Args:
        head: The layer.
        features: What comes before it, called with the inputs by name, a few rows at a time; returns float32 [N, F].
        inputs: The training rows, each [N, ...]; at random some are left out if all are more than a worker has time for.
        targets: Stored targets, [N] or [N, K].
        spec: The task.
        wait: Called some times a second; returns when work may go on.
    """
    most = max(1, NUMBERS // head.in_features)
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))[:most]
    parts = []
    with torch.no_grad():
        for rows in torch.split(order, CHUNK):
            wait()
            parts.append(features(**{name: part[rows] for name, part in inputs.items()}))
        criterion = task_of(spec).criterion(spec, TrainPlan())
        solution = solve_linear(torch.cat(parts), targets[order], criterion, head.out_features, wait=wait)
        head.weight.copy_(solution.weight)
        head.bias.copy_(solution.bias)


def solve_linear(
    features: Tensor, targets: Tensor, criterion: nn.Module, outputs: int, *, wait: Callable[[], None] = lambda: None
) -> LinearSolution:
    """Fit a linear model with L2 regularisation.

    A quadratic loss has a closed form, and generalised cross-validation chooses the strength (Golub, Heath and Wahba, 1979).
    Any other loss is minimised by L-BFGS, and the first fifth of the rows chooses.

    Args:
        features: float32 [N, F], of similar scales, in random order; they are centred here.
        targets: Stored targets, [N] or [N, K].
        criterion: The mean loss of outputs [N, outputs] and targets; `quadratic` says that it is a squared error.
        outputs: Number of outputs.
        wait: Called before every evaluation; returns when it may run.
    """
    mean = features.mean(0)
    centred = features - mean
    if getattr(criterion, "quadratic", False) and min(centred.shape) <= LARGEST:
        wait()
        weight, middle, strength = _ridge(centred, targets.reshape(len(targets), -1))
    else:
        with torch.enable_grad():
            weight, middle, strength = _descend(centred, targets, criterion, outputs, wait)
    return LinearSolution(weight, middle - weight @ mean, strength)


def _ridge(centred: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, float]:
    """Weight, output at the mean, and strength of a ridge regression."""
    x, y = centred.double(), targets.double()
    middle, rows = y.mean(0), len(x)
    y = y - middle
    wide = x.shape[1] > rows
    values, vectors = torch.linalg.eigh((x @ x.T if wide else x.T @ x) / rows)
    known = values > values.max().clamp_min(1e-30) * 1e-12
    values, vectors = values[known], vectors[:, known]
    # Coordinates of the targets along the principal directions; `total - each.square()` is what no direction explains.
    each = vectors.T @ y if wide else (vectors.T @ (x.T @ y)) / (values * rows).sqrt()[:, None]
    total = y.square().sum()
    best, choice = float("inf"), RIDGE_STRENGTHS[0]
    for strength in RIDGE_STRENGTHS:
        kept = values / (values + strength)
        residual = total - (each.square() * (2 * kept - kept.square())[:, None]).sum()
        freedom = 1 - (1 + kept.sum()) / rows
        error = float(residual / rows / freedom.square()) if freedom > 1e-3 else float("inf")
        if error < best:
            best, choice = error, strength
    shrunk = each / (values.sqrt() + choice / values.sqrt())[:, None] / rows**0.5
    if wide:
        vectors, shrunk = x.T @ vectors, shrunk / (values * rows).sqrt()[:, None]
    weight = vectors @ shrunk
    return weight.T.float(), middle.float(), 2 * choice


def _descend(
    centred: Tensor, targets: Tensor, criterion: nn.Module, outputs: int, wait: Callable[[], None]
) -> tuple[Tensor, Tensor, float]:
    """Weight, output at the mean, and strength of the model with the smallest loss on held-out rows, fitted on all rows."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        wait()
        return criterion(outputs, targets)  # type: ignore[no-any-return]  # modules are untyped calls

    held = round(HELD_OUT * len(centred))
    start = torch.zeros(outputs, centred.shape[1]), torch.zeros(outputs)
    best, choice, chosen = float("inf"), STRENGTHS[0], start
    if held:
        weights = start
        for strength in STRENGTHS:
            weights = _minimise(centred[held:], targets[held:], loss, strength, weights)
            with torch.no_grad():
                error = float(loss(centred[:held] @ weights[0].T + weights[1], targets[:held]))
            if error < best:
                best, choice, chosen = error, strength, weights
            elif error > 1.05 * best:  # it only gets worse from here
                break
    weight, middle = _minimise(centred, targets, loss, choice, chosen)
    return weight, middle, choice


def _minimise(
    centred: Tensor,
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    strength: float,
    start: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """Weight and bias with the smallest regularised loss, from a start."""
    weight, bias = (part.detach().clone().requires_grad_() for part in start)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-5, tolerance_change=1e-6, line_search_fn="strong_wolfe"
    )

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        total = loss(centred @ weight.T + bias, targets) + strength / 2 * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch lacks its types
        return total

    optimizer.step(evaluate)  # type: ignore[no-untyped-call]  # torch lacks its types
    return weight.detach(), bias.detach()

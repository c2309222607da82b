"""One network's trial: train it briefly, accelerate it, prune it, and compare every output with the module's own."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lepton_automl import Deployment, accelerate, lean
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.models.plain import INPUT, Bare

from .entry import Entry
from .rows import Pairs, split

ROWS = 64  # number of rows that are also compared one by one
CLOSE = 1e-4  # allowed difference, relative to the outputs' scale
EPOCHS, BATCH = 3, 64
STEPS = 60  # minimum number of training steps, for data with few rows
Array = NDArray[Any]


class Wrong(Exception):  # noqa: N818  # what the benchmark looks for, not an error in its own code
    """A wrong output, score or state that raised no error."""


def trial(entry: Entry, *, training: bool, deployment: Deployment) -> dict[str, Any]:
    """Train, accelerate and prune one network.

    Args:
        entry: The network.
        training: Whether it is passed in training mode.
            deployment: The deployment for which it is accelerated.

    Returns:
        The score of the module itself.

    Raises:
        Wrong: Something differs.
        LeptonError: The network was rejected.
    """
    train, held = split(entry.rows)
    torch.manual_seed(0)
    model = trained(entry.make(), train)
    expected = own_answers(model, held[0])
    score = score_of(expected, held[1])
    model.train(training)
    with unchanged(model, expected, held[0]) as check:
        check_accelerated(model, train, held, expected, deployment)
        check("accelerate")
        check_lean(model, train, held, score)
        check("lean")
    return {"score": score}


def trained(model: nn.Module, train: Pairs) -> nn.Module:
    """Train a network for a few hundred steps; returns it in evaluation mode."""
    rows, targets = train
    values = targets.is_floating_point()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2 if values else 3e-3)
    order = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(max(EPOCHS, STEPS * BATCH // len(rows))):
        for batch in torch.split(torch.randperm(len(rows), generator=order), BATCH):
            if len(batch) < 2:
                continue
            optimizer.zero_grad()
            answers = model(rows[batch])
            loss = (
                functional.mse_loss(answers.reshape(-1), targets[batch])
                if values
                else functional.cross_entropy(answers, targets[batch])
            )
            torch.autograd.backward(loss)
            optimizer.step()
    return model.eval()


def own_answers(model: nn.Module, rows: Tensor) -> Array:
    """The outputs of the module's own forward pass in evaluation mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        answers: Array = model(rows).numpy()
    for module, mode in modes:
        module.training = mode
    return answers


def score_of(answers: Array, targets: Tensor) -> float:
    """Accuracy, or R² for numeric targets."""
    wanted = targets.numpy()
    if not targets.is_floating_point():
        return float((answers.argmax(1) == wanted).mean())
    return float(1 - ((answers.reshape(-1) - wanted) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum())


class unchanged:  # noqa: N801  # a context manager
    """Checks that a network is still in its earlier state."""

    def __init__(self, model: nn.Module, answers: Array, rows: Tensor) -> None:
        self.model, self.answers, self.rows = model, answers, rows
        self.state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.modes = [module.training for module in model.modules()]
        self.frozen = [weight.requires_grad for weight in model.parameters()]

    def __enter__(self) -> Callable[[str], None]:
        return self.check

    def __exit__(self, *_: object) -> None:
        pass

    def check(self, who: str) -> None:
        now = self.model.state_dict()
        need(list(now) == list(self.state), f"{who} changed the given network's layers")
        changed = [name for name, tensor in self.state.items() if not torch.equal(tensor, now[name])]
        need(not changed, f"{who} changed {changed[:3]} of the given network")
        need(self.modes == [module.training for module in self.model.modules()], f"{who} changed the given network's mode")
        need(self.frozen == [weight.requires_grad for weight in self.model.parameters()], f"{who} changed what can be trained")
        need(np.array_equal(own_answers(self.model, self.rows), self.answers), f"{who} changed the given network's outputs")


def need(good: object, what: str) -> None:
    if not good:
        raise Wrong(what)


def alike(answers: Array, expected: Array, what: str) -> None:
    """Require that outputs are close and lead to the same decisions, apart from rounding."""
    need(answers.shape == expected.shape, f"{what}: the shape is {answers.shape}, the module's {expected.shape}")
    need(np.isfinite(answers).all(), f"{what}: not all outputs are finite")
    allowed = CLOSE * float(np.abs(expected).max())
    apart = float(np.abs(answers - expected).max())
    need(apart <= allowed, f"{what}: outputs differ by {apart:.3g}; {allowed:.3g} is allowed")
    if expected.ndim == 2 and expected.shape[1] > 1:
        best = np.sort(expected, 1)
        clear = best[:, -1] - best[:, -2] > 2 * allowed
        need((answers.argmax(1) == expected.argmax(1))[clear].all(), f"{what}: decisions differ")


def check_accelerated(model: nn.Module, train: Pairs, held: Pairs, expected: Array, deployment: Deployment) -> None:
    fast = accelerate(model, train, deployment=deployment, validation=held, progress=False)
    metric = "r2" if held[1].is_floating_point() else "accuracy"
    own, batch = score_of(expected, held[1]), fast.predict(held[0])
    reported = {"before": (fast.before[metric], own), "after": (fast.after[metric], score_of(batch, held[1]))}
    for when, (reported_score, is_) in reported.items():
        need(abs(reported_score - is_) < 1e-4, f"accelerate reports {metric} {reported_score:.4f} {when}, it is {is_:.4f}")
    single = np.concatenate([fast.predict(held[0][n : n + 1]) for n in range(ROWS)])
    if fast.variant.precision == "fp32":
        alike(batch, expected, "the accelerated file, in a batch")
        alike(single, expected[:ROWS], "the accelerated file, row by row")
    else:
        need(own - score_of(batch, held[1]) <= 0.02, f"{fast.variant.name} lost more than allowed")
        scale = float(np.abs(expected).max())
        need(float(np.abs(single - batch[:ROWS]).mean()) < 0.05 * scale, f"{fast.variant.name} differs for single rows")
    check_export(model, held[0], expected, "the plain export")


def check_export(model: nn.Module, rows: Tensor, expected: Array, what: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export(Bare(copy.deepcopy(model).eval()), {INPUT: rows[:ROWS]}, path)
        file = OnnxModel(path)
        alike(file({INPUT: rows.numpy()}), expected, f"{what}, in a batch")
        single = np.concatenate([file({INPUT: rows[n : n + 1].numpy()}) for n in range(ROWS)])
    alike(single, expected[:ROWS], f"{what}, row by row")


def check_lean(model: nn.Module, train: Pairs, held: Pairs, score: float) -> None:
    result = lean(model, train, validation=held, ratio=0.5, multiple=4, epochs=1, progress=False)
    small = result.model
    metric = result.metric
    need(type(small) is type(model), f"lean returns a {type(small).__name__}")
    answers = own_answers(small, held[0])
    need(
        abs(result.before.scores[metric] - score) < 1e-4,
        f"lean reports {result.before.scores[metric]:.4f} before, it is {score:.4f}",
    )
    after = score_of(answers, held[1])
    need(
        abs(result.after.scores[metric] - after) < 1e-4,
        f"lean reports {result.after.scores[metric]:.4f} after, it is {after:.4f}",
    )
    weights = [sum(weight.numel() for weight in network.parameters()) for network in (model, small)]
    need([result.before.parameters, result.after.parameters] == weights, "lean reports wrong numbers of weights")
    need(weights[1] < weights[0], "lean returns a network that is not smaller")
    check_export(small, held[0], answers, "the smaller network's export")
    need(
        small.training == model.training,
        f"lean returns the network with training={small.training}; the original has {model.training}",
    )

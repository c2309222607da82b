"""The scores of a sequential network; nothing here loads what training needs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.data.labelled import labelled
from lepton_automl.errors import ConfigError
from lepton_automl.models.sequential import RowsNet
from lepton_automl.specs import DataSpec
from lepton_automl.task import metrics_of
from lepton_automl.training.scores import scores

from .compiled import ACCURACY, SQUARED, Compiled, answers_of, loss_of, right

Pairs = tuple[Tensor, Tensor]
SCORED = 1000  # rows in one call when scoring


def outputs_of(net: nn.Module, rows: Tensor) -> Tensor:
    """The network's outputs [N, K] for all rows, in evaluation mode, on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode():
        return torch.cat([net(part.to(device)).cpu() for part in torch.split(rows, SCORED)])


def scores_of(net: RowsNet, pairs: Pairs, compiled: Compiled) -> dict[str, float]:
    """The loss and the metrics for some rows, by name.

    Raises:
        ConfigError: A metric does not fit what the network answers.
    """
    rows, targets = pairs
    outputs = outputs_of(net, rows)
    found = {"loss": float(loss_of(compiled.loss, outputs, targets))}
    if set(compiled.metrics) <= {ACCURACY} and compiled.answer != "number":
        return found | {name: int(right(outputs, targets)) / len(targets) for name in compiled.metrics}
    spec = spec_of(targets, outputs.shape[1])
    check_metrics(compiled, spec)
    answers = answers_of(outputs, "number" if compiled.answer == "number" else "classes")
    known = scores(answers.reshape(-1) if compiled.answer == "number" else answers, targets, spec)
    known |= {SQUARED: known["rmse"] ** 2} if "rmse" in known else {}
    return found | {name: known.get(name, float("nan")) for name in compiled.metrics}


def spec_of(targets: Tensor, outputs: int) -> DataSpec:
    """The task of some targets."""
    empty = torch.zeros(len(targets), 0)
    return labelled((empty, targets), (empty[:0], targets[:0]), outputs).spec


def check_metrics(compiled: Compiled, spec: DataSpec) -> None:
    """Check that the metrics fit the task.

    Raises:
        ConfigError: One does not.
    """
    fitting = [*metrics_of(spec), *([SQUARED] if compiled.answer == "number" else [])]
    for name in compiled.metrics:
        if name not in fitting:
            what = f"the metric {name!r} does not fit the loss {compiled.loss!r}"
            raise ConfigError(what, where="compile", fix=f"Metrics that do: {', '.join(fitting)}.")

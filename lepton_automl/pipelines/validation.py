"""The scores of a network on rows that it has not learned from, for training code outside of a study."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data, Split, joined_weights
from lepton_automl.models.deployable import deployable
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of
from lepton_automl.training.epochs import predict_rows, row_weights
from lepton_automl.training.scores import in_target_unit, scores

from .adapter import Network
from .pack import ROWS


def validation_scores(network: nn.Module, data: Data) -> dict[str, float]:
    """The scores of a network in training on the validation rows; its mode is not changed.

    Args:
        network: Called with a batch's inputs by name.
        data: The data.

    Returns:
        The scores, in the target's own unit, as `val_<name>`, and `val_loss`, by which a study keeps the best epoch; empty if
        there are no validation rows.
    """
    chunks = DataModule(data, TrainPlan()).val_dataloader()
    if not chunks:
        return {}
    spec = data.spec
    answers, targets = predict_rows(network, chunks, next(network.parameters()).device, spec)
    found = scores(in_target_unit(answers, spec), in_target_unit(targets, spec), spec, weights=row_weights(chunks))
    return {"val_loss": task_of(spec).validation_loss(found, spec.output)} | {f"val_{name}": at for name, at in found.items()}


def scorer(network: nn.Module, data: Data) -> Callable[[], dict[str, float]] | None:
    """A function that returns `validation_scores` of a network in training; None if there are no rows to score it on."""
    return functools.partial(validation_scores, network, data) if len(data.validation) else None


def final_scores(trained: Iterable[tuple[Network, Split]], spec: DataSpec) -> dict[str, float]:
    """The scores of finished networks as a study gives them, with decoder settings such as thresholds fitted to the same rows.

    Args:
        trained: Each network with the rows that it is scored on: one, or one for each fold.
        spec: The task.

    Returns:
        The scores over all rows, by name.
    """
    pairs = [(network.cpu(), rows) for network, rows in trained]
    answers = torch.cat([_answers(deployable(network, spec), rows) for network, rows in pairs])
    truth = torch.cat([in_target_unit(rows.targets, spec) for _, rows in pairs])
    decoder = task_of(spec).fit_decoder(answers.numpy(), truth.numpy(), spec.output)
    return scores(answers, truth, spec, decoder, weights=joined_weights([rows for _, rows in pairs]))


def _answers(network: nn.Module, split: Split) -> Tensor:
    """The answers for some rows, in order."""
    parts = [split.rows(slice(at, at + ROWS)).inputs for at in range(0, len(split), ROWS)]
    with torch.inference_mode():
        return torch.cat([network(**inputs) for inputs in parts])

"""Validation of the user's trained network and rows for `lean` and `accelerate`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lepton_automl.data.labelled import LabelledSplits, Pairs, hold_out, labelled, read_pairs
from lepton_automl.deployment.preserve_state import eval_mode, preserve_state
from lepton_automl.deployment.untraceable_parts import untraceable_parts
from lepton_automl.device import get_device
from lepton_automl.errors import Complaints, in_one_line
from lepton_automl.specs import Deployment
from lepton_automl.training.custom import lazy_layer, without_trainer


def validate_inputs(
    model: Any, data: Any, validation: Any, complaints: Complaints, *, seed: int = 0, standardise: bool = True
) -> LabelledSplits:
    """Validate the arguments and read the rows; the network is called on a few of them.

    Args:
        model: The trained module, called as `model(x)`.
        data: Rows and targets, as `data.labelled.read_pairs` takes them.
        validation: Rows and targets for scoring, likewise; None to hold out a fifth of `data`.
        complaints: Earlier complaints; all are raised together.
        seed: Seeds the choice of held-out rows.
        standardise: Whether regression targets are standardised.

    Raises:
        ConfigError: The arguments are invalid; all problems are listed.
    """
    is_module = isinstance(model, nn.Module)
    complaints.check(is_module, f"model is a {type(model).__name__}.", "Pass a trained torch.nn.Module.")
    train = read_pairs(data, complaints, "data")
    validation_pairs = None if validation is None else read_pairs(validation, complaints, "validation")
    outputs = _check_forward(model, train, complaints) if is_module and train is not None else 1
    complaints.raise_any()
    assert train is not None
    if validation_pairs is None:
        train, validation_pairs = hold_out(train, seed)
    return labelled(train, validation_pairs, outputs, standardise=standardise)


def check_deployment(deployment: Any, complaints: Complaints) -> None:
    """Complain if the deployment is invalid or cannot be measured."""
    is_deployment = isinstance(deployment, Deployment)
    complaints.check(is_deployment, f"deployment is {deployment!r}.", "Pass deployment=Deployment(...).")
    if is_deployment:
        reason = get_device(deployment.device).unavailable()
        complaints.check(not reason, f"{reason}.", "Use Deployment(device='cpu').")


def _check_forward(model: nn.Module, train: Pairs, complaints: Complaints) -> int:
    """The number of outputs per row; complains if they do not match the targets."""
    rows, targets = train
    device = next((weight.device for weight in model.parameters()), None)
    if device is None:
        complaints.add(f"{type(model).__name__} has no weights.")
        return 1
    if lazy := lazy_layer(model):
        complaints.add(f"{lazy} has no weights yet.", "Call the network once on some rows and train it first.")
        return 1
    try:
        with without_trainer(model), preserve_state(model), eval_mode(model), torch.inference_mode():
            outputs = model(rows[:4].to(device, copy=True))  # it may modify its input
    except Exception as error:
        what = f"forward fails on rows {list(rows[:4].shape)}: {in_one_line(error)}{untraceable_parts(model)}."
        complaints.add(what, "It is called as model(x) with rows of data.")
        return 1
    if not isinstance(outputs, Tensor):
        complaints.add(f"forward returns a {type(outputs).__name__}.", "It must return one tensor.")
        return 1
    shape, values = list(outputs.shape), targets.is_floating_point()
    expected = "[N] or [N, 1], as the targets are values" if values else "[N, classes] logits, as the targets are integers"
    fits = shape in ([4], [4, 1]) if values else len(shape) == 2 and shape[1] > 1
    complaints.check(fits, f"forward returns {shape} for 4 rows.", f"It must return {expected}.")
    if fits and not values:
        largest = int(targets.max())
        complaints.check(largest < shape[1], f"a target is class {largest}, and forward returns logits for {shape[1]} classes.")
    return shape[1] if fits and not values else 1

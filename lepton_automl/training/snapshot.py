"""The state of a fit after an epoch, as arrays and JSON: training that is restored from it ends as if uninterrupted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from .epochs import Epochs
    from .joined import JoinedAdamW
    from .training_module import TrainingModule

MODEL, BEST, OPTIMIZER = "model.", "best.", "optimizer."


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that later epochs depend on; order, augmentation and dropout are functions of the seed and the epoch.

    Args:
        epoch: Number of finished epochs of the plan.
        arrays: The current training weights, the optimiser's state, and the best averaged weights so far.
        state: The optimiser's groups and the lowest validation loss, as JSON; empty before a fit, so that the optimiser starts
            from scratch.
    """

    epoch: int
    arrays: dict[str, NDArray[Any]]
    state: dict[str, Any] = field(default_factory=dict)


def initial_snapshot(model: nn.Module, epoch: int) -> Snapshot:
    """A snapshot of a network between two fits, for example after pruning."""
    return Snapshot(epoch=epoch, arrays=_arrays(MODEL, model.state_dict()))


def take_snapshot(task: TrainingModule, epochs: Epochs) -> Snapshot:
    """The snapshot of a fit between two epochs. It copies the weights and three more tensors of their size."""
    arrays = _arrays(MODEL, task.model.state_dict()) | _arrays(BEST, epochs.best or {})
    for number, part in enumerate(_optimizer(task).parts):
        state = {name: part.of(tensor) for name, tensor in task.optimizer.state[part.whole].items()}
        arrays |= _arrays(f"{OPTIMIZER}{number}.", state)
    groups = [{name: item for name, item in group.items() if name != "params"} for group in task.optimizer.param_groups]
    return Snapshot(epoch=epochs.epoch, arrays=arrays, state={"least": epochs.min_loss, "groups": groups})


def restore_snapshot(snapshot: Snapshot, task: TrainingModule, epochs: Epochs) -> None:
    """Restore a snapshot, once there is an optimiser and the model is on its device."""
    task.model.load_state_dict(_tensors(snapshot, MODEL))
    if not snapshot.state:
        return
    epochs.min_loss, epochs.best = snapshot.state["least"], _tensors(snapshot, BEST) or None
    for group, saved in zip(task.optimizer.param_groups, snapshot.state["groups"], strict=True):
        group.update({name: tuple(item) if isinstance(item, list) else item for name, item in saved.items()})
    for number, part in enumerate(_optimizer(task).parts):
        state = task.optimizer.state[part.whole]
        for name, tensor in _tensors(snapshot, f"{OPTIMIZER}{number}.").items():
            if name not in state:
                state[name] = torch.zeros_like(part.whole)
            part.of(state[name].detach()).copy_(tensor)


def _optimizer(task: TrainingModule) -> JoinedAdamW:
    assert task.averaging is not None, "another optimiser's fits have no snapshots"
    return task.averaging


def _arrays(prefix: str, tensors: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {prefix + name: _array(tensor) for name, tensor in tensors.items()}


def _array(tensor: Tensor) -> NDArray[Any]:
    array = tensor.detach().cpu()
    array = array.float() if array.dtype == torch.bfloat16 else array  # NumPy has no bfloat16; lossless in both directions
    return np.ascontiguousarray(array.numpy()).reshape(array.shape)


def _tensors(snapshot: Snapshot, prefix: str) -> dict[str, Tensor]:
    cut = len(prefix)
    return {name[cut:]: torch.from_numpy(array) for name, array in snapshot.arrays.items() if name.startswith(prefix)}

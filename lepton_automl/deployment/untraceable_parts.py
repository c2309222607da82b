"""Parts of a network that are known to be hard to trace, for error messages."""

from __future__ import annotations

import inspect
import re
from itertools import chain

from torch import nn

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
TRAINER_ATTRIBUTES = re.compile(r"\bself\.(logger|trainer|log|log_dict)\b")


def untraceable_parts(module: nn.Module) -> str:
    """The parts of a network that are known to be hard to trace, as the end of a sentence; empty where there are none.

    Args:
        module: The network.
    """
    parts = [*_recurrent(module), *_uses_batch_statistics(module), *_uses_trainer(module), *_global_hooks()]
    return f" (in it, {'; '.join(parts)})" if parts else ""


def _recurrent(module: nn.Module) -> list[str]:
    return [
        f"{_path(name)} is a recurrent layer (nn.{_torch_name(part)})"
        for name, part in module.named_modules()
        if isinstance(part, RECURRENT)
    ]


def _torch_name(part: nn.Module) -> str:
    return next(ancestor.__name__ for ancestor in type(part).__mro__ if ancestor.__module__.startswith("torch.nn"))


def _uses_batch_statistics(module: nn.Module) -> list[str]:
    return [
        f"{_path(name)} uses the statistics of each call's rows"
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and (part.training or part.running_mean is None)  # noqa: SLF001  # the common base of all batch norms has no public name
    ]


def _path(name: str) -> str:
    """A module's path in the user's network, which ours wrap as `module`."""
    return repr(name.removeprefix("module.").removeprefix("module") or "the network")


def _uses_trainer(module: nn.Module) -> list[str]:
    """Lightning modules whose forward pass uses attributes that only a Trainer sets."""
    sentences = []
    for part in module.modules():
        if not hasattr(type(part), "training_step"):
            continue
        try:
            source = inspect.getsource(type(part).forward)
        except (OSError, TypeError):
            continue
        used = dict.fromkeys(f"self.{match.group(1)}" for match in TRAINER_ATTRIBUTES.finditer(source))
        sentences += [
            f"the forward pass of {type(part).__name__} uses {attribute}, which only a Trainer sets" for attribute in used
        ]
    return sentences


def _global_hooks() -> list[str]:
    torch_module = nn.modules.module
    hooks = chain(torch_module._global_forward_hooks.values(), torch_module._global_forward_pre_hooks.values())  # noqa: SLF001  # they have no public accessor
    return [f"the hook {getattr(hook, '__name__', hook)!r} is registered for all modules" for hook in hooks]

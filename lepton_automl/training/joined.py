"""Schedule-free AdamW over joined weights: one large tensor a group in place of many small ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn


class Part(NamedTuple):
    """Where a weight of the network is in a joined one.

    Args:
        weight: The network's weight, a view of the joined one.
        whole: The joined weight.
        offset: Where it begins, in elements.
        gradient: The part of the joined gradient that belongs to it.
    """

    weight: nn.Parameter
    whole: nn.Parameter
    offset: int
    gradient: Tensor

    def of(self, joined: Tensor) -> Tensor:
        """The part of a tensor as long as the joined weight, in the weight's shape and strides."""
        return joined.as_strided(self.weight.size(), self.weight.stride(), self.offset)


class JoinedAdamW(AdamWScheduleFree):  # type: ignore[misc]  # the library has no types
    """`AdamWScheduleFree` with all weights of a group in one tensor, of which the network's weights become views.

    The steps are the same, but a step of a small network takes a fraction of the time: torch's calls for lists of tensors are loops
    on a CPU, and a small tensor costs as much as one of thousands of elements. Weights that took no part in a step have a
    gradient of zero, so that their weight decay and their average go on.

    Args:
        groups: Weights with their settings, as for `AdamWScheduleFree`.
        **settings: Settings of all groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], **settings: Any) -> None:
        self.parts: list[Part] = []
        super().__init__([{**group, "params": list(self._join(group["params"]))} for group in groups], **settings)

    @property
    def joined(self) -> list[nn.Parameter]:
        """The joined weights, for the norm of the gradient."""
        return [weight for group in self.param_groups for weight in group["params"]]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change the weights by their gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._gather()
        super().step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # torch's signature
        """Set all gradients to zero; they stay where they are."""
        for whole in self.joined:
            assert whole.grad is not None
            whole.grad.zero_()
        for part in self.parts:
            part.weight.grad = part.gradient

    def clip(self, limit: float) -> Tensor:
        """Scale the gradients down to a norm, as `torch.nn.utils.clip_grad_norm_` does in three times the time.

        Args:
            limit: The largest norm that stays.

        Returns:
            The norm before that, a scalar.
        """
        self._gather()
        gradients = [whole.grad for whole in self.joined if whole.grad is not None]
        norm: Tensor = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(own) for own in gradients]))
        scale = (limit / (norm + 1e-6)).clamp(max=1.0)
        for own in gradients:
            own.mul_(scale)
        return norm

    def separate(self) -> None:
        """Give each weight of the network memory of its own again; the optimiser must not be used after that."""
        for part in self.parts:
            part.weight.data, part.weight.grad = part.weight.detach().clone(), None

    def _join(self, weights: Iterable[nn.Parameter]) -> Iterator[nn.Parameter]:
        alike: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = defaultdict(list)
        for weight in weights:
            alike[weight.dtype, weight.device].append(weight)
        for members in alike.values():
            whole = nn.Parameter(members[0].new_empty(sum(weight.numel() for weight in members)))
            whole.grad = torch.zeros_like(whole)
            offset = 0
            for weight in members:
                if not _is_dense(weight):
                    weight.data = weight.detach().contiguous()
                part = Part(weight, whole, offset, whole.grad.as_strided(weight.size(), weight.stride(), offset))
                with torch.no_grad():
                    weight.data = part.of(whole.detach()).copy_(weight.detach())
                weight.grad = part.gradient
                self.parts.append(part)
                offset += weight.numel()
            yield whole

    def _gather(self) -> None:
        """Copy gradients that were replaced, for example by the network's own `zero_grad`, to where they are expected."""
        for part in self.parts:
            found = part.weight.grad
            if found is not part.gradient:
                _ = part.gradient.zero_() if found is None else part.gradient.copy_(found)
                part.weight.grad = part.gradient


def _is_dense(weight: Tensor) -> bool:
    """Whether a weight fills its memory without gaps, in any order of its axes."""
    expected = 1
    for stride, size in sorted(zip(weight.stride(), weight.size(), strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True

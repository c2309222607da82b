"""Which channels to remove: each width by itself, or ranked together."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from lepton_automl.recipe import narrowed

RANKINGS = ("layer", "global", "isomorphic")


def choose(
    scores: Sequence[Tensor],
    kinds: Sequence[Hashable],
    parts: Sequence[int],
    ratio: float,
    *,
    ranking: str,
    multiple: int,
    most: float,
) -> list[list[int]]:
    """The positions to remove from each width.

    * `"layer"`: every width loses the same share, its least important channels.
    * `"global"`: all channels compete, each by its score over the mean of its width.
    * `"isomorphic"`: channels of widths of one kind compete (Fang et al., Isomorphic Pruning for Vision Models, ECCV 2024).

    Args:
        scores: Of each width, one score a channel.
        kinds: What each width is like.
        parts: Into how many parts of equal size each width is shared out; they lose the same positions.
        ratio: Share of the channels to remove, 0 to below 1.
        ranking: One of `RANKINGS`.
        multiple: Widths are rounded to multiples of this, or of a quarter of the width where that is less.
        most: The largest share of its channels that a width may lose in a contest.

    Returns:
        For each width the positions in a part that leave, the same in all its parts; never all of them.
    """
    folded = [worths.double().reshape(count, -1).mean(0) for worths, count in zip(scores, parts, strict=True)]
    widths = (
        [len(worths) * (1 - ratio) for worths in folded]
        if ranking == "layer"
        else _contest(folded, kinds, ratio, ranking, most)
    )
    chosen = []
    for worths, stay, count in zip(folded, widths, parts, strict=True):
        width = len(worths)
        wide = narrowed(width, stay / width, max(1, multiple // count))
        chosen.append(sorted(worths.argsort(stable=True)[: width - wide].tolist()))
    return chosen


def _contest(folded: Sequence[Tensor], kinds: Sequence[Hashable], ratio: float, ranking: str, most: float) -> list[float]:
    """How many positions each width keeps, when all of a kind compete."""
    scopes = list(kinds) if ranking == "isomorphic" else [None] * len(folded)
    widths = [float(len(worths)) for worths in folded]
    for scope in dict.fromkeys(scopes):
        inside = [number for number, other in enumerate(scopes) if other == scope]
        loses = round(ratio * sum(len(folded[number]) for number in inside))
        # Only so many of each width are candidates, and of those the lowest are removed.
        standing = [
            (score, number)
            for number in inside
            for score in _relative(folded[number]).sort().values[: math.floor(most * len(folded[number]))].tolist()
        ]
        for _, number in sorted(standing)[:loses]:
            widths[number] -= 1
    return widths


def _relative(scores: Tensor) -> Tensor:
    mean = scores.mean()
    return scores / mean if mean > 0 else torch.ones_like(scores)

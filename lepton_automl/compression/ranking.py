"""Choose the channels to remove: in each width separately, or ranked across widths."""

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
    * `"isomorphic"`: channels of all widths of a kind compete (Fang et al., Isomorphic Pruning for Vision Models, ECCV 2024).

    Args:
        scores: For each width, one score per channel.
        kinds: The kind of each width.
        parts: For each width, the number of equal parts that it is divided into; all parts lose the same positions.
        ratio: Share of the channels to remove, 0 to below 1.
        ranking: One of `RANKINGS`.
        multiple: Widths are rounded to multiples of this, or of a quarter of the width if that is less.
        most: The largest share of its channels that a width may lose if widths compete.

    Returns:
        For each width the positions to remove from each of its parts; never all of them.
    """
    folded = [part_scores.double().reshape(count, -1).mean(0) for part_scores, count in zip(scores, parts, strict=True)]
    widths = (
        [len(part_scores) * (1 - ratio) for part_scores in folded]
        if ranking == "layer"
        else _rank_across(folded, kinds, ratio, ranking, most)
    )
    chosen = []
    for part_scores, remaining, count in zip(folded, widths, parts, strict=True):
        width = len(part_scores)
        wide = narrowed(width, remaining / width, max(1, multiple // count))
        chosen.append(sorted(part_scores.argsort(stable=True)[: width - wide].tolist()))
    return chosen


def _rank_across(folded: Sequence[Tensor], kinds: Sequence[Hashable], ratio: float, ranking: str, most: float) -> list[float]:
    """How many positions each width keeps if all widths of a kind, or all widths, compete."""
    scopes = list(kinds) if ranking == "isomorphic" else [None] * len(folded)
    widths = [float(len(part_scores)) for part_scores in folded]
    for scope in dict.fromkeys(scopes):
        inside = [number for number, other in enumerate(scopes) if other == scope]
        removals = round(ratio * sum(len(folded[number]) for number in inside))
        # At most the share `most` of each width are candidates; of those the ones with the lowest scores are removed.
        candidates = [
            (score, number)
            for number in inside
            for score in _relative(folded[number]).sort().values[: math.floor(most * len(folded[number]))].tolist()
        ]
        for _, number in sorted(candidates)[:removals]:
            widths[number] -= 1
    return widths


def _relative(scores: Tensor) -> Tensor:
    mean = scores.mean()
    return scores / mean if mean > 0 else torch.ones_like(scores)

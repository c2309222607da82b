"""The scores of one variant of a network: on all rows, on those that choose a variant, and on those that decide whether it is kept."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lepton_automl.arrays import Array, Json
from lepton_automl.specs import DataSpec
from lepton_automl.training.scores import scores

FEWEST = 50  # rows in a half; of fewer than twice as many, all rows choose and decide


@dataclass(frozen=True)
class VariantScores:
    """The scores of a variant.

    Args:
        scores: All scores on all rows.
        choosing: The metric on one half of the rows, by which the fastest good variant is chosen.
        deciding: The metric on the other half, by which the chosen one is kept or not.
    """

    scores: dict[str, float]
    choosing: float
    deciding: float


def variant_scores(
    answers: Array,
    targets: Tensor,
    spec: DataSpec,
    metric: str,
    decoder: Json | None = None,
    *,
    weights: Tensor | None = None,
) -> VariantScores:
    """Score a variant's answers.

    Args:
        answers: The task's answers, [N] or [N, K].
        targets: Targets in the target's own unit, [N] or [N, K].
        spec: The data; its digest seeds the division of the rows.
        metric: The metric whose drop is limited.
        decoder: Fitted decoder settings.
        weights: The weight of each row, [N]; None if all count alike.
    """
    whole = scores(answers, targets, spec, decoder, weights=weights)
    if len(targets) < 2 * FEWEST:
        return VariantScores(whole, whole[metric], whole[metric])
    order = np.random.default_rng(zlib.crc32(spec.digest.encode())).permutation(len(targets))
    halves = (
        scores(answers[half], targets[half], spec, decoder, weights=None if weights is None else weights[half]).get(
            metric, math.nan
        )
        for half in (order[: len(order) // 2], order[len(order) // 2 :])
    )
    return VariantScores(whole, *(whole[metric] if math.isnan(score) else score for score in halves))

"""How much each part of an input contributes to an answer: Shapley values against a background of other inputs. Needs NumPy only.

Few parts are enumerated. Otherwise permutations are sampled (Štrumbelj and Kononenko, Explaining prediction models and individual
predictions with feature contributions, 2014), each together with its reverse, which has errors of the opposite sign (Mitchell et
al., Sampling permutations for Shapley value estimation, JMLR 2022). One background input belongs to each pair.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import ConfigError

Floats = NDArray[np.float64]
# The answers for inputs of which some parts are as explained, bool [M, parts], and the rest as in a background input, int [M].
Answers = Callable[[NDArray[np.bool_], NDArray[np.int64]], Floats]

EVALUATIONS = 4096  # answers that one explanation may cost by default
BATCH = 1024  # answers that are asked for at once, at most
LEAST_PAIRS = 4  # pairs of permutations that an error is estimated from, even when the time is over


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """What the parts of one input contribute to each of K numbers of an answer; contributions and base add up to the answer.

    Args:
        base: The mean answer for the background, [K].
        answer: The answer for the input, [K].
        values: The contribution of each part, [parts, K].
        errors: Their standard errors, [parts, K]; zero if all subsets of parts were tried.
        evaluations: Answers that were computed.
    """

    base: Floats
    answer: Floats
    values: Floats
    errors: Floats
    evaluations: int

    @property
    def exact(self) -> bool:
        """Whether all subsets of parts were tried, so that only the choice of the background is left to chance."""
        return not self.errors.any()


def contributions(
    answers: Answers,
    parts: int,
    background: int,
    *,
    evaluations: int = EVALUATIONS,
    seconds: float = math.inf,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Contributions:
    """The Shapley values of the parts of one input.

    Args:
        answers: Returns answers [M, K] for mixtures of the input and background inputs.
        parts: The number of parts.
        background: The number of background inputs.
        evaluations: Answers that may be computed, at least those of `LEAST_PAIRS` pairs of permutations.
        seconds: Time after which no further permutations are drawn.
        seed: Of the permutations.
        clock: Gives the time in seconds.

    Raises:
        ConfigError: There are no parts or no background, or a number is not positive.
    """
    for name, number in (("parts", parts), ("background", background), ("evaluations", evaluations), ("seconds", seconds)):
        if not number > 0:
            raise ConfigError(f"{name} is {number}", where="contributions", fix="It must be positive.")
    if parts < math.log2(evaluations) and background * 2**parts <= evaluations:
        return _enumerated(answers, parts, background)
    rng, until = np.random.default_rng(seed), clock() + seconds
    return _sampled(answers, parts, background, evaluations=evaluations, is_over=lambda: clock() >= until, rng=rng)


def _enumerated(answers: Answers, parts: int, background: int) -> Contributions:
    """Every subset of the parts with every background input."""
    subsets = np.array(list(itertools.product((False, True), repeat=parts)), dtype=np.bool_)
    masks, rows = np.repeat(subsets, background, 0), np.tile(np.arange(background), len(subsets))
    each = _in_batches(answers, masks, rows)
    means = each.reshape(len(subsets), background, -1).mean(1)
    sizes = subsets.sum(1)
    weights = np.array([1 / (parts * math.comb(parts - 1, size)) if size < parts else 0.0 for size in sizes])
    values = np.empty((parts, means.shape[1]))
    for part in range(parts):
        without = np.flatnonzero(~subsets[:, part])
        gains = means[without + 2 ** (parts - 1 - part)] - means[without]  # subsets are in the order of binary numbers
        values[part] = weights[without] @ gains
    return Contributions(base=means[0], answer=means[-1], values=values, errors=np.zeros_like(values), evaluations=len(masks))


def _sampled(
    answers: Answers,
    parts: int,
    background: int,
    *,
    evaluations: int,
    is_over: Callable[[], bool],
    rng: np.random.Generator,
) -> Contributions:
    """Pairs of permutations, a batch at a time."""
    each = 2 * parts  # answers of a pair: both walks share their ends
    most = max(LEAST_PAIRS, evaluations // each)
    order = np.concatenate([rng.permutation(background) for _ in range(-(-most // background))])[:most]
    gains: list[Floats] = []
    ends: list[Floats] = []
    while len(gains) < most and (len(gains) < LEAST_PAIRS or not is_over()):
        count = min(max(LEAST_PAIRS, BATCH // each), most - len(gains))
        orders = [rng.permutation(parts) for _ in range(count)]
        rows = np.repeat(order[len(gains) : len(gains) + count], each)
        found = _in_batches(answers, np.concatenate([_walks(one) for one in orders]), rows).reshape(count, each, -1)
        for one, walked in zip(orders, found, strict=True):
            backward = np.concatenate([walked[:1], walked[parts + 1 :], walked[parts : parts + 1]])
            gained = np.empty((parts, found.shape[2]))
            gained[one] = np.diff(walked[: parts + 1], axis=0) / 2
            gained[one[::-1]] += np.diff(backward, axis=0) / 2
            gains.append(gained)
            ends.append(walked[[0, parts]])
    values = np.mean(gains, 0)
    errors = np.std(gains, 0, ddof=1) / math.sqrt(len(gains))
    base, answer = np.mean(ends, 0)
    return Contributions(base=base, answer=answer, values=values, errors=errors, evaluations=each * len(gains))


def _walks(order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The subsets on the way from no part to all in an order, [parts + 1], and those between the ends in the reverse order."""
    parts = len(order)
    place = np.empty(parts, np.int64)
    place[order] = np.arange(parts)
    forward = place < np.arange(parts + 1)[:, None]
    backward = place >= parts - np.arange(1, parts)[:, None]
    return np.concatenate([forward, backward])


def _in_batches(answers: Answers, masks: NDArray[np.bool_], rows: NDArray[np.int64]) -> Floats:
    found = [answers(masks[n : n + BATCH], rows[n : n + BATCH]) for n in range(0, len(masks), BATCH)]
    return np.concatenate(found).astype(np.float64)

"""Compare the outputs of an exported model with its module's, on real rows, in one call and one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lepton_automl.errors import BundleError, in_one_line

from .preserve_state import eval_mode, preserve_state
from .program_network import as_programs
from .untraceable_parts import untraceable_parts

Rows = dict[str, NDArray[Any]]

ROWS = 64  # compared for a file that is kept
QUICK_ROWS = 4  # compared for a file that is only timed and then deleted
PROBABILITY_TOLERANCE = 1e-4  # absolute; runtimes sum in different orders, which changes a probability by 1e-6
VALUE_TOLERANCE = 1e-4  # share of the answers' standard deviation
ROUNDING = 1e-6  # share of the largest answer: the rounding error of float32 far from zero
FLIPPED = 0.02  # share of rows whose integers may differ: between two nearly equal choices, a loop may take the other one
TIE = 0.1  # share of the tolerance: which of two classes closer than this is larger may depend on the order of summation
RANDOM_FIX = (
    "Pass training=self.training to functional dropout, and let eval() reach every layer; "
    "a network that draws random numbers on purpose cannot be exported."
)
BATCH_STATISTICS_FIX = "Use running statistics (track_running_stats=True), and compute means within a row only."


@dataclass(frozen=True)
class ExpectedAnswers:
    """The outputs of a module's own forward pass, in evaluation mode.

    Args:
        name: The module's class.
        rows: The rows by argument name, [N, ...].
        together: Its answers to them in one call, [N, ...].
        alone: Its answers to the first of them, each row in its own call; empty where it cannot take a row alone, as with a
            `squeeze()` that removes the rows' axis.
        decided: Whether the answers are integers that the loop over several programs chose. Each program is compared when it is
            exported; a few rows of these answers may differ.
    """

    name: str
    rows: dict[str, NDArray[Any]]
    together: NDArray[Any]
    alone: NDArray[Any]
    decided: bool = False

    @property
    def tolerance(self) -> float:
        """The largest allowed difference: 1e-4 for probabilities, 1e-4 of the standard deviation for other answers."""
        return tolerance(self.together)


def expected_answers(
    module: nn.Module, inputs: Mapping[str, Tensor], *, rows: int = ROWS, alone: int | None = None
) -> ExpectedAnswers:
    """Run a module and return its outputs; it is left unchanged.

    Args:
        module: Called as `module(**inputs)`.
        inputs: Real rows by argument name.
        rows: How many of them to take, evenly spread; all where there are fewer.
        alone: How many of these to run one by one; all by default.

    Raises:
        BundleError: It has no well-defined output: it fails, or its outputs are random, not finite, or depend on the other rows of
            the call.
    """
    some = spread_rows(inputs, rows)
    name = type(getattr(module, "module", module)).__name__
    with preserve_state(module), eval_mode(module):
        together = _forward(module, some, name)
        count = len(together) if alone is None else min(alone, len(together))
        each = _one_by_one(module, some, together[:count], name)
        if not (np.isfinite(together).all() and np.isfinite(each).all()):
            fix = "If the network was trained, training diverged: lower the learning rate."
            raise BundleError("an output is not a finite number", where="verify", fix=fix)
        decided = together.dtype.kind in "iu" and as_programs(module) is not None
        same = _few_flipped if decided else _same_answers
        if not same(each, together[: len(each)], together):
            raise _row_dependence_error(module, some, each, together, name)
    return ExpectedAnswers(name, {key: tensor.cpu().numpy() for key, tensor in some.items()}, together, each, decided)


def is_nondeterministic(module: nn.Module, expected: ExpectedAnswers) -> bool:
    """Whether a module's output for the same rows changes from call to call."""
    rows = {name: torch.from_numpy(array) for name, array in expected.rows.items()}
    with preserve_state(module), eval_mode(module):
        return not _same_answers(_forward(module, rows, expected.name), expected.together, expected.together)


def compare(expected: ExpectedAnswers, model: Callable[[Rows], NDArray[Any]], allowed: float | None = None) -> float:
    """Compare an exported model with its module's outputs, in one call and one by one.

    Args:
        expected: The module's answers.
        model: The exported model.
        allowed: The largest allowed difference; by default `expected.tolerance`.

    Returns:
        The largest difference found.

    Raises:
        BundleError: They differ by more, or in shape, or predict other classes.
    """
    allowed = expected.tolerance if allowed is None else allowed
    together, alone = expected.together, expected.alone
    difference = _share_flipped if expected.decided else _largest_difference
    worst = difference(model(_copied(expected.rows)), together, allowed, f"{len(together)} rows")
    each = [model({name: array[n : n + 1].copy() for name, array in expected.rows.items()}) for n in range(len(together))]
    odd = next((answer for answer in each if answer.shape != (1, *together.shape[1:])), None)
    stacked = np.concatenate(each) if odd is None else odd
    truth = np.concatenate([alone, together[len(alone) :]]) if odd is None else together[:1]
    return max(worst, difference(stacked, truth, allowed, "one row alone"))


def verify(
    module: nn.Module, model: Callable[[Rows], NDArray[Any]], inputs: dict[str, Tensor], tolerance: float | None = None
) -> float:
    """Compare an exported model with its module, on real rows.

    Args:
        module: Called as `module(**inputs)` in evaluation mode; returns probabilities [N, K] or values [N].
        model: The exported model.
        inputs: The rows.
        tolerance: The largest allowed difference; by default 1e-4 of probability, or 1e-4 of the standard deviation
            of values.

    Returns:
        The largest difference found.

    Raises:
        BundleError: They differ by more, or in shape, or an answer is not finite.
    """
    return compare(expected_answers(module, inputs), model, tolerance)


def spread_rows(inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Return copies of `rows` rows, evenly spread over a source that may be sorted; all rows where there are fewer."""
    count = len(next(iter(inputs.values())))
    places = torch.linspace(0, count - 1, min(rows, count)).round().long()
    return {name: tensor.detach()[places.to(tensor.device)] for name, tensor in inputs.items()}


def tolerance(answers: NDArray[Any]) -> float:
    """The largest allowed difference from some answers."""
    if _are_probabilities(answers):
        return PROBABILITY_TOLERANCE
    return VALUE_TOLERANCE * float(answers.std()) + ROUNDING * float(np.abs(answers).max(initial=0.0))


def _are_probabilities(answers: NDArray[Any]) -> bool:
    if answers.ndim != 2 or not len(answers):
        return False
    return bool(answers.min() >= 0 and answers.max() <= 1 + ROUNDING and np.allclose(answers.sum(1), 1, atol=1e-4))


def _forward(module: nn.Module, rows: dict[str, Tensor], name: str, what: str = "") -> NDArray[Any]:
    what = what or f"{len(next(iter(rows.values())))} rows"
    try:
        with torch.inference_mode():
            answer = module(**{key: tensor.clone() for key, tensor in rows.items()})  # it may change its inputs in place
    except Exception as error:
        raise BundleError(
            f"{name} fails on {what}: {in_one_line(error)}",
            where="export",
            fix="Its forward pass must take any number of rows, in evaluation mode.",
        ) from error
    if not isinstance(answer, Tensor):
        raise BundleError(f"{name} returns a {type(answer).__name__}; it must return one tensor", where="export")
    wide = answer.float() if answer.dtype in (torch.bfloat16, torch.float16) else answer
    output: NDArray[Any] = wide.detach().cpu().numpy()
    return output


def _one_by_one(module: nn.Module, rows: dict[str, Tensor], together: NDArray[Any], name: str) -> NDArray[Any]:
    each = []
    for n in range(len(together)):
        try:
            answer = _forward(module, {key: tensor[n : n + 1] for key, tensor in rows.items()}, name, "one row alone")
        except BundleError:
            if not n:
                return together[:0]
            raise
        each.append(_row_like(answer, together))
    return np.concatenate(each) if each else together[:0]


def _row_like(answer: NDArray[Any], together: NDArray[Any]) -> NDArray[Any]:
    """The output for one row with its axes restored, where `squeeze()` removed some."""
    wanted = (1, *together.shape[1:])
    return answer.reshape(wanted) if answer.size == int(np.prod(wanted)) else np.full(wanted, np.inf)


def _same_answers(outputs: NDArray[Any], truth: NDArray[Any], scale: NDArray[Any]) -> bool:
    if outputs.shape != truth.shape:
        return False
    return float(_distance(outputs, truth).max(initial=0.0)) <= tolerance(scale)


def _few_flipped(outputs: NDArray[Any], truth: NDArray[Any], scale: NDArray[Any]) -> bool:
    """Whether all but a few rows of integers are equal."""
    del scale
    return outputs.shape == truth.shape and _flipped(outputs, truth) <= max(1, int(FLIPPED * len(truth)))


def _flipped(outputs: NDArray[Any], truth: NDArray[Any]) -> int:
    """The number of rows that differ."""
    rows = len(truth)
    return int((outputs.reshape(rows, -1) != truth.reshape(rows, -1)).any(1).sum()) if rows else 0


def _distance(outputs: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.abs(outputs.astype(np.float64) - truth.astype(np.float64))
    return distance


def _row_dependence_error(
    module: nn.Module, rows: dict[str, Tensor], each: NDArray[Any], together: NDArray[Any], name: str
) -> BundleError:
    """The error for a module whose output for a row depends on the other rows of the call."""
    if not _same_answers(_forward(module, rows, name), together, together):
        return nondeterministic_error(name)
    worst = float(_distance(each, together[: len(each)]).max(initial=0.0))
    what = f"{name}'s output for a row depends on the other rows of the call, by up to {worst:.3g}{untraceable_parts(module)}"
    return BundleError(what, where="export", fix=BATCH_STATISTICS_FIX)


def nondeterministic_error(name: str) -> BundleError:
    """The error for a module whose output is random."""
    what = f"{name}'s output for the same rows changes from call to call: it draws random numbers in evaluation mode"
    return BundleError(what, where="export", fix=RANDOM_FIX)


def _copied(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return copies of the rows, as a PyTorch model may change its inputs in place."""
    return {name: array.copy() for name, array in rows.items()}


def _share_flipped(outputs: NDArray[Any], truth: NDArray[Any], allowed: float, rows: str) -> float:
    """The share of rows whose integers differ, for the answers of a loop."""
    if not _few_flipped(outputs, truth, truth):
        flipped = (
            f"{_flipped(outputs, truth)} of {len(truth)}" if outputs.shape == truth.shape else f"the shape {outputs.shape}"
        )
        what = f"the loop over the exported programs gives other answers than the module on {rows}: {flipped}"
        raise BundleError(what, where="verify")
    del allowed
    return _flipped(outputs, truth) / max(1, len(truth))


def _largest_difference(outputs: NDArray[Any], truth: NDArray[Any], allowed: float, rows: str) -> float:
    if outputs.shape != truth.shape:
        raise BundleError(
            f"the exported model's output has the shape {outputs.shape}, the module's {truth.shape}, for {rows}", where="verify"
        )
    worst = float(_distance(outputs, truth).max(initial=0.0)) if np.isfinite(outputs).all() else np.inf
    if worst > allowed:
        raise BundleError(
            f"the exported model differs from the module by up to {worst:.3g} on {rows}; {allowed:.3g} is allowed",
            where="verify",
            fix="This is a bug of the export; please report it with the model's recipe.",
        )
    if other := int(_different_decisions(outputs, truth, TIE * allowed).sum()):
        what = f"the exported model predicts another class than the module on {rows}, for {other} of {len(truth)}"
        raise BundleError(what, where="verify")
    return worst


def _different_decisions(outputs: NDArray[Any], truth: NDArray[Any], tie: float) -> NDArray[np.bool_]:
    """Which rows have another predicted class, except for ties."""
    if truth.ndim != 2 or truth.shape[1] < 2:
        return np.zeros(len(truth), dtype=np.bool_)
    places, lines = outputs.argmax(1), np.arange(len(truth))
    decided: NDArray[np.bool_] = truth.max(1) - truth[lines, places] > tie
    return decided

"""Skewed targets on a scale on which they are nearly symmetric: fitted on training rows, inverted inside the exported model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["log", "sqrt"]
KINDS: tuple[Kind, ...] = ("log", "sqrt")
NAMES = {"log": "logarithm", "sqrt": "square root"}
LEAST_ROWS = 50
MOST_ROWS = 10_000  # the fit looks at this many quantiles of the training rows
LEAST_VALUES = 20  # fewer different values are steps, whatever the scale
LEAST_GAIN = 0.15  # nats a row; see `fit_transform`
UNITS = (0.01, 0.1, 0.25, 0.5, 0.75)  # quantiles of the distance from the anchor that are tried as its unit
MARGIN = 1.0  # standard deviations beyond the training rows where answers are clipped


@dataclass(frozen=True, kw_only=True)
class TargetTransform(Value):
    """A monotonic transform of a number: a logarithm or a square root above an anchor, a straight line below it.

    With u = sign * (y - anchor) / unit, this is the shifted Box-Cox transform of u (Box and Cox, An Analysis of Transformations,
    1964) with power 0 (`"log"`) or 1/2 (`"sqrt"`) where u is positive, and u itself elsewhere. It is smooth, grows with y, and has
    an inverse for every number.

    Args:
        kind: The transform.
        sign: 1 for targets with a long upper tail, -1 for a long lower one.
        anchor: The target at the end of the short tail.
        unit: The distance from the anchor at which the transform begins to bend.
        center: Mean of the transformed training targets.
        spread: Their standard deviation.
        low: The lowest answer of a model, in standard deviations around the mean; below it answers are clipped.
        high: The highest answer.
    """

    kind: Kind
    sign: float
    anchor: float
    unit: float
    center: float
    spread: float
    low: float
    high: float

    def stored(self, numbers: Array) -> Array:
        """Numbers [...] as standardised values, float64; they grow with the numbers."""
        values: Array = self.sign * (bent(self.kind, self._distance(numbers)) - self.center) / self.spread
        return values

    def _distance(self, numbers: Array) -> Array:
        return self.sign * (np.asarray(numbers, np.float64) - self.anchor) / self.unit

    def restored(self, stored: Array) -> Array:
        """The inverse of `stored`, float64."""
        bend = self.sign * np.asarray(stored, np.float64) * self.spread + self.center
        above = np.maximum(bend, 0.0)
        far = np.expm1(above) + np.minimum(bend, 0.0) if self.kind == "log" else bend + above**2 / 4
        return self.sign * far * self.unit + self.anchor

    def to_unit(self, stored: Tensor) -> Tensor:
        """The inverse of `stored` for a tensor; its operations are those of `restored`, and can be exported."""
        bend = stored * (self.sign * self.spread) + self.center
        above = bend.clamp(min=0.0)
        far = above.exp() - 1.0 + bend.clamp(max=0.0) if self.kind == "log" else bend + above * above * 0.25
        return far * (self.sign * self.unit) + self.anchor

    def from_unit(self, numbers: Tensor) -> Tensor:
        """`stored` for a tensor; gradients are finite everywhere."""
        far = (numbers - self.anchor) * (self.sign / self.unit)
        above = far.clamp(min=0.0)
        bend = above.log1p() if self.kind == "log" else 2.0 * ((above + 1.0).sqrt() - 1.0)
        return (bend + far.clamp(max=0.0) - self.center) * (self.sign / self.spread)

    @property
    def text(self) -> str:
        """What networks learn, in words."""
        return f"the {NAMES[self.kind]} of the distance {'above' if self.sign > 0 else 'below'} {self.anchor:.4g}"


def bent(kind: Kind, distance: Array) -> Array:
    """The transform of distances from the anchor, in units."""
    above = np.maximum(distance, 0.0)
    bend = np.log1p(above) if kind == "log" else 2.0 * (np.sqrt(1.0 + above) - 1.0)
    return np.asarray(bend + np.minimum(distance, 0.0))


def fit_transform(targets: Array, wanted: str = "auto") -> TargetTransform | None:
    """The transform that makes training targets [N] most nearly normal; None to leave them as they are.

    By the profile likelihood of Box and Cox over both transforms, both directions and a few units. Unless a kind is requested, a
    transform is used only if it raises the log-likelihood by `LEAST_GAIN` a row, as for a log-normal target with a deviation of
    about 0.45: targets that are only a little skewed are learned as well as they are.

    Args:
        targets: Finite numbers, float64.
        wanted: `"auto"`, `"none"`, `"log"` or `"sqrt"`.
    """
    values = np.sort(np.asarray(targets, np.float64))
    if wanted == "none" or len(values) < LEAST_ROWS or len(np.unique(values)) < LEAST_VALUES:
        return None
    if len(values) > MOST_ROWS:
        values = values[np.linspace(0, len(values) - 1, MOST_ROWS).round().astype(np.int64)]
    if not np.isfinite(values[-1] - values[0]) or not values.std() > 0:
        return None
    kinds = KINDS if wanted == "auto" else tuple(kind for kind in KINDS if kind == wanted)
    scored = [(_likelihood(kind, sign, anchor, unit, values), kind, sign, anchor, unit)
              for sign in (1.0, -1.0) for anchor in _anchors(values, sign) for unit in _units(values, sign, anchor) for kind in kinds]  # fmt: skip
    best = max(scored, default=None)
    plain = -math.log(float(values.std()))
    if best is None or not math.isfinite(best[0]) or (wanted == "auto" and best[0] - plain < LEAST_GAIN):
        return None
    _, kind, sign, anchor, unit = best
    bend = bent(kind, sign * (np.asarray(targets, np.float64) - anchor) / unit)
    center, spread = float(bend.mean()), float(bend.std())
    ends = sorted(sign * (float(end) - center) / spread for end in (bend.min(), bend.max()))
    return TargetTransform(
        kind=kind,
        sign=sign,
        anchor=anchor,
        unit=unit,
        center=center,
        spread=spread,
        low=ends[0] - MARGIN,
        high=ends[1] + MARGIN,
    )


def _anchors(values: Array, sign: float) -> list[float]:
    """The end of the short tail, and zero where that is a natural end: targets are then amounts."""
    end = float(values[0] if sign > 0 else values[-1])
    return [0.0] if sign > 0 and 0.0 <= end < values.mean() / 2 else [end]


def _units(values: Array, sign: float, anchor: float) -> list[float]:
    distance = sign * (values - anchor)
    positive = distance[distance > 0]
    least = float(np.ptp(values)) * 1e-9
    return sorted({float(unit) for unit in np.quantile(positive, UNITS) if unit > least}) if len(positive) else []


def _likelihood(kind: Kind, sign: float, anchor: float, unit: float, values: Array) -> float:
    """Log-likelihood a row of a normal distribution of the transformed values, up to a constant."""
    distance: Any = np.maximum(sign * (values - anchor) / unit, 0.0)
    slope = -math.log(unit) - np.log1p(distance) * (1.0 if kind == "log" else 0.5)
    return float(slope.mean() - math.log(max(float(bent(kind, distance).std()), 1e-300)))

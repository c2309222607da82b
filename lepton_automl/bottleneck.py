"""The bottleneck analysis of a model: where the time of a call goes, what limits it, and what changes would save."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._json import Value
from .profile import Measurement
from .request import Response
from .roofline import BOUNDS, Bound, CallTime, Ceilings, LayerTime

EXPLAINED_TOLERANCE = 0.15  # how far from 1 `CallTime.explained` may be without a warning
BOUND_NAMES: dict[Bound, str] = {
    "arithmetic": "the machine's arithmetic",
    "memory": "the machine's bandwidth",
    "dispatch": "the speed at which kernels can be called",
}
PLACES = {"arithmetic": "arithmetic", "memory": "memory", "dispatch": "calling kernels", "outside": "outside the layers"}
ADVICE = {
    "arithmetic": "fewer channels or smaller maps make it faster",
    "memory": "smaller maps, or numbers of fewer bits, make it faster",
    "dispatch": "fewer kernels make it faster, narrower ones do not",
    "outside": "no other network would be much faster; more rows in a call share the cost",
}


@dataclass(frozen=True, kw_only=True)
class Change(Value):
    """One possible reduction of a network.

    Args:
        what: A description, such as `"narrowing stages.0.width from 64 to 48"`.
        recipe: The network with the change, as JSON.
        predicted_ms: Predicted gain in milliseconds per call, by the roofline model of the measured layers.
        actual: Measured gain in ms, timed alongside the unchanged network; None if the change was not tried.
    """

    what: str
    recipe: dict[str, Any] = field(default_factory=dict)
    predicted_ms: float
    actual: Measurement | None = None


@dataclass(frozen=True, kw_only=True)
class Row(Value):
    """A layer in the report.

    Args:
        time: Its measured time and its work.
        share: Its share of the whole call.
        bound: The limit that binds it: the one with the longest minimum time.
        reach: The minimum time under this limit divided by the measured time, at most 1.
    """

    time: LayerTime
    share: float
    bound: Bound
    reach: float


@dataclass(frozen=True, kw_only=True)
class Bottleneck(Response):
    """Where the time of one network's inference goes on one machine.

    Its `str` is a summary in a few sentences.

    Args:
        network: A one-line description of the network.
        rows: Rows in one call.
        latency: Latency of the whole call, from decoded rows to the answer.
        preprocess_ms: The part of it that is preprocessing.
        profile: The profiled layers, with times scaled to match the latency.
        ceilings: The machine's measured peak performance.
        changes: Possible reductions, the largest predicted gain first; the first ones may have been tried.
        history: What the search did about the bottleneck, a sentence each.
    """

    network: str
    rows: int
    latency: Measurement
    preprocess_ms: float
    profile: CallTime
    ceilings: Ceilings
    changes: tuple[Change, ...] = ()
    history: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    @property
    def layers(self) -> tuple[Row, ...]:
        """Every layer, in the order in which they run."""
        return tuple(self._row(layer) for layer in self.profile.layers)

    @property
    def touched(self) -> int:
        """Bytes that the network reads and writes in a call."""
        return sum(layer.work.bytes for layer in self.profile.layers)

    @property
    def slowest(self) -> Row:
        """The layer that takes the most time."""
        return max(self.layers, key=lambda row: row.time.ms)

    @property
    def outside_ms(self) -> float:
        """Milliseconds outside all layers: preprocessing, call overhead, and what the profiler cannot attribute."""
        return max(0.0, self.latency.median - sum(layer.ms for layer in self.profile.layers))

    @property
    def shares(self) -> dict[str, float]:
        """The share of the call by the limit that binds its layers, and `"outside"` all layers; the largest first."""
        shares: dict[str, float] = {"outside": self.outside_ms / self.latency.median}
        for bound in BOUNDS:
            shares[bound] = sum(row.share for row in self.layers if row.bound == bound)
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def text(self) -> str:
        """A summary of three to six sentences."""
        texts = (self._call_text(), self._slowest_text(), self._bound_text(), *self._gain_texts())
        return "\n".join((*texts, *self.history, *self._caveats()))

    def _row(self, layer: LayerTime) -> Row:
        floors = self.ceilings.floors(layer, self.touched)
        bound = max(BOUNDS, key=floors.__getitem__)
        reach = min(1.0, floors[bound] / layer.ms) if layer.ms else 1.0
        return Row(time=layer, share=layer.ms / self.latency.median, bound=bound, reach=reach)

    def _call_text(self) -> str:
        took, of = self.latency, f"{self.rows} row{'s' * (self.rows > 1)}"
        call, inside = self.profile.outside_ms, sum(layer.ms for layer in self.profile.layers)
        return (
            f"A call of {of} takes {took.median:.3g} ms ({took.low:.3g} to {took.high:.3g}): {_share(inside, took)} in "
            f"{len(self.profile.layers)} layers, {_share(call, took)} in the call itself, "
            f"{_share(self.preprocess_ms, took)} in preprocessing."
        )

    def _slowest_text(self) -> str:
        row = self.slowest
        return (
            f"{100 * row.share:.0f} % of the time goes into {row.time.layer} ({row.time.op}, {row.time.ms:.3g} ms); "
            f"it reaches {100 * row.reach:.0f} % of {BOUND_NAMES[row.bound]}."
        )

    def _bound_text(self) -> str:
        shares = self.shares
        parts = ", ".join(f"{PLACES[bound]} {100 * share:.0f} %" for bound, share in shares.items())
        return f"Limited by, as shares of the call: {parts}; so {ADVICE[next(iter(shares))]}."

    def _gain_texts(self) -> list[str]:
        best = [change for change in self.changes if change.predicted_ms > 0][:1]
        tried = [change for change in self.changes if change.actual is not None][:1]  # the table lists all of them
        sentences = [
            f"{change.what[0].upper()}{change.what[1:]} would save about {change.predicted_ms:.2g} ms "
            f"({_share(change.predicted_ms, self.latency)})."
            for change in tried or best
        ]
        return [sentence + _actual_gain(change.actual) for sentence, change in zip(sentences, tried or best, strict=True)]

    def _caveats(self) -> list[str]:
        caveats = []
        if abs(self.profile.explained - 1) > EXPLAINED_TOLERANCE:
            caveats.append(
                f"The layer-by-layer profile covers {100 * self.profile.explained:.0f} % of the call: the "
                "profiler slows such small kernels, and the excess is subtracted from all of them in proportion."
            )
        if self.latency.busy or self.profile.busy or self.ceilings.busy:
            caveats.append("The machine was busy; for exact figures, repeat this when it is quiet.")
        return caveats


def _share(ms: float, whole: Measurement) -> str:
    return f"{100 * ms / whole.median:.0f} %"


def _actual_gain(actual: Measurement | None) -> str:
    if actual is None:
        return ""
    interval = f"{actual.low:.2g} to {actual.high:.2g}"
    return f" Measured alongside the unchanged network, it saved {actual.median:.2g} ms ({interval})."

"""What a layer took, what it had to do, and what the machine could have done at best.

The roofline model: a kernel can be no faster than its arithmetic at the machine's peak, nor than its bytes at the
machine's bandwidth (Williams, Waterman and Patterson, Roofline, CACM 52(4), 2009). Small networks need a third roof,
the fixed cost of calling a kernel at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._json import Value

Bound = Literal["arithmetic", "memory", "dispatch"]
BOUNDS: tuple[Bound, ...] = ("arithmetic", "memory", "dispatch")


@dataclass(frozen=True, kw_only=True)
class Work(Value):
    """What a layer has to do in one call.

    Args:
        macs: Multiply-accumulates, as the network asks for them.
        executed: The same as the runtime does them: it may fill channels up to whole vectors.
        weight_bytes: Bytes of weights that are read.
        activation_bytes: Bytes of activations that are read and written.
        nodes: Kernels that the runtime calls for it.
    """

    macs: int = 0
    executed: int = 0
    weight_bytes: int = 0
    activation_bytes: int = 0
    nodes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            macs=self.macs + other.macs,
            executed=self.executed + other.executed,
            weight_bytes=self.weight_bytes + other.weight_bytes,
            activation_bytes=self.activation_bytes + other.activation_bytes,
            nodes=self.nodes + other.nodes,
        )

    @property
    def bytes(self) -> int:
        """All bytes that are moved."""
        return self.weight_bytes + self.activation_bytes


@dataclass(frozen=True, kw_only=True)
class Layer(Value):
    """A layer as a runtime would run it.

    Args:
        layer: The module, by its path in the network; what the runtime made of its own accord, by the runtime's name.
        op: The kernels that run for it, such as `"Conv, ReorderOutput"`.
        work: What they have to do.
        int8: Whether their arithmetic is on whole numbers.
    """

    layer: str
    op: str
    work: Work
    int8: bool = False

    @property
    def form(self) -> tuple[str, ...]:
        """Its convolutions by name: one that reads or writes another order in memory has another name, and another pace."""
        return tuple(op for op in self.op.split(", ") if "Conv" in op)


@dataclass(frozen=True, kw_only=True)
class LayerTime(Layer):
    """What a runtime's profiler says of one layer of a network.

    Args:
        ms: Milliseconds of one call, the profiler's own cost taken off.
    """

    ms: float


@dataclass(frozen=True, kw_only=True)
class CallTime(Value):
    """A profiled call, layer by layer, in the order in which the layers run.

    Args:
        layers: Every layer that took time.
        runtime: What ran it, by its name in `Deployment.runtimes`.
        calls: How many calls were profiled.
        call_ms: Milliseconds of one call without the profiler, in turns with it.
        outside_ms: What of it is in no layer: the call itself, its inputs and its answer.
        node_ms: Fixed cost of a kernel, likewise.
        explained: What the layers and the outside make up, as a share of the call: 1 where the profiler tells all, and all
            that it tells is true. It is above 1 where watched kernels run slower; that is taken off the layers.
        busy: Whether others had the core for a good part of the time.
    """

    layers: tuple[LayerTime, ...]
    runtime: str
    calls: int
    call_ms: float
    outside_ms: float
    node_ms: float
    explained: float
    busy: bool = False

    def scaled(self, factor: float) -> CallTime:
        """The same in other milliseconds, such as those of the reference's quiet time."""
        return self.replace(
            layers=tuple(layer.replace(ms=factor * layer.ms) for layer in self.layers),
            call_ms=factor * self.call_ms,
            outside_ms=factor * self.outside_ms,
            node_ms=factor * self.node_ms,
        )


@dataclass(frozen=True, kw_only=True)
class Ceilings(Value):
    """What a machine can do at best for one call, as measured there; bandwidth is that of one thread.

    Args:
        macs_per_s: Multiply-accumulates a second in float32.
        int8_macs_per_s: In 8-bit whole numbers; None where it could not be measured.
        bandwidth: Bytes a second that can be moved, by the bytes that are worked on: from the cache beside the core to
            beyond all caches, in rising order of size.
        call_ms: Fixed cost of a call.
        node_ms: Fixed cost of a kernel in it.
        busy: Whether others had the core for a good part of the time.
        host: Where it was measured.
    """

    macs_per_s: float
    int8_macs_per_s: float | None = None
    bandwidth: tuple[tuple[int, float], ...]
    call_ms: float
    node_ms: float
    busy: bool = False
    host: str = ""

    def bytes_per_s(self, touched: int) -> float:
        """The bandwidth for a network that touches so many bytes in a call: what it touches stays in a cache that holds it."""
        return next((rate for size, rate in self.bandwidth if touched <= size), self.bandwidth[-1][1])

    def floors(self, layer: Layer, touched: int) -> dict[Bound, float]:
        """The least milliseconds that each roof allows a layer.

        Args:
            layer: The layer.
            touched: Bytes that the whole network touches in a call.
        """
        peak = self.int8_macs_per_s if layer.int8 and self.int8_macs_per_s else self.macs_per_s
        work = layer.work
        return {
            "arithmetic": 1e3 * work.macs / peak,
            "memory": 1e3 * work.bytes / self.bytes_per_s(touched),
            "dispatch": self.node_ms * work.nodes,
        }


def predicted_ms(layer: LayerTime, work: Work, node_ms: float) -> float:
    """What a layer would take with other work: each kernel's fixed cost, and the rest at the layer's own measured pace.

    The pace is that of its arithmetic as the runtime does it, or of its bytes where it has no arithmetic. It is not the
    machine's: what kept the layer below the roof before will keep it there.

    Args:
        layer: The layer as it was measured.
        work: What it would have to do.
        node_ms: Fixed cost of a kernel.
    """
    before = layer.work
    fixed = min(layer.ms, node_ms * before.nodes)
    share = work.executed / before.executed if before.executed else work.bytes / max(1, before.bytes)
    return fixed * work.nodes / max(1, before.nodes) + (layer.ms - fixed) * share

"""The roofline model of a layer: its measured time, its work, and the least time that the machine allows.

A kernel is limited by its arithmetic at the machine's peak and by its bytes at the machine's bandwidth (Williams,
Waterman and Patterson, Roofline, CACM 52(4), 2009). Small networks need a third limit, the fixed cost of a kernel call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._json import Value

Bound = Literal["arithmetic", "memory", "dispatch"]
BOUNDS: tuple[Bound, ...] = ("arithmetic", "memory", "dispatch")


@dataclass(frozen=True, kw_only=True)
class Work(Value):
    """The work of a layer in one call.

    Args:
        macs: Multiply-accumulates that the network defines.
        executed: Multiply-accumulates that the runtime executes, which may pad channels to whole vectors.
        weight_bytes: Bytes of weights that are read.
        activation_bytes: Bytes of activations that are read and written.
        nodes: Number of kernels that the runtime calls.
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
    """A layer as a runtime executes it.

    Args:
        layer: The module's path in the network; the runtime's own name for a layer that the runtime added.
        op: The kernels that run for it, such as `"Conv, ReorderOutput"`.
        work: Their work.
        int8: Whether they compute in int8.
    """

    layer: str
    op: str
    work: Work
    int8: bool = False

    @property
    def form(self) -> tuple[str, ...]:
        """The names of its convolution kernels: kernels for other memory layouts have other names and another speed."""
        return tuple(op for op in self.op.split(", ") if "Conv" in op)


@dataclass(frozen=True, kw_only=True)
class LayerTime(Layer):
    """A layer with its profiled time.

    Args:
        ms: Milliseconds of one call, without the profiler's overhead.
    """

    ms: float


@dataclass(frozen=True, kw_only=True)
class CallTime(Value):
    """A profiled call, layer by layer, in the order in which the layers run.

    Args:
        layers: Every layer that took time.
        runtime: The runtime, by its name in `Deployment.runtimes`.
        calls: Number of profiled calls.
        call_ms: Milliseconds of one call without the profiler, measured alternately with profiled calls.
        outside_ms: The part of `call_ms` outside all layers: call overhead, inputs and outputs.
        node_ms: Fixed cost of a kernel call, in milliseconds.
        explained: The sum of layers and outside over the call: 1 if the profiler is exact, above 1 if kernels run slower
            while they are profiled; this overhead is subtracted from the layers.
        busy: Whether other processes used the core for much of the time.
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
        """The same with all times multiplied by a factor, such as to those of a quiet machine."""
        return self.replace(
            layers=tuple(layer.replace(ms=factor * layer.ms) for layer in self.layers),
            call_ms=factor * self.call_ms,
            outside_ms=factor * self.outside_ms,
            node_ms=factor * self.node_ms,
        )


@dataclass(frozen=True, kw_only=True)
class Ceilings(Value):
    """The measured peak performance of a machine for one call; bandwidth is that of one thread.

    Args:
        macs_per_s: Multiply-accumulates a second in float32.
        int8_macs_per_s: The same in int8; None if it could not be measured.
        bandwidth: Pairs of a working-set size in bytes and the bandwidth in bytes a second, from the innermost cache to
            main memory, in increasing order of size.
        call_ms: Fixed cost of a call, in milliseconds.
        node_ms: Fixed cost of a kernel in it, in milliseconds.
        busy: Whether other processes used the core for much of the time.
        host: The machine that it was measured on.
    """

    macs_per_s: float
    int8_macs_per_s: float | None = None
    bandwidth: tuple[tuple[int, float], ...]
    call_ms: float
    node_ms: float
    busy: bool = False
    host: str = ""

    def bytes_per_s(self, touched: int) -> float:
        """The bandwidth for a network that touches this many bytes in a call, which stay in the smallest cache that can hold them."""
        return next((rate for size, rate in self.bandwidth if touched <= size), self.bandwidth[-1][1])

    def floors(self, layer: Layer, touched: int) -> dict[Bound, float]:
        """The minimum time of a layer by each limit, in milliseconds.

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
    """The predicted time of a layer with other work: each kernel's fixed cost, and the rest at the layer's own measured speed.

    The speed is that of its executed arithmetic, or of its bytes if it has no arithmetic. It is not the machine's peak: what
    slowed the layer down before will do so again.

    Args:
        layer: The layer as it was measured.
        work: The other work.
        node_ms: Fixed cost of a kernel, in milliseconds.
    """
    before = layer.work
    fixed = min(layer.ms, node_ms * before.nodes)
    share = work.executed / before.executed if before.executed else work.bytes / max(1, before.bytes)
    return fixed * work.nodes / max(1, before.nodes) + (layer.ms - fixed) * share

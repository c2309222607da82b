"""Map a runtime's kernels to the layers of a network: the runtime fuses, moves and renames nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from lepton_automl.roofline import Work

from .node_costs import (
    CONVOLUTIONS,
    PRODUCTS,
    Graph,
    initializer_sizes,
    layer_of,
)

LAYOUT = frozenset({"Transpose", "Reshape", "Cast", "Pad", "Squeeze", "Unsqueeze", "DequantizeLinear", "QuantizeLinear"})
REORDER = ("ReorderInput", "ReorderOutput")  # to the memory layout of convolutions, and back


@dataclass
class Kernel:
    """A kernel that the runtime calls.

    Args:
        name: Its name in the profile.
        op: Its operation; a convolution is marked where it cannot keep channels in full vectors.
        layer: The layer that its time is attributed to.
        work: Its arithmetic and memory traffic.
    """

    name: str
    op: str
    layer: str
    work: Work


@dataclass
class _KernelNodes:
    """A kernel of the optimised graph, and the nodes of the exported graph that it computes."""

    node: onnx.NodeProto
    end: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    @property
    def product(self) -> onnx.NodeProto | None:
        return next((node for node in self.nodes if _is_product(node)), None)


def kernels_of(exported: Path, optimised: Path, rows: int) -> dict[str, Kernel]:
    """Every kernel that ONNX Runtime calls, by name.

    A kernel is identified by the value that it computes, whose name ONNX Runtime keeps as the value's or as the kernel's own.
    It is assigned the nodes that lead to that value and that belong to no other kernel: changes of layout, one product, then
    elementwise operations.

    Args:
        exported: The exported file.
        optimised: The same file after ONNX Runtime's optimisations.
        rows: Rows of one call.
    """
    graph = Graph(exported, rows)
    nodes = list(onnx.load(optimised, load_external_data=False).graph.node)
    ends = [(node, "" if node.op_type in REORDER else _end(node, graph)) for node in nodes]
    claims = [_KernelNodes(node, end) for node, end in ends if end]
    _assign_nodes(graph, claims)
    sizes = initializer_sizes(optimised)
    kernels = {claim.node.name: _kernel(claim, graph, sizes) for claim in claims}
    layers = {name: kernels[claim.node.name].layer for claim in claims for node in claim.nodes for name in node.output}
    return kernels | {node.name: _reorder(node, graph, layers) for node, end in ends if not end}


def _end(node: onnx.NodeProto, graph: Graph) -> str:
    """The value of the exported graph that a kernel computes; empty where it cannot be determined."""
    outputs = [str(name) for name in node.output if name in graph.makers]
    if outputs:
        return outputs[0]
    stem = re.sub(r"(_nchwc)?(_token_\d+)?$", "", node.name)
    if stem in graph.makers:
        return stem
    return next((str(maker.output[0]) for maker in graph.nodes if maker.name == stem), "")


def _assign_nodes(graph: Graph, claims: list[_KernelNodes]) -> None:
    """Assign every node of the exported graph to the kernel that computes it."""
    ends = {claim.end: claim for claim in claims}
    owner: dict[str, _KernelNodes] = {}
    for claim in claims:
        _walk_back(graph, claim, ends, owner)
    for node in graph.nodes:  # the other nodes were fused into the kernel before them, as a residual sum is
        if node.output[0] not in owner:
            before = [owner[name] for name in node.input if name in owner]
            if before:
                _assign(before[-1], node, owner)


def _walk_back(graph: Graph, claim: _KernelNodes, ends: dict[str, _KernelNodes], owner: dict[str, _KernelNodes]) -> None:
    pending, has_product = [claim.end], False
    while pending:
        name = pending.pop()
        node = graph.makers.get(name)
        if node is None or name in owner or any(ends.get(name, claim) is not claim for name in node.output):
            continue
        if has_product and node.op_type not in LAYOUT:
            continue
        _assign(claim, node, owner)
        has_product |= _is_product(node)
        pending.extend(node.input)


def _assign(claim: _KernelNodes, node: onnx.NodeProto, owner: dict[str, _KernelNodes]) -> None:
    claim.nodes.append(node)
    owner.update((name, claim) for name in node.output)


def _is_product(node: onnx.NodeProto) -> bool:
    return node.op_type in CONVOLUTIONS or node.op_type in PRODUCTS


def _kernel(claim: _KernelNodes, graph: Graph, sizes: Mapping[str, int]) -> Kernel:
    main = claim.product or next((node for node in claim.nodes if node.op_type != "Identity"), None)
    layer = claim.node.name if main is None else layer_of(main)
    outputs = {name for node in claim.nodes for name in node.output}
    # A look-up reads the rows that it returns, not the table.
    read = {name for node in claim.nodes for name in node.input[node.op_type == "Gather" :] if name and name not in outputs}
    macs = sum(graph.macs(node) for node in claim.nodes)
    work = Work(
        macs=macs,
        executed=round(macs * _padding_factor(claim, graph, sizes)),
        weight_bytes=sum(graph.bytes(name) for name in read if name in graph.weights),
        activation_bytes=sum(graph.bytes(name) for name in read if name not in graph.weights) + graph.bytes(claim.end),
        nodes=1,
    )
    return Kernel(claim.node.name, _op(claim.node, graph), layer, work)


def _op(node: onnx.NodeProto, graph: Graph) -> str:
    """The operation; a convolution is marked where its channel counts allow no blocked layout for its input, or on both sides."""
    op = str(node.op_type)
    if op not in {"Conv", "FusedConv"}:
        return op
    if not node.domain.endswith("nchwc"):
        return "Conv (plain)"
    return "Conv (plain input)" if node.input[0] in graph.tensors else "Conv"


def _padding_factor(claim: _KernelNodes, graph: Graph, sizes: Mapping[str, int]) -> float:
    """The factor by which a convolution's weights have grown: channels are padded to full vectors."""
    product = claim.product
    if product is None or product.op_type != "Conv" or len(claim.node.input) < 2:
        return 1.0
    before, after = graph.weights.get(product.input[1]), sizes.get(claim.node.input[1])
    return after / before.size if before is not None and after else 1.0


def _reorder(node: onnx.NodeProto, graph: Graph, layers: dict[str, str]) -> Kernel:
    """Attribute a reorder, or an unknown kernel, to the layer whose values it reads or writes."""
    name = next((name for name in (*node.output, *node.input) if name in graph.tensors), "")
    return Kernel(
        node.name, str(node.op_type), layers.get(name, node.name), Work(activation_bytes=2 * graph.bytes(name), nodes=1)
    )

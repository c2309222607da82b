"""Fuse the nodes around embeddings: for one row a call, the number of nodes decides the latency."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
import onnx

from .graph import GraphWriter


def fuse_embeddings(graph: GraphWriter) -> None:
    """Merge look-ups in several tables to one, and nested concatenations to one."""
    _merge_concats(graph)
    _merge_casts(graph)
    _merge_lookups(graph)


def _merge_concats(graph: GraphWriter) -> None:
    """`Concat(Concat(a, b), c)` along one axis is `Concat(a, b, c)`."""
    for outer in [node for node in graph.nodes if node.op_type == "Concat"]:
        makers, uses = graph.makers(), graph.uses()
        parts: list[str] = []
        for name in outer.input:
            inner = makers.get(name)
            alike = inner is not None and inner.op_type == "Concat" and inner.attribute[0].i == outer.attribute[0].i
            if inner is not None and alike and uses[name] == 1:
                parts.extend(inner.input)
                graph.nodes.remove(inner)
            else:
                parts.append(name)
        del outer.input[:]
        outer.input.extend(parts)


def _merge_casts(graph: GraphWriter) -> None:
    """Cast a tensor once, where its columns are cast one by one."""
    makers, uses = graph.makers(), graph.uses()
    casts: dict[tuple[str, int], list[onnx.NodeProto]] = {}
    for cast in graph.nodes:
        pick = makers.get(cast.input[0]) if cast.op_type == "Cast" else None
        if pick is not None and pick.op_type == "Gather" and uses[pick.output[0]] == 1 and pick.input[1] in graph.weights:
            casts.setdefault((pick.input[0], cast.attribute[0].i), []).append(cast)
    for (source, kind), alike in casts.items():
        if len(alike) > 1:
            first = graph.nodes.index(makers[alike[0].input[0]])
            before, whole = len(graph.nodes), graph.add("Cast", source, to=kind)
            graph.nodes.insert(first, graph.nodes.pop(before))
            for cast in alike:
                pick = makers[cast.input[0]]
                pick.input[0], pick.output[0] = whole, cast.output[0]
                graph.nodes.remove(cast)


def _merge_lookups(graph: GraphWriter) -> None:
    """Merge tables of equally long vectors, each indexed by a column of one tensor, to one table."""
    for joint in [node for node in graph.nodes if node.op_type == "Concat" and _axis(node) in (1, -1)]:
        looks = [_lookup_of(graph, name) for name in joint.input]
        parts: list[str] = []
        for kind, run in groupby(zip(looks, joint.input, strict=True), key=lambda pair: pair[0] and pair[0].kind):
            alike = [(look, name) for look, name in run]
            together = [look for look, _ in alike if look is not None]
            parts += [_merged_lookup(graph, joint, together)] if kind and len(together) > 1 else [name for _, name in alike]
        if len(parts) == 1 < len(joint.input):
            graph.makers()[parts[0]].output[0] = joint.output[0]
            graph.nodes.remove(joint)
        del joint.input[:]
        joint.input.extend(parts)


class _Lookup(NamedTuple):
    """A look-up of one column's code in its own table."""

    vectors: onnx.NodeProto
    column: onnx.NodeProto
    kind: tuple[str, int]  # where the column stands, and the length of a vector


def _lookup_of(graph: GraphWriter, name: str) -> _Lookup | None:
    """The look-up that computes a value; None where something else does."""
    makers, uses = graph.makers(), graph.uses()
    look = makers.get(name)
    pick = makers.get(look.input[1]) if look is not None and look.op_type == "Gather" else None
    if look is None or pick is None or pick.op_type != "Gather" or uses[name] > 1 or uses[pick.output[0]] > 1:
        return None
    table, column = graph.weights.get(look.input[0]), graph.weights.get(pick.input[1])
    if table is None or column is None or table.ndim != 2 or column.ndim or _axis(look) != 0 or _axis(pick) != 1:
        return None
    return _Lookup(look, pick, (pick.input[0], table.shape[1]))


def _merged_lookup(graph: GraphWriter, joint: onnx.NodeProto, looks: list[_Lookup]) -> str:
    """Replace several look-ups by one; returns the name of its result, the vectors side by side."""
    tables = [graph.weights[look.vectors.input[0]] for look in looks]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).astype(np.int64)
    columns = np.array([int(graph.weights[look.column.input[1]]) for look in looks], np.int64)
    before = len(graph.nodes)
    codes = graph.add("Gather", looks[0].column.input[0], graph.weight(columns), axis=1)
    vectors = graph.add("Gather", graph.weight(np.concatenate(tables)), graph.add("Add", codes, graph.weight(starts)), axis=0)
    flat = graph.add("Reshape", vectors, graph.weight(np.array([-1, len(looks) * looks[0].kind[1]], np.int64)))
    fresh, gone = graph.nodes[before:], {name for look in looks for node in look[:2] for name in node.output}
    place = graph.nodes.index(joint)
    ordered = [*graph.nodes[:place], *fresh, *graph.nodes[place:before]]
    graph.nodes[:] = [node for node in ordered if node.output[0] not in gone]
    return flat


def _axis(node: onnx.NodeProto) -> int:
    return next((int(item.i) for item in node.attribute if item.name == "axis"), 0)

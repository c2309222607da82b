"""Fuse the nodes around embeddings: with one row per call, the number of nodes determines the latency."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
import onnx

from .graph import GraphWriter


def fuse_embeddings(graph: GraphWriter) -> None:
    """Merge look-ups in several tables into one, and nested concatenations into one."""
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
            before, cast_name = len(graph.nodes), graph.add("Cast", source, to=kind)
            graph.nodes.insert(first, graph.nodes.pop(before))
            for cast in alike:
                pick = makers[cast.input[0]]
                pick.input[0], pick.output[0] = cast_name, cast.output[0]
                graph.nodes.remove(cast)


def _merge_lookups(graph: GraphWriter) -> None:
    """Merge tables of equally long vectors, each indexed by a column of one tensor, into one table."""
    for concat in [node for node in graph.nodes if node.op_type == "Concat" and _axis(node) in (1, -1)]:
        lookups = [_lookup_of(graph, name) for name in concat.input]
        parts: list[str] = []
        for kind, run in groupby(zip(lookups, concat.input, strict=True), key=lambda pair: pair[0] and pair[0].kind):
            alike = [(lookup, name) for lookup, name in run]
            mergeable = [lookup for lookup, _ in alike if lookup is not None]
            parts += [_merged_lookup(graph, concat, mergeable)] if kind and len(mergeable) > 1 else [name for _, name in alike]
        if len(parts) == 1 < len(concat.input):
            graph.makers()[parts[0]].output[0] = concat.output[0]
            graph.nodes.remove(concat)
        del concat.input[:]
        concat.input.extend(parts)


class _Lookup(NamedTuple):
    """A look-up of one column's code in its own table."""

    vectors: onnx.NodeProto
    column: onnx.NodeProto
    kind: tuple[str, int]  # the tensor that has the column, and the length of a vector


def _lookup_of(graph: GraphWriter, name: str) -> _Lookup | None:
    """The look-up that computes a value; None where another kind of node does."""
    makers, uses = graph.makers(), graph.uses()
    lookup = makers.get(name)
    pick = makers.get(lookup.input[1]) if lookup is not None and lookup.op_type == "Gather" else None
    if lookup is None or pick is None or pick.op_type != "Gather" or uses[name] > 1 or uses[pick.output[0]] > 1:
        return None
    table, column = graph.weights.get(lookup.input[0]), graph.weights.get(pick.input[1])
    if table is None or column is None or table.ndim != 2 or column.ndim or _axis(lookup) != 0 or _axis(pick) != 1:
        return None
    return _Lookup(lookup, pick, (pick.input[0], table.shape[1]))


def _merged_lookup(graph: GraphWriter, concat: onnx.NodeProto, lookups: list[_Lookup]) -> str:
    """Replace several look-ups by one; return the name of its result, the concatenated vectors."""
    tables = [graph.weights[lookup.vectors.input[0]] for lookup in lookups]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).astype(np.int64)
    columns = np.array([int(graph.weights[lookup.column.input[1]]) for lookup in lookups], np.int64)
    before = len(graph.nodes)
    codes = graph.add("Gather", lookups[0].column.input[0], graph.weight(columns), axis=1)
    vectors = graph.add("Gather", graph.weight(np.concatenate(tables)), graph.add("Add", codes, graph.weight(starts)), axis=0)
    flat = graph.add("Reshape", vectors, graph.weight(np.array([-1, len(lookups) * lookups[0].kind[1]], np.int64)))
    new_nodes, removed = graph.nodes[before:], {name for lookup in lookups for node in lookup[:2] for name in node.output}
    position = graph.nodes.index(concat)
    ordered = [*graph.nodes[:position], *new_nodes, *graph.nodes[position:before]]
    graph.nodes[:] = [node for node in ordered if node.output[0] not in removed]
    return flat


def _axis(node: onnx.NodeProto) -> int:
    return next((int(item.i) for item in node.attribute if item.name == "axis"), 0)

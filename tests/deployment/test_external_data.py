"""A model with data in another file is refused, wherever in it a tensor may be."""

from __future__ import annotations

from contextlib import suppress

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lepton_automl import load_model
from lepton_automl.deployment.external import refuse_external
from lepton_automl.errors import BundleError

from .bundles import write


def outside():
    tensor = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    return tensor


def model_of(nodes=(), tensors=(), sparse=(), functions=()):
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    graph = helper.make_graph(list(nodes), "g", info, info, list(tensors), sparse_initializer=list(sparse))
    return helper.make_model(graph, functions=list(functions))


def sparse_of(values, indices):
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[1])


def inner(tensor):
    return model_of(tensors=[tensor]).graph


INSIDE = helper.make_tensor("i", TensorProto.FLOAT, [2], [1.0, 2.0])
PLACES = {
    "initializer": lambda one: model_of(tensors=[INSIDE, one]),
    "constant": lambda one: model_of([helper.make_node("Constant", [], ["y"], value=one)]),
    "branch": lambda one: model_of([helper.make_node("If", ["x"], ["y"], then_branch=inner(one), else_branch=inner(INSIDE))]),
    "graphs": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], graphs=[inner(one)])]),
    "tensors": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], tensors=[one])]),
    "sparse": lambda one: model_of(sparse=[sparse_of(one, INSIDE)]),
    "indices": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], sparse_value=sparse_of(INSIDE, one))]),
    "sparses": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], values=[sparse_of(INSIDE, one)])]),
    "function": lambda one: model_of(
        functions=[helper.make_function("d", "f", ["x"], ["y"], [helper.make_node("Constant", [], ["y"], value=one)], [])]
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_data_in_another_file_is_found_wherever_a_tensor_can_be(place):
    refuse_external(PLACES[place](INSIDE).SerializeToString())
    with pytest.raises(BundleError, match="another file"):
        refuse_external(PLACES[place](outside()).SerializeToString())


def test_a_bundle_with_data_in_another_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="another file"):
        load_model(write(tmp_path / "bundle", PLACES["initializer"](outside()).SerializeToString()))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_model_is_a_damaged_model(data):
    content = bytearray(PLACES["branch"](INSIDE).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BundleError):
        refuse_external(bytes(content[: data.draw(st.integers(0, len(content)))]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_accepted_or_refused_as_a_model(content):
    try:
        refuse_external(content)
    except BundleError:
        return
    # What passes, ONNX too reads as no tensor elsewhere, or as no model at all.
    try:
        model = onnx.load_from_string(content)
    except Exception:
        return
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_subgraphs_may_be_nested_very_deep():
    message = b""
    for _ in range(3000):  # graph 7 of a model; node 1, attribute 5, graph 6 within
        for field in (6, 5, 1):
            message = bytes([field << 3 | 2]) + _length(len(message)) + message
    refuse_external(b"\x3a" + _length(len(message)) + message)


def _length(value):
    parts = []
    while True:
        parts.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(parts)

"""Hostile models that never return, take all memory, or bring operations of their own."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lepton_automl import BundleError, load_accelerated, load_model
from lepton_automl.deployment.bundle import add_file
from lepton_automl.deployment.external import unusual_operations
from lepton_automl.deployment.first_run import try_bundle
from lepton_automl.deployment.predictor import OPERATIONS, Predictor
from lepton_automl.pipelines.accelerated_model import AcceleratedModel, open_accelerated
from lepton_automl.variant import Variant
from tests import samples
from tests.onnx_texts import PICTURE

from .bundles import PICTURES, write

IMAGE = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, 8, 8])
ANSWER = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N"])
TRUE = numpy_helper.from_array(np.array(True), "true")


def loop(rounds: int) -> onnx.NodeProto:
    """A loop that counts its rounds and keeps what it was given."""
    number = helper.make_tensor_value_info("n", TensorProto.INT64, [])
    going, out = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("going", "on"))
    held, kept = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("held", "kept"))
    steps = [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Identity", ["held"], ["kept"])]
    body = helper.make_graph(steps, "body", [number, going, held], [out, kept])
    return helper.make_node("Loop", ["rounds", "true", "mean"], ["answer"], body=body)


def looping(rounds: int) -> bytes:
    """The image's mean, after many empty loop iterations."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=0),
        loop(rounds),
    ]
    weights = [TRUE, numpy_helper.from_array(np.array(rounds), "rounds")]
    graph = helper.make_graph(nodes, "g", [IMAGE], [ANSWER], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def unnamed(folder):
    """A foreign bundle whose manifest lists no operations."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest[OPERATIONS]
    path.write_text(json.dumps(manifest))
    return folder


def test_control_flow_that_the_manifest_does_not_name_is_refused_before_it_runs(tmp_path):
    folder = unnamed(write(tmp_path / "bundle", looping(2**60), PICTURES))
    with pytest.raises(BundleError, match="its manifest does not name: Loop"):
        Predictor(folder)


def test_control_flow_that_our_export_wrote_is_named_and_runs(tmp_path):
    folder = write(tmp_path / "bundle", looping(3), PICTURES)
    assert json.loads((folder / "manifest.json").read_text())[OPERATIONS] == ["Loop"]
    add_file(folder, "note.txt", b"more")
    assert load_model(folder).predict(np.full((8, 8), 7, np.uint8)) == 7


def strange(op, domain=""):
    """A model whose answer comes from one operation that is no arithmetic; the file need not be one that a runtime takes."""
    node = helper.make_node(op, ["image"], ["answer"], domain=domain)
    return helper.make_model(helper.make_graph([node], "g", [IMAGE], [ANSWER])).SerializeToString()


def hidden():
    """A function of the model's own under a usual name, with a loop in it."""
    function = helper.make_function(
        "", "Relu", ["x"], ["y"], [helper.make_node("If", ["c"], ["y"])], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Relu", ["image"], ["answer"])
    return helper.make_model(helper.make_graph([node], "g", [IMAGE], [ANSWER]), functions=[function]).SerializeToString()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("content", "name"),
    [(looping(2**60), "Loop"), *((strange(op), op) for op in ("Scan", "If", "SequenceMap")), (strange("Do", "own"), "own:Do"), (hidden(), "If")],
)  # fmt: skip
def test_an_accelerated_folder_is_checked_before_it_is_opened(tmp_path, runtime, content, name):
    (tmp_path / "model.onnx").write_bytes(content)
    (tmp_path / "runtime.json").write_text(json.dumps({"runtime": runtime, "precision": "fp32", "batch_size": 1}))
    with pytest.raises(BundleError, match=rf"does not list: {name}"):
        load_accelerated(tmp_path)


def test_an_accelerated_folder_reads_no_other_file(tmp_path):
    weights = numpy_helper.from_array(np.array(3.0, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/hostname")
    graph = helper.make_graph([helper.make_node("Add", ["image", "w"], ["answer"])], "g", [IMAGE], [ANSWER], [weights])
    (tmp_path / "model.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    (tmp_path / "runtime.json").write_text(json.dumps({"runtime": "onnxruntime", "batch_size": 1}))
    with pytest.raises(BundleError, match="is stored in another file"):
        load_accelerated(tmp_path)


def test_control_flow_that_accelerate_saved_is_named_and_runs(tmp_path):
    timed = samples.measured(1.0)
    fast = AcceleratedModel(
        variant=Variant(),
        before={},
        after={},
        latency=timed,
        tried=(),
        speedup=1.0,
        batch_size=1,
        content=looping(3),
        threads=1,
    )
    model = open_accelerated(fast.save(tmp_path / "fast"), 1)
    assert model({"image": np.full((1, 1, 8, 8), 7, np.uint8)}) == 7


def test_an_endless_loop_ends_in_a_process_of_its_own(tmp_path):
    folder = write(tmp_path / "bundle", looping(2**60), PICTURES)
    with pytest.raises(BundleError, match="has not predicted one row after 8 s"):
        try_bundle(folder, seconds=8)


def test_a_model_that_takes_all_memory_ends_in_a_process_of_its_own(tmp_path):
    huge = numpy_helper.from_array(np.array([1 << 36]), "huge")
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "sum"], ["answer"]),
    ]
    graph = helper.make_graph(nodes, "g", [IMAGE], [ANSWER], [huge])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BundleError):
        load_model(write(tmp_path / "bundle", model.SerializeToString(), PICTURES))


def test_operations_are_found_wherever_they_hide():
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    scan = helper.make_node("Scan", [], [], body=helper.make_graph([], "b", [], []), num_scan_inputs=0)
    inside = helper.make_node("If", ["c"], [], then_branch=helper.make_graph([scan], "then", [], []))
    function = helper.make_function("own", "Do", ["x"], ["y"], [inside], [helper.make_opsetid("", 17)])
    call = helper.make_node("Do", ["x"], ["y"], domain="own")
    model = helper.make_model(helper.make_graph([call], "g", [value], [value]), functions=[function])
    assert unusual_operations(model.SerializeToString()) == ["If", "Scan", "own:Do"]
    assert unusual_operations(onnx.parser.parse_model(PICTURE).SerializeToString()) == []

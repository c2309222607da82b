"""The bottleneck report: which layer takes the time, what binds it, and whether a change gains what was predicted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from benchmarks.input_cases.networks import unchanged
from lepton_automl import AutoML, Budget
from lepton_automl.bottleneck import Change
from lepton_automl.data.demo import digits
from lepton_automl.data.open import open_data
from lepton_automl.deployment.export import export
from lepton_automl.deployment.probes import arithmetic_probes, chains
from lepton_automl.deployment.profiler import layers_of, profile_layers
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.measuring.ceilings import measure_ceilings
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.pipelines.bottleneck import bottleneck
from lepton_automl.pipelines.changes import predicted_gain, single_changes
from lepton_automl.pipelines.cost import CostProfiler
from lepton_automl.reporting.bottleneck import BottleneckReport
from lepton_automl.reporting.bottleneck_rows import COLOURS
from lepton_automl.roofline import CallTime, Ceilings, Layer, LayerTime, Work, predicted_ms
from lepton_automl.specs import Deployment
from lepton_automl.study.bottleneck import history
from tests.api.test_import_and_arguments import lepton, python
from tests.samples import image_spec, measured, table_spec

torch.set_num_threads(1)


def stage(kind, width, mid, count=1, stride=2, squeeze=0):
    return Stage(width=width, stride=stride, blocks=(Block(kind=kind, mid=mid, squeeze=squeeze),) * count)


def pictures(*stages, stem=16, side=28):
    return ConvRecipe(outputs=10, image=(1, side, side), stem=stem, stages=stages)


PLAIN = pictures(stage("plain", 32, 0), stage("plain", 64, 0))
RESIDUAL = pictures(stage("residual", 32, 48, count=2), stage("residual", 64, 64))
INVERTED = pictures(stage("inverted", 32, 96, count=3))
SQUEEZED = pictures(stage("inverted", 32, 96, count=2, squeeze=8), stage("residual", 64, 64, count=2, squeeze=16))
ROWS = TableRecipe(outputs=2, numeric=7, plain=2, cardinalities=(3, 11), one_hot=True, width=64, mids=(64, 32))
MEMBERS = ROWS.replace(kind="resnet", embedding="piecewise", bins=8, embedded=4, heads=4, one_hot=False)


def spec_of(recipe):
    return image_spec(recipe.image[1]) if isinstance(recipe, ConvRecipe) else table_spec()


def exported(recipe, folder):
    """The file of a network, and the input of a call of one row."""
    spec = spec_of(recipe)
    if isinstance(recipe, ConvRecipe):
        rows = {"image": torch.randint(256, (3, *recipe.image), dtype=torch.uint8)}
    else:
        rows = {"numeric": torch.randn(3, 7), "categorical": torch.randint(3, (3, 2))}
    path = Path(folder) / "model.onnx"
    export(deployable(build(recipe), spec), rows, path)
    return path, {name: part[:1].numpy() for name, part in rows.items()}


# Layers, their work, their time


# Missing in the recipe's rough count: the 1x1 convolution beside a residual stage's first block, and that an inverted
# stage's first convolution still runs on the larger map.
LEFT_OUT = {
    "plain": (PLAIN, 0),
    "residual": (RESIDUAL, 14 * 14 * 16 * 32 + 7 * 7 * 32 * 64),
    "inverted": (INVERTED, (28 * 28 - 14 * 14) * 16 * 96),
    "table": (ROWS, 0),
}


@pytest.mark.parametrize(("recipe", "left_out"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_the_layers_arithmetic_is_the_recipes(recipe, left_out, tmp_path):
    path, _ = exported(recipe, tmp_path)
    assert sum(layer.work.macs for layer in layers_of(path, 1)) == recipe.macs + left_out
    assert sum(layer.work.macs for layer in layers_of(path, 5)) == 5 * (recipe.macs + left_out)


def test_a_layers_work_equals_the_manual_count(tmp_path):
    path, _ = exported(PLAIN, tmp_path)
    layers = {layer.layer: layer for layer in layers_of(path, 1)}
    work = layers["stages.1.0.enter.conv"].work
    assert work.macs == 7 * 7 * 64 * 32 * 9 and work.executed >= work.macs
    assert work.weight_bytes == 4 * (64 * 32 * 9 + 64)
    assert work.activation_bytes == 4 * (14 * 14 * 32 + 7 * 7 * 64)


@pytest.mark.parametrize("recipe", [RESIDUAL, SQUEEZED, MEMBERS], ids=["residual", "squeezed", "table"])
def test_every_kernel_is_traced_back_to_a_module(recipe, tmp_path):
    path, arrays = exported(recipe, tmp_path)
    found = profile_layers(path, arrays, seconds=0.2)
    network = deployable(build(recipe), spec_of(recipe))
    modules = {name for name, _ in network.named_modules()}
    assert {layer.layer for layer in found.layers} - modules <= {"forward"}
    weighted = {name for name, part in network.named_modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)}
    assert weighted <= {layer.layer for layer in found.layers if layer.work.macs}


def test_eight_bit_kernels_are_traced_back_too(tmp_path):
    path, arrays = exported(RESIDUAL, tmp_path)

    class Rows(CalibrationDataReader):
        left = [arrays] * 4

        def get_next(self):
            return self.left.pop() if self.left else None

    kinds = {"weight_type": QuantType.QInt8, "activation_type": QuantType.QUInt8}
    quantize_static(path, tmp_path / "int8.onnx", Rows(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    whole = {layer.layer: layer.work.macs for layer in layers_of(path, 1) if layer.work.macs}
    found = {layer.layer: layer for layer in layers_of(tmp_path / "int8.onnx", 1) if layer.work.macs}
    assert {name: layer.work.macs for name, layer in found.items()} == whole and all(layer.int8 for layer in found.values())
    bytes_of = {layer.layer: layer.work.weight_bytes for layer in layers_of(path, 1)}
    assert found["stages.1.0.enter.conv"].work.weight_bytes < 0.4 * bytes_of["stages.1.0.enter.conv"]


def test_the_layers_and_the_call_make_up_the_time(tmp_path):
    path, arrays = exported(RESIDUAL, tmp_path)
    found = profile_layers(path, arrays, seconds=0.5)
    assert 0.75 < found.explained < 1.3
    inside = sum(layer.ms for layer in found.layers)
    assert inside + found.outside_ms == pytest.approx(found.call_ms, rel=0.25)
    assert all(layer.ms >= 0 for layer in found.layers)


def test_the_machines_ceilings_are_in_order():
    found = measure_ceilings(arithmetic_probes(1), chains(1), seconds=0.05)
    rates = [rate for _, rate in found.bandwidth]
    assert rates[0] > rates[-1] > 1e8 and found.macs_per_s > 1e9
    assert found.int8_macs_per_s is not None and found.int8_macs_per_s > 1e9
    assert 0 < found.node_ms < 0.02 and found.node_ms < found.call_ms
    assert found.bytes_per_s(1) == rates[0] and found.bytes_per_s(1 << 40) == rates[-1]


# Predictions


def layer(name="a", ms=1.0, macs=1000, op="Conv", nodes=1, moved=100):
    return LayerTime(layer=name, op=op, ms=ms, work=Work(macs=macs, executed=macs, activation_bytes=moved, nodes=nodes))


def call(*layers, node_ms=0.1):
    ms = sum(one.ms for one in layers)
    return CallTime(layers=layers, runtime="onnxruntime", calls=9, call_ms=ms, outside_ms=0.0, node_ms=node_ms, explained=1.0)


def test_half_the_work_takes_half_the_time_but_for_the_kernels_own_cost():
    one = layer()
    assert predicted_ms(one, one.work, 0.1) == pytest.approx(1.0)
    assert predicted_ms(one, one.work.replace(executed=500), 0.1) == pytest.approx(0.1 + 0.45)
    pool = layer(macs=0, op="GlobalAveragePool")
    assert predicted_ms(pool, pool.work.replace(activation_bytes=50), 0.1) == pytest.approx(0.1 + 0.45)
    tiny = layer(ms=0.05)
    assert predicted_ms(tiny, tiny.work.replace(executed=1), 0.1) == pytest.approx(0.05)


def test_removed_work_is_gained_and_other_execution_is_not_predicted():
    profile = call(layer("a"), layer("b", ms=2.0))
    kept = Layer(layer="a", op="Conv", work=profile.layers[0].work)
    assert predicted_gain([kept], profile) == pytest.approx(2.0)
    reorder = Layer(layer="new", op="ReorderOutput", work=Work(nodes=1))
    assert predicted_gain([kept, reorder], profile) == pytest.approx(1.9)
    assert predicted_gain([kept.replace(op="Conv (plain)")], profile) is None


def test_each_single_change_is_one_smaller_network():
    changes = single_changes(SQUEEZED)
    assert len({str(one.recipe) for one in changes}) == len(changes) > 10
    assert all(SQUEEZED.contains(one.recipe) and one.recipe != SQUEEZED for one in changes if one.what.startswith("narrowing"))
    removed = [one for one in changes if one.what.startswith("removing")]
    assert [one.what for one in removed] == ["removing block 1 of stage 0", "removing block 1 of stage 1"]
    assert [one.recipe.depths for one in removed] == [(1, 2), (2, 1)]


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    return CostProfiler(open_data(digits(), tmp_path_factory.mktemp("digits")), Deployment(batch_size=16), MeasurementLock(""))


@pytest.fixture(scope="module")
def lopsided(scale):
    """A network with one layer that is plainly wider than all others together, profiled on real digits."""
    wide = pictures(stage("plain", 16, 0), stage("residual", 16, 192, stride=1), stage("plain", 16, 0, stride=1), side=8)
    model = build(wide.replace(image=scale.data.spec.input.shape))
    model.stem.eval()
    next(model.parameters()).requires_grad_(requires_grad=False)
    with unchanged(model):
        return bottleneck(model, scale, tries=1)


def test_a_dominating_layer_is_found(lopsided):
    wide = [row for row in lopsided.layers if row.time.layer.startswith("stages.1.0.")]
    assert lopsided.slowest in wide and sum(row.share for row in wide) > 0.6
    assert lopsided.slowest.bound == "arithmetic" and 0.1 < lopsided.slowest.reach <= 1
    assert lopsided.slowest.time.layer in lopsided.text and "arithmetic" in lopsided.text
    assert 3 <= len(lopsided.text.splitlines()) <= 6


def test_the_change_that_helps_most_is_predicted_made_and_timed(lopsided):
    best = lopsided.changes[0]
    assert best.what == "narrowing stages.1.blocks.0.mid from 192 to 96"
    assert 0.2 < best.predicted_ms / lopsided.latency.median < 0.6
    assert best.actual is not None and best.actual.low <= best.actual.median <= best.actual.high
    assert best.actual.median == pytest.approx(best.predicted_ms, rel=0.5)
    gains = [change.predicted_ms for change in lopsided.changes]
    assert gains == sorted(gains, reverse=True)


# What people see


def test_the_report_survives_json_and_has_a_display(lopsided, tmp_path):
    report = BottleneckReport.from_json(json.loads(json.dumps(lopsided.to_json())))
    assert report.text == lopsided.text == str(lopsided)
    page = report.save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "stages.1.0.leave.conv" in page and "narrowing stages.1.blocks.0.mid" in page and "Limited by" in report._repr_html_()
    )
    bars = [trace for trace in report.figure.data if trace.type == "bar" and trace.xaxis == "x"]
    assert sum(sum(trace.x) for trace in bars) == pytest.approx(lopsided.latency.median, rel=0.2)


def by_hand(**more):
    roofs = Ceilings(macs_per_s=1e9, bandwidth=((1024, 1e9),), call_ms=0.0, node_ms=0.1)
    known = {
        "network": "n",
        "rows": 1,
        "latency": measured(1.0),
        "preprocess_ms": 0.0,
        "profile": call(layer()),
        "ceilings": roofs,
    }
    return BottleneckReport(**known, changes=(Change(what="narrowing x", predicted_ms=0.5),), **more)


def test_in_a_notebook_it_is_small_and_runs_no_script():
    sentence = "A sentence that a reader needs, up to its end. " * 9
    shown = by_hand(history=(sentence, "<script>alert(1)</script>"))._repr_html_()
    assert len(shown) < 10_000 and "<script" not in shown and "&lt;script&gt;" in shown
    assert sentence.strip() in shown and "narrowing x" in shown and layer().layer in shown
    assert f"background-color:{COLOURS[by_hand().layers[0].bound]}" in shown


def test_warnings_are_shown():
    found = by_hand()
    assert "busy" not in found.text and "Narrowing x would save about 0.5 ms (50 %)." in found.text
    doubtful = found.replace(latency=measured(1.0).replace(busy=True), profile=call(layer()).replace(explained=1.4))
    assert "busy" in doubtful.text and "140 %" in doubtful.text


def test_the_searchs_own_changes_are_listed(study_state):
    state = study_state([(0.9, 1.0), (0.88, 0.5), (0.7, 0.6)])
    assert history(state, state.trial(0)) == ()
    for number in (1, 2):
        state.trials[number].proposed = state.trials[number].proposed.replace(parent=0)
    head, first = history(state, state.trial(0))
    assert head == "The search pruned 2 smaller networks out of it; 1 is on the front."
    assert first.startswith("Trial 1 (") and "takes 0.5 ms in place of 1 ms, with accuracy 0.88 in place of 0.9" in first


@pytest.mark.slow
def test_a_studys_model_is_analyzed_in_python_and_in_the_shell(tmp_path):
    images, labels = digits()
    automl = AutoML(name="asked", family="conv", budget=Budget(trials=1), home=tmp_path, progress=False)
    study = automl.fit(images[:600], labels[:600], folds=0)
    report = study.best().bottleneck(progress=False)
    assert report.changes and report.changes[0].actual is not None
    output = lepton("bottleneck", "asked", "--tries", "0", "--out", str(tmp_path / "page.html"), home=tmp_path)
    assert report.slowest.time.layer in output and "Limited by" in output and (tmp_path / "page.html").stat().st_size > 1e6
    output = lepton("bottleneck", "asked", "--trial", "7", home=tmp_path, code=1)
    assert "no trial 7" in output and "Traceback" not in output


@pytest.mark.parametrize("module", ["bottleneck", "roofline", "study.bottleneck", "reporting.bottleneck"])
def test_its_public_modules_load_without_torch(module):
    loaded = python(f"import sys, lepton_automl.{module}; print({{'torch', 'plotly'}} & set(sys.modules))")
    assert loaded.strip() == "set()"

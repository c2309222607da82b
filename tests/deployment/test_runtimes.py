"""Runtimes fulfil their contract; the accelerator chooses the fastest that is good enough and lists what it tried."""

from __future__ import annotations

import contextlib
import dataclasses
import math

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from lepton_automl.deployment import runtime as runtime_module
from lepton_automl.deployment.eager import TorchModel, open_program
from lepton_automl.deployment.export import export
from lepton_automl.deployment.open_artifact import open_model
from lepton_automl.deployment.runtime import OnnxRuntime, OpenVino, Source, Torch, get_runtime, opens_safely, runtimes_for
from lepton_automl.errors import BundleError, ConfigError, ExtraError
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.pipelines.accelerate import VariantBench, accelerate
from lepton_automl.pipelines.time_allowance import TimeAllowance
from lepton_automl.pipelines.variant_scores import variant_scores
from lepton_automl.specs import Deployment
from lepton_automl.task import drop
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.testing.runtime import Pictures, RuntimeContract, source_of
from lepton_automl.variant import Variant
from tests.samples import table_spec

torch.set_num_threads(1)
SPEC = table_spec(input=TableInput(numeric=12), output=MulticlassOutput(labels=(0, 1, 2, 3)))


class TestOnnxRuntime(RuntimeContract):
    runtime = OnnxRuntime()


class TestOpenVino(RuntimeContract):
    runtime = OpenVino()


class TestTorch(RuntimeContract):
    runtime = Torch()


def test_torch_computes_on_the_threads_that_it_was_opened_for():
    class CommandReceived(nn.Module):
        def forward(self, x):
            return x + torch.get_num_threads()

    assert TorchModel(CommandReceived(), 3)({"x": np.zeros((1, 1), np.float32)}) == 3
    assert torch.get_num_threads() == 1


def stand(source, tmp_path, max_score_drop=0.005, runtimes=(), spoil=None):
    """Scores against the module's own predictions, so that floats are correct in every row."""
    with torch.inference_mode():
        truth = source.module(**source.inputs).argmax(1)
    rows = {name: part.numpy() for name, part in source.inputs.items()}
    one = {name: part[:1] for name, part in rows.items()}

    def score(model):
        answers = model(rows)
        return variant_scores(spoil(answers) if spoil else answers, truth, SPEC, "accuracy")

    return VariantBench(
        deployment=Deployment(max_score_drop=max_score_drop, runtimes=runtimes), metric="accuracy",
        direction="maximize", call=lambda model: lambda: model(one),
        score=score, measurement_lock=MeasurementLock(tmp_path / "gate"),
    )  # fmt: skip


def test_the_fastest_good_one_wins_with_its_evidence(tmp_path):
    torch.manual_seed(0)
    source = source_of(Pictures(), (3, 16, 16), tmp_path)
    (tmp_path / "made").mkdir()
    won = accelerate(source, stand(source, tmp_path, max_score_drop=0.2), tmp_path / "made")
    assert won.before["accuracy"] == 1.0 and drop("maximize", 1.0, won.winner.scores["accuracy"]) <= 0.2
    said = [tried.outcome for tried in won.tried]
    assert said.count("chosen") == 1 and all(said)
    timed = [tried for tried in won.tried if tried.latency]
    assert timed == sorted(timed, key=lambda tried: tried.latency.median) and len(timed) >= 3
    chosen = next(tried for tried in won.tried if tried.outcome == "chosen")
    assert chosen.variant == won.winner.variant and chosen.size_bytes == won.winner.path.stat().st_size
    # What is slower than the winner by more than doubt was not kept for being good.
    assert all(tried.latency.median > 0.8 * chosen.latency.median for tried in timed if not tried.outcome.startswith("its "))


class Harmed(nn.Module):
    """The last layer's inputs differ by a factor of a thousand: int8 loses the small one."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64))
        self.head = nn.Linear(64, 4)

    def forward(self, x):
        rows = self.layers(x)
        spread = torch.cat([rows[:, :1] * 0 + 3000.0, rows[:, 1:]], 1)
        return self.head(spread).softmax(1)


def harmed():
    torch.manual_seed(0)
    module = Harmed()
    with torch.no_grad():
        module.head.weight *= 100
        module.head.weight[:, 0] = 0
    return module


def test_costly_attempts_are_left_out_where_they_would_come_late(tmp_path):
    source = source_of(harmed(), (12,), tmp_path)
    found = {}
    for seconds in (math.inf, 0.0):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        bench = dataclasses.replace(stand(source, tmp_path), time=TimeAllowance(seconds))
        best = accelerate(source, bench, folder)
        assert best.winner.scores["accuracy"] > 0.99 and best.speedup > 0
        found[seconds] = {tried.variant.name for tried in best.tried}
    assert found[0.0] < found[math.inf]
    assert not any("optimisations" in name for name in found[0.0])


def test_no_item_is_made_after_its_share_of_the_time():
    clock, made = [0.0], []
    allowance = TimeAllowance(10.0, now=lambda: clock[0])
    for item in allowance.within(0.5, map(made.append, range(9))):
        assert item is None
        clock[0] += 2.0
    assert made == [0, 1, 2]
    assert list(TimeAllowance().within(0.5, "ab")) == ["a", "b"]


def test_known_scores_are_not_computed_again(tmp_path):
    source = source_of(harmed(), (12,), tmp_path)
    (tmp_path / "made").mkdir()
    bench = stand(source, tmp_path, runtimes=("onnxruntime",))
    scored = []

    def score(model):
        scored.append(model)
        return bench.score(model)

    before = bench.score(open_model(source.model, {}))
    best = accelerate(source, dataclasses.replace(bench, score=score, before=before), tmp_path / "made")
    assert best.before == before.scores and not any(isinstance(model, TorchModel) for model in scored)


def test_layers_that_int8_harms_stay_in_floats(tmp_path):
    source = source_of(harmed(), (12,), tmp_path)
    quantizer = source.quantizer
    assert quantizer.sensitive()[0] == quantizer.quantizable[-1]
    whole, mild = (
        Variant(precision="int8", quantizer="onnxruntime", floats=kept) for kept in ((), (quantizer.quantizable[-1],))
    )
    found = {}
    rows = {name: part.numpy() for name, part in source.inputs.items()}
    expected = open_model(source.model, {})(rows).argmax(1)
    for variant in (whole, mild):
        quantizer.write(variant, tmp_path / "q.onnx")
        found[len(variant.floats)] = np.mean(open_model(tmp_path / "q.onnx", variant.to_json())(rows).argmax(1) == expected)
    assert found[1] > 0.9 > found[0]
    kinds = [node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node]
    assert kinds.count("DequantizeLinear") < 2 * kinds.count("Gemm") + 8


def test_without_an_allowed_drop_floats_win_over_a_lossy_int8(tmp_path):
    source = source_of(harmed(), (12,), tmp_path)
    (tmp_path / "made").mkdir()
    won = accelerate(source, stand(source, tmp_path, max_score_drop=0.0), tmp_path / "made")
    assert won.winner.scores["accuracy"] == 1.0
    assert not any("cannot be" in tried.outcome for tried in won.tried), [tried.outcome for tried in won.tried]


def test_runtimes_are_chosen_by_name(monkeypatch):
    with pytest.raises(ConfigError, match="Did you mean 'openvino'"):
        Deployment(runtimes=("openvin",))
    assert {one.name for one in runtimes_for(())} <= {"onnxruntime", "openvino"}
    monkeypatch.setattr(get_runtime("openvino"), "missing", lambda: "lepton-automl[openvino]", raising=False)
    with pytest.raises(ExtraError, match=r"lepton-automl\[openvino\]"):
        runtimes_for(("openvino",))
    assert [one.name for one in runtimes_for(())] == ["onnxruntime"]


def test_a_program_with_something_pickled_in_it_is_not_opened(tmp_path):
    source = source_of(Pictures(), (3, 16, 16), tmp_path)
    inputs = {name: rows[:2] for name, rows in source.inputs.items()}
    program = torch.export.export(source.module, (), inputs, dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    with contextlib.suppress(UserWarning):
        torch.export.save(program, tmp_path / "model.pt2")  # keeps its example rows, pickled
    with pytest.raises(BundleError, match="pickled"):
        open_program(tmp_path / "model.pt2")


def test_a_variant_names_itself():
    told = Variant(runtime="openvino", precision="int8", quantizer="nncf", floats=("a", "b")).set(threads=2)
    assert told.name == "OpenVINO int8 by NNCF, 2 layers in floats, 2 threads"
    assert Variant.from_json(told.to_json()) == told


def test_an_ensembles_stacked_products_and_its_tail_stay_in_floats(tmp_path):
    """ONNX Runtime has no kernel for the first, and OpenVINO answers with its memory's content for the second."""
    recipe = TableRecipe(outputs=4, numeric=12, kind="resnet", width=24, mids=(48, 48), heads=2)
    module = deployable(build(recipe), SPEC)
    rows = torch.randn(96, 12, generator=torch.Generator().manual_seed(0))
    inputs = {"numeric": rows}
    export(module, inputs, tmp_path / "model.onnx")
    source = Source(module, tmp_path / "model.onnx", inputs)
    with torch.inference_mode():
        expected = module(**inputs).numpy()
    ran = 0
    for runtime in runtimes_for(()):
        for number, variant in enumerate(runtime.variants(source)):
            path = tmp_path / f"{runtime.name}-{number}.onnx"
            runtime.write(variant, source, path)
            opened = runtime.open(path, variant, rows=1)
            told, alone = opened({"numeric": rows.numpy()}), opened({"numeric": rows[:1].numpy()})
            assert np.abs(told - expected).max() < 0.1 and np.abs(alone - told[:1]).max() < 0.05, variant.name
            ran += bool(variant.quantizer)
    assert ran >= 1


def test_a_file_that_crashes_its_process_is_detected_in_another(tmp_path, monkeypatch):
    path = source_of(Pictures(), (3, 16, 16), tmp_path).model
    assert opens_safely(path, Variant(), rows=1)
    monkeypatch.setattr(runtime_module, "_OPENS", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert not opens_safely(path, Variant())

"""Networks of several programs: exported, opened and compared through the loop of their task."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from lepton_automl.deployment.artifact import float_variants, open_artifact, write_artifact
from lepton_automl.deployment.bundle import add_file, check_bundle, write_bundle
from lepton_automl.deployment.integrity import model_files
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.programs import export_network, recorded_inputs, torch_session
from lepton_automl.deployment.runtime import OnnxRuntime, Source
from lepton_automl.deployment.verify import compare, expected_answers
from lepton_automl.errors import BundleError, ConfigError
from lepton_automl.models.generating import GeneratingNetwork
from lepton_automl.variant import Variant
from tests.deployment.bundles import write

END, LONGEST, WIDTH = 3, 6, 8


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, WIDTH)

    def forward(self, rows):
        return {"state": self.layer(rows)}


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.change, self.head = nn.Embedding(END + 1, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, END + 1)

    def forward(self, token, state):
        after = (self.tokens(token) + self.change(state)).tanh()
        return {"scores": self.head(after), "next_state": after}


class Greedy:
    steps = 4

    def generate(self, programs, arrays, state, steps=0):
        inner = programs["encoder"](dict(arrays))["state"]
        token, tokens = np.full(len(inner), END), np.full((len(inner), LONGEST), END)
        ended = np.zeros(len(inner), bool)
        for place in range(steps or LONGEST):
            found = programs["step"]({"token": token, "state": inner})
            token, inner = found["scores"].argmax(1), found["next_state"]
            ended |= token == END
            tokens[~ended, place] = token[~ended]
            if not steps and ended.all():
                break
        return tokens, {}


@pytest.fixture
def network():
    torch.manual_seed(2)
    return GeneratingNetwork({"encoder": Encoder(), "step": Step()}, Greedy()).eval()


@pytest.fixture
def rows():
    return {"rows": torch.randn(40, 5, generator=torch.Generator().manual_seed(0))}


def test_programs_are_files_of_a_folder_and_give_the_answers_of_the_network(network, rows, tmp_path):
    opened = export_network(network, rows, tmp_path / "model.onnx")
    assert sorted(file.name for file in (tmp_path / "model.onnx").iterdir()) == ["encoder.onnx", "step.onnx"]
    arrays, expected = {"rows": rows["rows"].numpy()}, network(**rows).numpy()
    assert len(np.unique(expected, axis=0)) > 1 and (expected != END).any() and opened.any_rows
    assert np.array_equal(opened(arrays), expected) and np.array_equal(torch_session(network, 1)(arrays), expected)
    source = Source(network, tmp_path / "model.onnx", rows)
    tried, left_out = float_variants(OnnxRuntime(), source)
    assert tried == [Variant()] and {variant.precision for variant in left_out} >= {"int8"}
    write_artifact(Variant(), source, tmp_path / "copy")
    assert np.array_equal(open_artifact(tmp_path / "copy", Variant(), network.decoder, rows=1)(arrays), expected)


def test_a_call_of_typical_length_takes_as_many_steps_whatever_the_weights(network, rows):
    calls = []
    network.programs["step"].register_forward_hook(lambda *_: calls.append(1))
    for bias in (-100.0, 100.0):  # the end is never the best token, or always
        nn.init.constant_(network.programs["step"].head.bias[END:], bias)
        calls.clear()
        torch_session(network, 1).typical({"rows": rows["rows"].numpy()})
        assert len(calls) == Greedy.steps
    calls.clear()
    network(**rows)
    assert len(calls) == 1


def test_programs_with_other_weights_are_refused(network, rows, tmp_path):
    expected = expected_answers(network, rows)
    with torch.no_grad():
        network.programs["step"].head.weight.copy_(-network.programs["step"].head.weight)
    other = export_network(network, rows, tmp_path / "other")
    with pytest.raises(BundleError, match="gives other answers than the module"):
        compare(expected, other)


def test_what_no_loop_can_run_is_refused_with_its_reason(network, rows, tmp_path):
    spare = GeneratingNetwork({**network.programs, "spare": Encoder()}, Greedy())
    with pytest.raises(BundleError, match=r"'spare' is a program that the loop of the task never calls"):
        recorded_inputs(spare, rows)

    class Growing(Greedy):
        def generate(self, programs, arrays, state, steps=0):
            programs["encoder"]({"rows": arrays["rows"]})
            for length in (1, 2):
                programs["step"]({"token": np.zeros((40, length), int), "state": np.zeros((40, 1, WIDTH), np.float32)})
            return np.zeros((40, 1)), {}

    with pytest.raises(BundleError, match="arrays of several shapes"):
        recorded_inputs(GeneratingNetwork(dict(network.programs), Growing()), rows)

    class SameName(nn.Module):
        def forward(self, rows):
            return {"rows": rows + 1}

    class Once(Greedy):
        def generate(self, programs, arrays, state, steps=0):
            return programs["one"](dict(arrays))["rows"], {}

    with pytest.raises(BundleError, match="an input and an output of the name 'rows'"):
        export_network(GeneratingNetwork({"one": SameName()}, Once()), rows, tmp_path / "same")


def test_a_bundle_names_its_programs_and_is_refused_where_the_task_has_no_loop(network, rows, tmp_path):
    export_network(network, rows, tmp_path / "model.onnx")
    whole = write(tmp_path / "whole")
    assert "programs" not in json.loads((whole / "manifest.json").read_text()) and model_files(whole) == [whole / "model.onnx"]
    with pytest.raises(ConfigError, match="keeps no state"):
        Predictor(whole).stream()
    described, folder = json.loads((whole / "preprocess.json").read_text()), tmp_path / "several"
    parts = {"model": tmp_path / "model.onnx", "weights": b"", "recipe": {}, "provenance": {}, "card": "# A model"}
    write_bundle(folder, preprocess=described, **parts)
    add_file(folder, "more.txt", b"more")
    check_bundle(folder)
    assert json.loads((folder / "manifest.json").read_text())["programs"] == {"encoder": "encoder.onnx", "step": "step.onnx"}
    assert [file.name for file in model_files(folder)] == ["encoder.onnx", "step.onnx"]
    with pytest.raises(BundleError, match="the programs encoder, step, and its task has no loop"):
        Predictor(folder)
    (folder / "step.onnx").unlink()
    with pytest.raises(BundleError, match=r"step.onnx is missing"):
        check_bundle(folder)

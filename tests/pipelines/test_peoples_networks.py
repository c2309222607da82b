"""Networks of unknown shapes, by a handful of the zoo; with other libraries, and built in other ways."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.zoo_networks.entry import all_networks
from benchmarks.zoo_networks.rows import split
from benchmarks.zoo_networks.trial import check_export, own_answers
from lepton_automl.compression.prune import PruneOptions, prune
from lepton_automl.compression.reparam import with_plain_weights
from lepton_automl.errors import ConfigError

HANDFUL = {  # and why what keeps its width does
    "DenseNet": "",
    "anti-aliased pooling": "",
    "pixel shuffle": "reshaped",
    "U-Net, bilinear upsampling": "",
    "instance norm": "",
    "TCN, weight norm": "",
    "MLP of rare activations": "",
    "spectral norm": "parametrization",
    "one weight in two layers": "share one weight",
    "several outputs inside, auxiliary head in training": "only training uses",
}
QUICK = [name for name in HANDFUL if name not in ("instance norm", "spectral norm")][
    :7
]  # the others go through torch's exporter


@pytest.fixture(scope="module")
def zoo() -> dict[str, tuple[nn.Module, Tensor]]:
    made = {}
    for entry in all_networks():
        if entry.name in HANDFUL:
            torch.manual_seed(0)
            rows = split(entry.rows)[1][0][:66]
            model = entry.make().train()
            model(rows)  # statistics of their own
            made[entry.name] = model.eval(), rows
    return made


@pytest.mark.parametrize("name", HANDFUL)
def test_a_network_of_an_unknown_shape_is_pruned(name, zoo) -> None:
    model, rows = zoo[name]
    pruned = prune(model, PruneOptions(ratio=0.5, multiple=4), rows)
    before, after = (sum(weight.numel() for weight in one.parameters()) for one in (model, pruned.model))
    assert after < 0.95 * before and list(pruned.model.state_dict()) == list(model.state_dict())
    why = HANDFUL[name]
    assert bool(pruned.refused) == bool(why) and all(why in reason for reason in pruned.refused.values())


@pytest.mark.parametrize("name", QUICK)
def test_its_exported_file_predicts_the_same(name, zoo) -> None:
    model, rows = zoo[name]
    check_export(model, rows, own_answers(model, rows), name)


def test_untraceable_layers_of_another_library_are_named() -> None:
    library = types.ModuleType("keras.layers")

    class Dense(nn.Module):  # like Keras 3 on torch: the weights are in variables
        def __init__(self, enter: int, leave: int) -> None:
            super().__init__()
            self.torch_params = nn.ParameterDict({"kernel": nn.Parameter(torch.randn(enter, leave))})

        def forward(self, rows: Tensor) -> Tensor:
            return rows @ self.torch_params["kernel"]

    Dense.__module__ = library.__name__
    with pytest.raises(ConfigError, match="its layers are those of keras, which stores weights in its own variables"):
        prune(nn.Sequential(Dense(8, 32), nn.ReLU(), Dense(32, 3)), PruneOptions(ratio=0.5), torch.rand(4, 8))


def test_a_torchvision_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    code = "from lepton_automl import lean\ntry: lean(None, None, ratio=0.5)\nexcept Exception as error: print(type(error).__name__, error)"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith("ConfigError") and "pip uninstall torchvision" in found.stdout
    assert "operator torchvision::nms does not exist" in found.stdout


def test_a_weight_norm_is_scored_under_the_names_that_pruning_uses() -> None:
    norm = torch.nn.utils.parametrizations.weight_norm
    model = nn.Sequential(norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 2))
    assert set(dict(with_plain_weights(model).named_parameters())) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert "0.parametrizations.weight.original0" in dict(model.named_parameters()) and model(torch.rand(2, 4)).shape == (2, 2)

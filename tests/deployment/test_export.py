"""Export: every design answers from its file as its module does, and fast ways out of PyTorch are found."""

import hashlib
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from lepton_automl import families
from lepton_automl.deployment.export import export
from lepton_automl.deployment.reference import reference_bytes
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import verify
from lepton_automl.errors import BundleError

from .networks import CODES, IMAGES, TABLE, VALUES, exported, network, rows_of, stir


@pytest.mark.parametrize("spec", [IMAGES, TABLE, CODES, VALUES], ids=["images", "table", "codes", "values"])
def test_every_design_answers_as_its_module_from_one_file(spec, tmp_path):
    for n, config in enumerate([*families.initial_designs(spec), families.smallest(families.space_for(spec), spec)]):
        module, inputs = network(spec, config), rows_of(spec)
        path = tmp_path / f"{n}" / "model.onnx"
        path.parent.mkdir()
        model = exported(module, {name: rows[:1] for name, rows in inputs.items()}, path)
        assert verify(module, model, inputs) <= 1e-4 * getattr(spec.output, "scale", 1.0)
        assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("kind", ["residual", "inverted"])
@pytest.mark.parametrize("embedding", ["periodic", "piecewise"])
def test_every_kind_of_block_and_embedding_is_known(kind, embedding, tmp_path):
    images = families.space_for(IMAGES).complete({"model.block": kind, "model.squeeze": True, "model.width": 8})
    numbers = {"model.kind": "resnet" if kind == "residual" else "mlp", "model.embedding": embedding, "model.embedded": 8}
    for spec, config in [(IMAGES, images), (TABLE, families.space_for(TABLE).complete(numbers))]:
        module, inputs = network(spec, config), rows_of(spec)
        verify(module, exported(module, inputs, tmp_path / "model.onnx"), inputs)


class Layers(nn.Module):
    """What people's own networks are made of."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding="same", groups=8), nn.BatchNorm2d(8, affine=False), nn.Hardswish(), nn.AvgPool2d(2),
            nn.Conv2d(8, 16, 1), nn.SiLU(inplace=True), nn.Dropout(), nn.Identity(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.mixed = nn.Linear(16, 12)
        self.norm = nn.LayerNorm(12)
        self.normed = nn.BatchNorm1d(12)
        self.embedding = nn.Embedding(5, 4)
        self.scale = nn.Parameter(torch.rand(7, 12))
        self.heads = nn.Parameter(torch.randn(7, 12, 3))

    def forward(self, image, code):
        found = self.features(image.float().div(255).sub(0.5))
        rows = self.normed(self.mixed(torch.flatten(self.pool(found), 1)))
        waves = torch.cat([rows.cos(), torch.sin(rows)], dim=-1).view(rows.size(0), 2, -1)
        rows = nn.functional.gelu(self.norm(waves[:, 0])) + waves[:, -1, :].clamp(min=0.0) - rows.mean(-1, keepdim=True)
        members = rows.unsqueeze(1) * self.scale.softmax(0)
        batch, count, width = members.shape
        members = members.reshape(batch * count, width).to(torch.float32).view(batch, count, -1)
        picked = torch.stack([self.embedding(code)[:, ::2], self.embedding(code)[..., [1, 3]]], 1).permute(0, 2, 1).squeeze()
        logits = torch.einsum("nhd,hdk->nhk", members, self.heads) / 3 + picked.sum((1, 2), keepdim=True)
        first, second = logits.transpose(0, 1).contiguous()[:2].chunk(2, 0)
        return nn.functional.log_softmax(logits, dim=-1).exp().mean(1) + 0.1 * torch.where(first > second, first, 2 - second)[0]


def test_common_layers_and_functions_need_no_slow_export(tmp_path):
    torch.manual_seed(0)
    module = stir(Layers())
    inputs = {"image": torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8), "code": torch.randint(0, 5, (6,))}
    model = exported(module, inputs, tmp_path / "model.onnx")
    assert module.training, "the module was left in another mode"
    verify(module, model, inputs)


class Attending(nn.Module):
    """Attention over the positions of an image, and norms over groups of its channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 4, 4), nn.GroupNorm(4, 16)
        self.qkv, self.last = nn.Linear(16, 48), nn.Sequential(nn.SiLU(), nn.GroupNorm(2, 16, affine=False))

    def forward(self, image):
        rows = self.norm(self.stem(image)).flatten(2).transpose(1, 2)
        parts = self.qkv(rows).reshape(rows.shape[0], -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.last(mixed.transpose(1, 2).reshape(rows.shape).mean(1)).softmax(1)


def test_attention_and_group_norms_need_no_slow_export(tmp_path):
    torch.manual_seed(0)
    module, inputs = stir(Attending()), {"image": torch.randn(6, 3, 16, 16)}
    verify(module, exported(module, inputs, tmp_path / "model.onnx"), inputs)


class Codes(nn.Module):
    """Numbers, then codes, in one tensor; a table of its own for each code."""

    def __init__(self, join):
        super().__init__()
        self.join, self.tables = join, nn.ModuleList(nn.Embedding(count, 4) for count in (3, 7, 5))

    def forward(self, rows):
        found = [table(rows[:, 2 + n].long()) for n, table in enumerate(self.tables)]
        joined = torch.stack(found, 1).flatten(1) if self.join == "stack" else torch.cat([torch.cat(found[:2], 1), found[2]], 1)
        return torch.cat([rows[:, :2], joined], 1)


@pytest.mark.parametrize("join", ["stack", "cat"])
def test_adjacent_embedding_tables_are_looked_up_once(join, tmp_path):
    rows = {"rows": torch.cat([torch.randn(9, 2), torch.stack([torch.randint(count, (9,)) for count in (3, 7, 5)], 1)], 1)}
    module = Codes(join).eval()
    verify(module, exported(module, rows, tmp_path / "model.onnx"), rows)
    ops = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert ops.count("Gather") == 2 and ops.count("Cast") == 1  # the columns, and their vectors


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Sequential(nn.ReLU(inplace=True), nn.Hardswish(inplace=True))

    def forward(self, rows):
        found = self.first(rows)
        changed = self.second(found).mul_(2)
        return changed + found


def test_in_place_operations_change_their_input(tmp_path):
    torch.manual_seed(0)
    rows = {"rows": torch.randn(5, 4)}
    module = InPlace()
    verify(module, exported(module, rows, tmp_path / "model.onnx"), rows)


def test_norms_and_pixel_scales_cost_nothing(tmp_path):
    config = families.space_for(IMAGES).complete({"model.width": 8})
    exported(network(IMAGES, config), rows_of(IMAGES), tmp_path / "model.onnx")
    ops = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert "BatchNormalization" not in ops and "Div" not in ops and "Mul" not in ops


class Branching(nn.Module):
    def forward(self, rows, **ignored):
        return rows.cumsum(1) if rows.ndim == 2 else rows


def test_an_unknown_network_uses_the_slow_export_and_reports_it(tmp_path):
    with pytest.warns(UserWarning, match="torch.onnx.export"):
        export(Branching(), {"rows": torch.randn(1, 4)}, tmp_path / "model.onnx")
    verify(Branching(), OnnxModel(tmp_path / "model.onnx"), {"rows": torch.randn(3, 4)})


FIRST_EXPORT = """
import sys, time, onnx, torch
from lepton_automl import families
from tests.deployment.networks import IMAGES, TABLE, network, rows_of
from lepton_automl.deployment.export import export
spec = {"images": IMAGES, "table": TABLE}[sys.argv[1]]
module, rows = network(spec, families.initial_designs(spec)[0]), rows_of(spec)
began = time.process_time()
export(module, rows, sys.argv[2])
print(time.process_time() - began)
"""


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_first_export_of_a_process_takes_less_than_half_a_second(kind, tmp_path):
    arguments = [sys.executable, "-c", FIRST_EXPORT, kind, str(tmp_path / "model.onnx")]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert float(result.stdout) < 0.5, "seconds of CPU"


def test_verify_names_the_difference(tmp_path):
    module, inputs = network(TABLE, families.smallest(families.space_for(TABLE), TABLE)), rows_of(TABLE)
    model = exported(module, inputs, tmp_path / "model.onnx")
    next(module.parameters()).data += 1
    with pytest.raises(BundleError, match=r"differs from the module by up to .*0\.0001 is allowed"):
        verify(module, model, inputs)


def test_the_reference_never_changes():
    assert hashlib.sha256(reference_bytes()).hexdigest() == "467bce8b814c783f2cedf8acedd93ee24cae2ba57e1d367094e39805f34fa3a0"

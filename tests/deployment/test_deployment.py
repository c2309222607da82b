import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from lepton_automl import families
from lepton_automl.deployment.bundle import add_file, check_bundle, provenance_of, write_bundle
from lepton_automl.deployment.card import model_card
from lepton_automl.deployment.export import export
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.reference import reference_bytes
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import verify
from lepton_automl.errors import BundleError, ConfigError
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.profile import Measurement, Profile
from lepton_automl.specs import DataSpec, Deployment

torch.set_num_threads(1)

IMAGES = DataSpec(
    name="x", folder="/", modality="image", task="multiclass", target="label", classes=("a", "b", "c"), shape=(3, 32, 32),
    train=10, validation=5, test=5, digest="d", pixel_mean=(100.0, 110.0, 90.0), pixel_std=(50.0, 40.0, 60.0),
)  # fmt: skip
TABLE = IMAGES.replace(modality="table", shape=(6,), cardinalities=(3, 9), pixel_mean=(), pixel_std=())
CODES = TABLE.replace(shape=(0,))
VALUES = TABLE.replace(cardinalities=(), task="regression", classes=(), target_mean=100.0, target_scale=30.0)


def rows_of(spec, count=5):
    if spec.modality == "image":
        return {"image": torch.randint(0, 256, (count, *spec.shape), dtype=torch.uint8)}
    rows = {"numeric": torch.randn(count, *spec.shape)} if spec.shape[0] else {}
    if spec.cardinalities:
        rows["categorical"] = torch.stack([torch.randint(0, codes, (count,)) for codes in spec.cardinalities], 1)
    return rows


def stir(module):
    """Batch norms as training leaves them, not as they are born."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                part.weight.data.normal_()
                part.bias.data.normal_()
    return module


def network(spec, config):
    torch.manual_seed(0)
    recipe = families.draw({name.removeprefix("model."): s for name, s in config.items() if name.startswith("model.")}, spec)
    return deployable(stir(build(recipe)), spec)


def exported(module, inputs, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the slow way warns
        export(module, inputs, path)
    onnx.checker.check_model(path, full_check=True)
    return OnnxModel(path)


@pytest.mark.parametrize("spec", [IMAGES, TABLE, CODES, VALUES], ids=["images", "table", "codes", "values"])
def test_every_design_answers_as_its_module_from_one_file(spec, tmp_path):
    for n, config in enumerate([*families.initial_designs(spec), families.smallest(families.space_for(spec))]):
        module, inputs = network(spec, config), rows_of(spec)
        path = tmp_path / f"{n}" / "model.onnx"
        path.parent.mkdir()
        model = exported(module, {name: rows[:1] for name, rows in inputs.items()}, path)
        assert verify(module, model, inputs) <= 1e-4 * spec.target_scale
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
    """Attention over the places of a picture, and norms over groups of its channels."""

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
def test_tables_beside_each_other_are_looked_up_once(join, tmp_path):
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


def test_operations_in_place_change_what_came_in(tmp_path):
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


def test_an_unknown_network_takes_the_slow_way_and_says_so(tmp_path):
    with pytest.warns(UserWarning, match="torch.onnx.export"):
        export(Branching(), {"rows": torch.randn(1, 4)}, tmp_path / "model.onnx")
    verify(Branching(), OnnxModel(tmp_path / "model.onnx"), {"rows": torch.randn(3, 4)})


FIRST_EXPORT = """
import sys, time, onnx, torch
from tests.deployment.test_deployment import IMAGES, TABLE, families, network, rows_of
from lepton_automl.deployment.export import export
spec = {"images": IMAGES, "table": TABLE}[sys.argv[1]]
module, rows = network(spec, families.portfolio(spec)[0]), rows_of(spec)
began = time.process_time()
export(module, rows, sys.argv[2])
print(time.process_time() - began)
"""


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_first_export_of_a_process_takes_less_than_half_a_second(kind, tmp_path):
    arguments = [sys.executable, "-c", FIRST_EXPORT, kind, str(tmp_path / "model.onnx")]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert float(told.stdout) < 0.5, "seconds of CPU"


def test_verify_names_the_difference(tmp_path):
    module, inputs = network(TABLE, families.smallest(families.space_for(TABLE))), rows_of(TABLE)
    model = exported(module, inputs, tmp_path / "model.onnx")
    next(module.parameters()).data += 1
    with pytest.raises(BundleError, match=r"differs from the module by up to .*0\.0001 is allowed"):
        verify(module, model, inputs)


def test_the_reference_never_changes():
    assert hashlib.sha256(reference_bytes()).hexdigest() == "467bce8b814c783f2cedf8acedd93ee24cae2ba57e1d367094e39805f34fa3a0"


# Bundles

CELL = {"kind": "number", "knots": [-1.0, 0.0, 1.0], "middle": 0.0, "spread": 1.0, "flag": False, "tokens": []}
COLUMNS = [{**CELL, "name": f"n{n}"} for n in range(3)] + [
    {"kind": "category", "name": "shade", "categories": ["dark", "light"]},
    {"kind": "category", "name": "day", "categories": list("12345678")},
]
ROW = {**{f"n{n}": n / 7 for n in range(3)}, "shade": "light", "day": 3}


def output_of(spec):
    return {"task": spec.task, "target": spec.target, "classes": list(spec.classes)}


def bundle_of(spec, folder):
    module = network(spec, families.smallest(families.space_for(spec)))
    folder.parent.mkdir(exist_ok=True)
    path = folder.parent / "exported.onnx"
    exported(module, rows_of(spec), path)
    given = {"modality": "image", "shape": list(spec.shape), "levels": None}
    if spec.modality == "table":
        given = {"modality": "table", "columns": COLUMNS[: 3 + len(spec.cardinalities)]}
    took = Measurement(name="latency", unit="ms", median=0.5, low=0.49, high=0.52, p5=0.4, p95=0.6, n=15, clock="thread_cpu")
    card = model_card(
        name="x/1", recipe=module.recipe, spec=spec, target=Deployment(), metric="accuracy", scores={"accuracy": 0.5},
        profile=Profile(latency=took, wall=took, size_bytes=10, parameters=3),
    )  # fmt: skip
    write_bundle(
        folder, model=path, weights=b"w", recipe=module.recipe.to_json(), card=card,
        preprocess={"input": given, "output": output_of(spec)}, provenance=provenance_of(digest=spec.digest, seed=0, trial=1),
    )  # fmt: skip
    return folder


def test_a_card_shows_labels_and_names_as_they_are():
    evil = "<img src=x onerror=alert(1)>`|[x](javascript:1)"
    spec = TABLE.replace(name=evil, target=evil, classes=(evil, "plain"), counts=(1, 1), warnings=(evil,))
    took = Measurement(name="latency", unit="ms", median=0.5, low=0.49, high=0.52, p5=0.4, p95=0.6, n=15, clock="thread_cpu")
    card = model_card(
        name="x/1", recipe=network(TABLE, families.smallest(families.space_for(TABLE))).recipe, spec=spec, target=Deployment(), metric="accuracy",
        scores={"accuracy": 0.5}, profile=Profile(latency=took, wall=took, size_bytes=10, parameters=3),
    )  # fmt: skip
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    page = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 4 and "<img" not in page and "href" not in page


@pytest.fixture(scope="module")
def table_bundle(tmp_path_factory):
    return bundle_of(TABLE, tmp_path_factory.mktemp("table") / "bundle")


@pytest.fixture(scope="module")
def image_bundle(tmp_path_factory):
    return bundle_of(IMAGES, tmp_path_factory.mktemp("image") / "bundle")


def test_one_in_one_out_many_in_many_out(table_bundle):
    predictor = Predictor(table_bundle)
    assert predictor.predict(ROW) in TABLE.classes and type(predictor.predict(ROW)) is str
    assert predictor.predict_proba(ROW).shape == (3,)
    many = predictor.predict_proba([ROW] * 700)
    assert many.shape == (700, 3) and np.allclose(many, predictor.predict_proba(ROW), atol=1e-6)
    assert predictor.predict([ROW]).shape == (1,)
    assert predictor.predict({name: [cell] for name, cell in ROW.items()}).shape == (1,)
    assert predictor.predict([]).shape == (0,)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([ROW, ROW])
    assert predictor.predict(frame).shape == (2,) and predictor.predict(frame.iloc[0]) == predictor.predict(ROW)


def test_images_of_any_kind(image_bundle, tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.png")
    predictor = Predictor(image_bundle)
    expected = predictor.predict_proba(pixels)
    assert expected.shape == (3,)
    for one in (tmp_path / "a.png", image.fromarray(pixels), pixels.transpose(2, 0, 1)):
        assert np.array_equal(predictor.predict_proba(one), expected)
    for many in ([str(tmp_path / "a.png")], pixels[None], [pixels]):
        assert np.array_equal(predictor.predict_proba(many), expected[None])
    with pytest.raises(ValueError, match="shape"):
        predictor.predict(np.zeros((2, 3, 4, 5, 6)))


def test_numbers_come_in_their_own_unit(tmp_path):
    predictor = Predictor(bundle_of(VALUES, tmp_path / "bundle"))
    answer = predictor.predict(ROW)
    assert type(answer) is float and 0 < answer < 200
    with pytest.raises(ConfigError, match="no probabilities"):
        predictor.predict_proba(ROW)


def test_damage_is_named(table_bundle, tmp_path):
    def spoiled(name, spoil):
        folder = tmp_path / name
        folder.mkdir()
        for path in table_bundle.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        spoil(folder)
        return folder

    def flip(name):
        def spoil(folder):
            content = bytearray((folder / name).read_bytes())
            content[len(content) // 2] ^= 1
            (folder / name).write_bytes(content)

        return spoil

    def escape(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"]["../secret"] = "0"
        (folder / "manifest.json").write_text(json.dumps(manifest))

    check_bundle(table_bundle)
    for name in ("model.onnx", "preprocess.json", "predict.py"):
        with pytest.raises(BundleError, match=f"{name} was changed"):
            Predictor(spoiled(f"flipped-{name}", flip(name)))
    with pytest.raises(BundleError, match=r"model.onnx is missing"):
        Predictor(spoiled("missing", lambda folder: (folder / "model.onnx").unlink()))
    with pytest.raises(BundleError, match="secret"):
        Predictor(spoiled("escaping", escape))
    with pytest.raises(BundleError, match="manifest"):
        Predictor(tmp_path)


def test_a_file_can_be_added_and_a_bundle_replaced(tmp_path):
    folder = bundle_of(CODES.replace(cardinalities=(3, 9)), tmp_path / "bundle")
    add_file(folder, "more.py", b"x = 1\n")
    check_bundle(folder)
    (folder / "more.py").write_bytes(b"x = 2\n")
    with pytest.raises(BundleError, match=r"more.py was changed"):
        check_bundle(folder)
    check_bundle(bundle_of(CODES, folder))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").write_text("x")
    with pytest.raises(BundleError, match="not empty"):
        bundle_of(CODES, tmp_path / "other")
    with pytest.raises(BundleError, match="name of a file"):
        add_file(folder, "../x", b"")


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "lepton_automl", "pandas", "onnx", "PIL", "sklearn", "mlflow"}:
            raise ImportError(name + " is not installed here")
sys.meta_path.insert(0, Block())
"""


def test_a_bundle_runs_with_numpy_and_onnxruntime_alone(table_bundle, tmp_path):
    (tmp_path / "rows.csv").write_text(",".join(ROW) + "\n" + 2 * (",".join(map(str, ROW.values())) + "\n"))
    script = BLOCK + f"import runpy; sys.argv[1:] = {[str(tmp_path / 'rows.csv'), json.dumps(ROW), '--proba']}\n"
    script += f"runpy.run_path({str(table_bundle / 'predict.py')!r}, run_name='__main__')"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    expected = dict(zip(TABLE.classes, Predictor(table_bundle).predict_proba(ROW).tolist(), strict=True))
    assert lines == [pytest.approx(expected, abs=2e-6)] * 3


@pytest.mark.parametrize("module", ["predictor", "command", "bundle", "signing", "session", "reference", "card"])
def test_light_doors_load_no_torch(module):
    script = f"import sys, lepton_automl.deployment.{module}; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"

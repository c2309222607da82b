"""A model's bundle: its card, what it answers to one row and to many, and its files."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lepton_automl import families
from lepton_automl.deployment.bundle import add_file, check_bundle, provenance_of, write_bundle
from lepton_automl.deployment.card import model_card
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import BundleError, ConfigError
from lepton_automl.profile import Measurement, Profile
from lepton_automl.specs import Deployment
from tests.samples import with_fields

from .networks import CODES, IMAGES, TABLE, VALUES, exported, network, rows_of

CELL = {"kind": "number", "knots": [-1.0, 0.0, 1.0], "middle": 0.0, "spread": 1.0, "flag": False, "tokens": []}
COLUMNS = [{**CELL, "name": f"n{n}"} for n in range(3)] + [
    {"kind": "category", "name": "shade", "categories": ["dark", "light"]},
    {"kind": "category", "name": "day", "categories": list("12345678")},
]
ROW = {**{f"n{n}": n / 7 for n in range(3)}, "shade": "light", "day": 3}


def output_of(spec):
    return {"task": spec.task, "target": spec.target, "classes": list(spec.classes)}


def bundle_of(spec, folder):
    module = network(spec, families.smallest(families.space_for(spec), spec))
    folder.parent.mkdir(exist_ok=True)
    path = folder.parent / "exported.onnx"
    exported(module, rows_of(spec), path)
    if spec.modality == "table":
        given = {"modality": "table", "columns": COLUMNS[: 3 + len(spec.input.cardinalities)]}
    else:
        given = {"modality": "image", "shape": list(spec.input.shape), "levels": None}
    took = Measurement(name="latency", unit="ms", median=0.5, low=0.49, high=0.52, p5=0.4, p95=0.6, n=15, clock="thread_cpu")
    card = model_card(
        name="x/1", recipe=module.recipe, spec=spec, deployment=Deployment(), metric="accuracy", scores={"accuracy": 0.5},
        profile=Profile(latency=took, wall=took, size_bytes=10, parameters=3),
    )  # fmt: skip
    write_bundle(
        folder, model=path, weights=b"w", recipe=module.recipe.to_json(), card=card,
        preprocess={"input": given, "output": output_of(spec)}, provenance=provenance_of(digest=spec.digest, seed=0, trial=1),
    )  # fmt: skip
    return folder


def test_a_card_shows_labels_and_names_as_they_are():
    evil = "<img src=x onerror=alert(1)>`|[x](javascript:1)"
    spec = with_fields(TABLE, name=evil, target=evil, labels=(evil, "plain"), counts=(1, 1), warnings=(evil,))
    took = Measurement(name="latency", unit="ms", median=0.5, low=0.49, high=0.52, p5=0.4, p95=0.6, n=15, clock="thread_cpu")
    costs = {"memory_bytes": 5e6, "energy_mj": float("nan"), evil: 2.5}
    card = model_card(
        name="x/1", recipe=network(TABLE, families.smallest(families.space_for(TABLE), TABLE)).recipe, spec=spec, deployment=Deployment(), metric="accuracy",
        scores={"accuracy": 0.5}, profile=Profile(latency=took, wall=took, size_bytes=10, parameters=3, costs=costs),
    )  # fmt: skip
    assert "- peak memory, bytes: 5,000,000\n" in card and "energy" not in card
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    page = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 5 and "<img" not in page and "href" not in page


@pytest.fixture(scope="module")
def table_bundle(tmp_path_factory):
    return bundle_of(TABLE, tmp_path_factory.mktemp("table") / "bundle")


@pytest.fixture(scope="module")
def image_bundle(tmp_path_factory):
    return bundle_of(IMAGES, tmp_path_factory.mktemp("image") / "bundle")


def test_one_row_gives_one_prediction_and_many_give_many(table_bundle):
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
    folder = bundle_of(with_fields(CODES, cardinalities=(3, 9)), tmp_path / "bundle")
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


def test_a_bundle_needs_only_numpy_and_onnxruntime(table_bundle, tmp_path):
    (tmp_path / "rows.csv").write_text(",".join(ROW) + "\n" + 2 * (",".join(map(str, ROW.values())) + "\n"))
    script = BLOCK + f"import runpy; sys.argv[1:] = {[str(tmp_path / 'rows.csv'), json.dumps(ROW), '--proba']}\n"
    script += f"runpy.run_path({str(table_bundle / 'predict.py')!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    expected = dict(zip(TABLE.classes, Predictor(table_bundle).predict_proba(ROW).tolist(), strict=True))
    assert lines == [pytest.approx(expected, abs=2e-6)] * 3


@pytest.mark.parametrize("module", ["predictor", "command", "bundle", "signing", "session", "reference", "card"])
def test_light_modules_load_no_torch(module):
    script = f"import sys, lepton_automl.deployment.{module}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"

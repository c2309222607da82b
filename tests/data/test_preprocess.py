"""From raw examples to arrays: a row alone and in a batch, before and after JSON, give equal bits."""

import ast
import importlib.util
import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lepton_automl import plugins
from lepton_automl.cells import to_day
from lepton_automl.deployment.bundle import FIRST_SOURCES, LAST_SOURCES
from lepton_automl.errors import InputError
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.table.preprocess import rows as table_rows
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, NumberColumn
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.scales import QuantileScale, RobustScale
from lepton_automl.modalities.table.preprocess.times import TimeColumn
from lepton_automl.modalities.table.quantile_knots import fit_robust, fit_scale
from lepton_automl.modality import modality_named
from lepton_automl.shipped import load_preprocess
from lepton_automl.task import task_named

OUTPUT = {"task": "binary", "target": "y", "classes": [0, 1]}
finite = st.floats(allow_nan=False, allow_infinity=False)


def table() -> TablePreprocess:
    ages = NumberColumn("age", QuantileScale([18, 30, 90]), RobustScale(30, 12), flag=True, tokens=["?"])
    when = TimeColumn("when", QuantileScale([0, 20000]), cycles=["year", "week"], flag=True)
    return TablePreprocess([ages, CategoryColumn("job", ["1", "cook", "nurse"]), when], OUTPUT)


def again(preprocess: TablePreprocess | ImagePreprocess) -> TablePreprocess | ImagePreprocess:
    return load_preprocess(json.loads(json.dumps(preprocess.to_json())))


@settings(max_examples=100, deadline=None)
@given(st.lists(finite, min_size=1, max_size=300), st.lists(st.floats(allow_infinity=False), min_size=1, max_size=20))
def test_scales_keep_their_bounds_and_treat_one_like_many(train: list[float], asked: list[float]) -> None:
    for scale, most in ((fit_scale(np.array(train)), 1), (fit_robust(np.array(train)), 3)):
        many = scale.many(np.array(asked))
        assert np.array_equal(many, [scale.one(value) for value in asked])
        assert (np.abs(many) <= most).all()
        assert all(scaled == 0 for value, scaled in zip(asked, many, strict=True) if math.isnan(value))


def test_a_scale_is_linear_between_knots_that_are_evenly_spread() -> None:
    scale = QuantileScale([0, 1, 10])
    assert [scale.one(value) for value in (-5, 0, 0.5, 1, 5.5, 10, 99)] == [-1, -1, -0.5, 0, 0.5, 1, 1]


def test_knots_follow_rows_values_and_targets() -> None:
    rng = np.random.default_rng(0)
    spiky = np.where(rng.random(5000) < 0.95, 0.0, rng.lognormal(8, 1, 5000))
    assert len([knot for knot in fit_scale(spiky).knots if knot > 0]) > 12  # 95 % zeros, and the rest still distinguished
    values = rng.random(5000)
    told = fit_scale(values, (values > 0.12345).astype(np.int64)).knots
    assert min(abs(knot - 0.12345) for knot in told) < 1e-3 < min(abs(knot - 0.12345) for knot in fit_scale(values).knots)
    assert fit_scale(np.array([3.0, 1.0, 3.0, 2.0])).knots == [1, 2, 3]


cell = {
    "age": st.one_of(
        st.none(), st.integers(-5, 200), finite, st.booleans(), st.just("?"), st.just("41.5"), st.just(np.float32(3))
    ),
    "job": st.one_of(st.none(), st.sampled_from(["cook", "nurse", "astronaut", 1, 1.0, True, float("nan")])),
    "when": st.one_of(st.none(), st.datetimes(), st.dates(), st.just("2024-02-29T12:00:00+02:00"), st.just(pd.NaT)),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(cell), min_size=1, max_size=8))
def test_every_input_type_gives_equal_bits(rows: list[dict[str, object]]) -> None:
    preprocess = table()
    alone = [preprocess.arrays(row) for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    few, table_rows.FEW_ROWS = table_rows.FEW_ROWS, 0
    try:
        whole = preprocess.arrays(rows)  # by columns
    finally:
        table_rows.FEW_ROWS = few
    ways = [whole, preprocess.arrays(rows), preprocess.arrays(columns), again(preprocess).arrays(rows)]
    for way in ways:
        for name, dtype in (("numeric", np.float32), ("categorical", np.int64)):
            assert way[name].dtype == dtype
            assert np.array_equal(way[name], np.concatenate([one[name] for one in alone]))


def test_a_frame_a_series_and_plain_cells_are_rows_too() -> None:
    preprocess = table()
    frame = pd.DataFrame(
        {"extra": [1, 2], "job": ["cook", "?"], "age": [30, None], "when": pd.to_datetime(["2024-01-01", None])}
    )
    expected = preprocess.arrays(
        [{"age": 30, "job": "cook", "when": date(2024, 1, 1)}, {"age": None, "job": None, "when": None}]
    )
    for name, part in preprocess.arrays(frame).items():
        assert np.array_equal(part, expected[name])
    assert np.array_equal(preprocess.arrays(frame.iloc[0])["numeric"], expected["numeric"][:1])
    assert np.array_equal(preprocess.arrays([30, "cook", "2024-01-01"])["numeric"], expected["numeric"][:1])
    assert expected["numeric"][1].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert preprocess.features[:3] == ["age", "when", "age from its middle"]
    assert preprocess.arrays([])["numeric"].shape == (0, 9)


def test_time_zones_and_calendars_are_distinguished() -> None:
    noon = datetime(2024, 5, 1, 12)
    assert to_day(noon, "t") == to_day(noon.replace(tzinfo=UTC), "t") == to_day(np.datetime64(noon), "t")
    assert to_day("2024-05-01T14:00:00+02:00", "t") == to_day(pd.Timestamp(noon), "t")
    assert to_day(date(1970, 1, 2), "t") == 1.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"job": "cook", "when": None}, "columns are missing: age"),
        ({"age": "old", "job": "cook", "when": None}, "'age' takes numbers, not 'old'"),
        ({"age": math.inf, "job": "cook", "when": None}, "infinite"),
        ({"age": [3], "job": "cook", "when": None}, "not equally long"),
        ({"when": None, "age": [3], "job": "cook"}, "takes numbers"),
        ({"age": 3, "job": "cook", "when": "05/01/2024"}, "'when' takes dates"),
        ([1, 2], "2 cells; the model reads 3"),
        (7, "not a row"),
    ],
)
def test_a_bad_row_is_named(row: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        table().arrays(row)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_in_every_input_type(channels: int, tmp_path: Path) -> None:
    preprocess = ImagePreprocess((channels, 6, 5), OUTPUT)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, channels), np.uint8)
    flat = pixels[:, :, 0] if channels == 1 else pixels
    Image.fromarray(flat).save(tmp_path / "a.png")
    expected = pixels.transpose(2, 0, 1)[None]
    ways = [tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(flat), flat, pixels, expected[0], expected]
    ways += [pixels[None], [pixels], pixels / 255.0, pixels.astype(np.float32), pixels.astype(int), flat[None]]
    for way in ways:
        assert np.array_equal(preprocess.arrays(way)["image"], expected)
    assert preprocess.arrays(np.stack([pixels] * 4))["image"].shape == (4, channels, 6, 5)
    assert again(preprocess).arrays([])["image"].shape == (0, channels, 6, 5)


def test_a_tensor_is_an_image() -> None:
    torch = pytest.importorskip("torch")
    assert ImagePreprocess((3, 4, 4), OUTPUT).arrays(torch.zeros(2, 3, 4, 4))["image"].shape == (2, 3, 4, 4)


def test_levels_of_the_training_arrays_hold_at_prediction() -> None:
    preprocess = ImagePreprocess((1, 2, 2), OUTPUT, levels=(0.0, 16.0))
    assert again(preprocess).arrays(np.array([[0, 16], [8, 99.0]]))["image"].ravel().tolist() == [0, 255, 128, 255]


def test_images_are_upright_opaque_and_of_one_size() -> None:
    grey = ImagePreprocess((1, 8, 8), OUTPUT)
    turned = Image.new("L", (4, 2))
    turned.putpixel((0, 0), 255)
    turned.getexif()[0x0112] = 6  # stored lying on its side
    upright = ImagePreprocess((1, 4, 2), OUTPUT).arrays(turned)["image"][0, 0]
    assert upright[0, 1] == 255
    clear = Image.new("RGBA", (9, 7), (0, 0, 0, 0))
    assert (grey.arrays(clear)["image"] == 255).all()
    deep = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    assert (grey.arrays(deep)["image"] == 255).all()
    assert grey.arrays(np.zeros((30, 20, 3), np.uint8))["image"].shape == (1, 1, 8, 8)


def test_a_file_that_is_not_an_image_is_named(tmp_path: Path) -> None:
    preprocess = ImagePreprocess((3, 8, 8), OUTPUT)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    for bad, said in [
        (tmp_path / "none.jpg", "no file"),
        (tmp_path / "bad.jpg", "cannot be read"),
        ({"a": 1}, "a dict is not an image"),
        (np.zeros((5, 5, 7, 9, 2)), "is not an image"),
        (np.full((8, 8), np.nan), "not finite"),
    ]:
        with pytest.raises(InputError, match=said):
            preprocess.arrays(bad)


@pytest.mark.parametrize("task", plugins.names("tasks"))
@pytest.mark.parametrize("modality", plugins.names("modalities"))
def test_what_is_copied_into_bundles_stands_alone(modality: str, task: str) -> None:
    """Nothing of the package may be behind it but what is copied before it, and nothing that a bundle does not need."""
    particular = (*modality_named(modality).preprocess_modules, *task_named(task).decoder_modules)
    sources = (*FIRST_SOURCES, *particular, *LAST_SOURCES)
    for at, module in enumerate(sources):
        found = importlib.util.find_spec(module)
        for node in ast.walk(ast.parse(Path(found.origin).read_text())):
            if isinstance(node, ast.ImportFrom):
                name = importlib.util.resolve_name("." * node.level + (node.module or ""), found.parent)
                before = (*sources[:at], "lepton_automl.shipped")  # whose two functions a bundle defines itself
                assert not name.startswith("lepton_automl") or name in before, (module, name)
    code = f"""
import importlib, sys
for module in {sources!r}: importlib.import_module(module)
heavy = [m for m in ("torch", "pandas", "PIL") if m in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="'smell'"):
        load_preprocess({"input": {"modality": "smell"}})

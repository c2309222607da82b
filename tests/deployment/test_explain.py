"""Explanations of single answers from a bundle alone."""

import subprocess
import sys

import numpy as np
import pytest

from lepton_automl.deployment.explain import explain
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import ConfigError, InputError

from .networks import IMAGES, TABLE, VALUES
from .test_predictor import COLUMNS, ROW, bundle_of


def rows_like(count: int = 12) -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {**{f"n{n}": float(rng.uniform(-1, 1)) for n in range(3)}, "shade": "dark", "day": int(rng.integers(1, 9))}
        for _ in range(count)
    ]


@pytest.mark.parametrize("spec", [TABLE, VALUES], ids=["classes", "numbers"])
def test_contributions_of_columns_add_up_to_the_answer(tmp_path, spec):
    predictor = Predictor(bundle_of(spec, tmp_path / "bundle"))
    row = {name: cell for name, cell in ROW.items() if name in predictor.preprocess.names}
    found = explain(predictor, row, predictor.preprocess.arrays(rows_like()))
    assert {part.name for part in found.parts} == set(predictor.preprocess.names) <= {column["name"] for column in COLUMNS}
    for name, answer in found.answer.items():
        assert found.base[name] + sum(part.contributions[name] for part in found.parts) == pytest.approx(answer, abs=1e-6)
    sizes = [abs(part.contributions[found.main]) for part in found.parts]
    assert sizes == sorted(sizes, reverse=True) and found.background == 12
    if found.is_probability:
        assert found.main == str(predictor.predict(row))
        assert list(found.answer.values()) == pytest.approx(predictor.predict_proba(row), abs=1e-6)
    else:
        assert found.main == spec.target and found.answer[spec.target] == pytest.approx(predictor.predict(row), abs=1e-5)
    assert type(found).from_json(found.to_json()) == found


def test_regions_of_an_image_need_no_background(tmp_path):
    predictor = Predictor(bundle_of(IMAGES, tmp_path / "bundle"))
    channels, height, width = predictor.preprocess.shape
    image = np.random.default_rng(0).integers(0, 255, (height, width, channels), np.uint8)
    found = explain(predictor, image, evaluations=500)
    assert len(found.parts) == np.prod(found.grid) and found.picture and found.background == 0
    total = found.base[found.main] + sum(part.contributions[found.main] for part in found.parts)
    assert total == pytest.approx(found.answer[found.main], abs=1e-6)


def test_wrong_questions_are_refused(tmp_path):
    predictor = Predictor(bundle_of(TABLE, tmp_path / "bundle"))
    background = predictor.preprocess.arrays(rows_like())
    with pytest.raises(InputError, match="one example"):
        explain(predictor, rows_like(2), background)
    with pytest.raises(ConfigError, match="background="):
        explain(predictor, ROW)
    with pytest.raises(ConfigError, match="evaluations is 0"):
        explain(predictor, ROW, background, evaluations=0)


def test_it_needs_no_torch(tmp_path):
    bundle = bundle_of(IMAGES, tmp_path / "bundle")
    code = (
        "import sys, numpy as np\nfrom lepton_automl.deployment.explain import explain\n"
        "from lepton_automl.deployment.predictor import Predictor\n"
        f"p = Predictor({str(bundle)!r})\nc, h, w = p.preprocess.shape\n"
        "explain(p, np.zeros((h, w, c), np.uint8), evaluations=100)\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

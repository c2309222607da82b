"""What matters to a model: columns by permutation, regions of images by occlusion."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from lepton_automl import families
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import DataError
from lepton_automl.jobs import CONTINUE
from lepton_automl.modality import modality_of
from lepton_automl.permutation_importance import PermutationImportance, PermutationImportanceJob
from lepton_automl.pipelines.permutation_importance import affordable, permutation_importance
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.reporting.permutation_importance import ImportanceReport, importance_svg
from tests.samples import trial_job


def solved(spec, family, folder):
    """A request about a solved linear model, which takes no training."""
    job = trial_job(1, spec, folder, config=families.space_for(spec, family).complete({}))
    assert run_trial(job, lambda _: CONTINUE).status == "complete"
    return PermutationImportanceJob(trial=job, bundle=str(folder / "bundle"))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A column that decides, one of noise, a date that decides sometimes, and a category of no effect."""
    folder, rng, rows = tmp_path_factory.mktemp("table"), np.random.default_rng(0), 1_500
    frame = pd.DataFrame({"decides": rng.normal(size=rows), "noise": rng.normal(size=rows)})
    frame["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D")
    frame["town"] = rng.choice(["Aix", "Bonn", "Cork"], rows)
    frame.loc[rng.random(rows) < 0.2, "noise"] = np.nan
    frame["y"] = np.where(frame.decides + 0.7 * (frame.since.dt.month > 6) > 0.35, "yes", "no")
    return solved(prepare(frame, folder / "data", DataOptions(target="y", folds=0)), "linear_table", folder)


def test_the_column_that_decides_comes_first_and_noise_counts_for_nothing(table):
    importance = permutation_importance(table)
    drops = {part.name: part.drop for part in importance.parts}
    assert list(drops)[:2] == ["decides", "since"] and len(drops) == 4  # the date, of many features, is one column
    assert drops["decides"] > 0.3 and drops["since"] > 0.05 and abs(drops["noise"]) < 0.02 and abs(drops["town"]) < 0.02
    assert importance.repeats == 5 and not importance.left_out and importance.rows == importance.split_rows == 240
    assert all(0 < part.deviation < 0.1 for part in importance.parts[:2])
    assert PermutationImportance.from_json(json.loads(json.dumps(importance.to_json()))) == importance
    report = ImportanceReport(**vars(importance))
    assert "The most important: decides (worse by 0." in str(report) and list(report.frame.index) == list(drops)


def test_whatever_was_computed_from_a_column_moves_together(table):
    data = open_data(table.trial.data)
    inputs = {name: part.numpy()[:50] for name, part in data.train.inputs.items()}
    names = list(data.preprocess.names)
    changed = modality_of(data.spec).perturbed(
        data.spec, data.preprocess, inputs, [names.index("since"), names.index("town")], np.random.default_rng(1)
    )
    of_since = [at for at, name in enumerate(data.preprocess.features) if name.startswith("since")]
    others = [at for at in range(inputs["numeric"].shape[1]) if at not in of_since]
    assert len(of_since) > 3 and np.array_equal(changed["numeric"][:, others], inputs["numeric"][:, others])
    before = np.hstack([inputs["numeric"][:, of_since], inputs["categorical"]])
    after = np.hstack([changed["numeric"][:, of_since], changed["categorical"]])
    assert not np.array_equal(before, after) and sorted(map(tuple, before)) == sorted(map(tuple, after))


def test_without_time_for_all_columns_the_others_are_permuted_together(table):
    ticks = itertools.count()
    importance = permutation_importance(table.replace(seconds=5.5), lambda: float(next(ticks)))  # each look takes a second
    assert importance.repeats == 1 and len(importance.parts) + len(importance.left_out) == 4 and importance.left_out
    assert importance.left_out_drop is not None and importance.rows < 240
    assert f"There was no time for {len(importance.left_out)} column" in str(ImportanceReport(**vars(importance)))


@pytest.mark.parametrize(
    ("passes", "expected"), [(1_000, (5, 800)), (35, (3, 800)), (20, (2, 800)), (10, (2, 400)), (0.1, (2, 100))]
)
def test_time_is_saved_by_repeats_then_by_rows(passes, expected):
    assert affordable(10, 800, 5, passes) == expected


def test_rows_are_limited_and_the_sealed_rows_of_a_split_are_needed(table):
    importance = permutation_importance(table.replace(rows=100, split="train"))
    assert importance.rows == 100 and importance.split_rows == 960
    assert "has learned from these rows" in str(ImportanceReport(**vars(importance)))
    folds = table.trial.data.replace(train=1_200, validation=0)
    with pytest.raises(DataError, match="no validation rows"):
        permutation_importance(table.replace(trial=table.trial.replace(data=folds)))


def test_the_region_that_tells_the_class_is_the_one_that_matters(tmp_path):
    rng, labels = np.random.default_rng(0), np.arange(400) % 2
    images = rng.integers(0, 100, (400, 16, 16, 1)).astype(np.uint8)
    images[labels == 1, 11:, 11:] += 120  # in the lower right corner
    job = solved(prepare((images, labels), tmp_path / "data", DataOptions(folds=0)), "linear_image", tmp_path)
    importance = permutation_importance(job)
    drops = np.array([part.drop for part in importance.parts]).reshape(importance.grid)
    assert importance.grid == (7, 7) and importance.repeats == 1 and importance.score > 0.95
    assert drops[5:, 5:].max() == drops.max() > 0.1 and abs(drops[:4, :4]).max() < 0.05
    drawing = importance_svg(importance)
    assert drawing.count("<rect") == 49 and "data:image/png;base64," in drawing

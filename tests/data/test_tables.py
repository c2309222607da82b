"""Tables of every kind become arrays, or an error that explains what is wrong."""

import json
import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError, DataError, LeptonError
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec

RNG = np.random.default_rng(0)


def people(rows: int = 200) -> pd.DataFrame:
    """A table with every kind of column."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "user_id": np.arange(rows) + 1000,
            "age": rng.integers(18, 90, rows),
            "height": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(170, 10, rows)),
            "city": rng.choice(["Oslo", "Rome", "Bonn"], rows),
            "member": rng.random(rows) < 0.5,
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, rows), "D"),
            "spent": rng.choice(["?", "12.5", "7", "3.25", "99"], rows),
            "planet": "Earth",
            "name": [f"person {n}" for n in range(rows)],
            "churned": rng.choice(["yes", "no"], rows),
        }
    )
    frame["city"] = frame["city"].where(rng.random(rows) > 0.05)
    return frame


def arrays(spec: DataSpec, part: str) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in (Path(spec.folder) / part).glob("*.npy")}


def test_every_kind_of_column(tmp_path: Path) -> None:
    spec = prepare(people(), tmp_path, DataOptions(folds=0))
    preprocess = load_preprocess(json.loads((tmp_path / "preprocess.json").read_text()))
    kinds = {column.name: column.kind for column in preprocess.columns}
    assert kinds == {
        "age": "number",
        "height": "number",
        "city": "category",
        "member": "number",
        "joined": "time",
        "spent": "number",
    }
    text = "\n".join(spec.notes)
    for sentence in [
        "'user_id' is left out",
        "'planet' is left out",
        "'name' is left out",
        "'?' in it means missing",
        "the last column",
    ]:
        assert sentence in text
    assert (spec.task, spec.classes, spec.target) == ("binary", ("no", "yes"), "churned")
    assert (spec.train, spec.validation, spec.test, spec.folds) == (128, 32, 40, 0)
    assert spec.input.numeric == len(preprocess.features) and spec.input.cardinalities == (5,)  # three cities, unknown, missing
    rows, test = arrays(spec, "rows"), arrays(spec, "test")
    assert rows["numeric"].shape == (160, spec.input.numeric) and test["targets"].shape == (40,)
    assert np.abs(rows["numeric"]).max() <= 3 and len(spec.digest) == 64
    examples = json.loads((tmp_path / "example.json").read_text())
    assert np.array_equal(preprocess.arrays(examples)["numeric"], rows["numeric"][:3])
    assert DataSpec.from_json(json.loads((tmp_path / "spec.json").read_text())) == spec


def test_the_preprocessing_never_sees_validation_or_test_rows(tmp_path: Path) -> None:
    frame = people().assign(split=["train"] * 100 + ["valid"] * 50 + ["test"] * 50)
    spec = prepare(frame, tmp_path / "a", DataOptions(target="churned"))
    frame.loc[100:, "age"] = 10_000
    frame.loc[100:, "city"] = "Atlantis"
    other = prepare(frame, tmp_path / "b", DataOptions(target="churned"))
    assert (spec.train, spec.validation, spec.test) == (100, 50, 50)
    assert (tmp_path / "a/preprocess.json").read_text() == (tmp_path / "b/preprocess.json").read_text()
    assert spec.digest != other.digest
    assert (arrays(other, "test")["categorical"] == 0).all()


def test_every_inference_can_be_overridden(tmp_path: Path) -> None:
    options = DataOptions(
        target="age", task="multiclass", ignore=["city"], categorical="spent", numeric=["user_id"], folds=3, seed=4
    )
    frame = people(600)
    spec = prepare(frame, tmp_path, options)
    preprocess = load_preprocess(json.loads((tmp_path / "preprocess.json").read_text()))
    assert spec.task == "multiclass" and spec.folds == 3 and "city" not in preprocess.names
    assert {column.name: column.kind for column in preprocess.columns}["spent"] == "category" and "user_id" in preprocess.names
    assert DataOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_a_regression_target_is_standardised(tmp_path: Path) -> None:
    frame = people(400)
    spec = prepare(frame, tmp_path, DataOptions(target="height", folds=0))
    targets = arrays(spec, "rows")["targets"][: spec.train]
    assert spec.task == "regression" and spec.classes == () and targets.dtype == np.float32
    assert abs(targets.mean()) < 1e-5 and abs(targets.std() - 1) < 1e-5 and 150 < spec.output.mean < 190
    assert "rows without a 'height' are left out" in spec.warnings[0]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "parquet"])
def test_files_hold_what_frames_hold(ending: str, tmp_path: Path) -> None:
    frame = people().drop(columns="joined")
    path = tmp_path / f"people.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    spec, other = prepare(path, tmp_path / "a"), prepare(frame, tmp_path / "b")
    assert spec.digest == other.digest and spec.name == "people"


def test_other_sources(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    X, y = RNG.normal(size=(100, 3)), RNG.integers(0, 3, 100)
    specs = [
        prepare((X, y), tmp_path / "a"),
        prepare((torch.from_numpy(X), torch.from_numpy(y)), tmp_path / "b"),
        prepare({"x0": X[:, 0], "x1": X[:, 1], "x2": X[:, 2], "target": y}, tmp_path / "c"),
        prepare((pd.DataFrame(X, columns=["x0", "x1", "x2"]), pd.Series(y)), tmp_path / "d"),
    ]
    assert len({spec.digest for spec in specs}) == 1 and specs[0].classes == (0, 1, 2)
    sealed = prepare((X[:60], y[:60]), tmp_path / "e", test=(X[60:], y[60:]))
    assert sealed.test == 40 and sealed.train == 60


def test_nullable_and_arrow_types(tmp_path: Path) -> None:
    plain = people()[["age", "height", "member", "city", "churned"]]
    nullable = plain.convert_dtypes()
    nullable["city"] = nullable["city"].astype("category")
    assert prepare(plain, tmp_path / "a").digest == prepare(nullable, tmp_path / "b").digest


def test_copies_across_splits_are_reported(tmp_path: Path) -> None:
    frame = pd.concat([people(100)] * 3)
    said = prepare(frame, tmp_path, DataOptions(folds=0)).warnings
    assert "test examples are training examples too" in said[0] and "validation" in said[1]


def test_class_weights(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=100), "y": [0] * 80 + [1] * 20})
    assert prepare(frame, tmp_path, DataOptions(class_weight="balanced", folds=0)).output.class_weight == pytest.approx(
        (0.625, 2.5), rel=0.1
    )
    assert prepare(frame, tmp_path, DataOptions(class_weight={1: 3})).output.class_weight == (1, 3)
    with pytest.raises(DataError, match="no class 7"):
        prepare(frame, tmp_path, DataOptions(class_weight={"7": 3}))


def test_groups_and_times(tmp_path: Path) -> None:
    frame = people().assign(clinic=RNG.integers(0, 40, 200))
    spec = prepare(frame, tmp_path / "a", DataOptions(target="churned", group_column="clinic"))
    assert "clinic" not in (tmp_path / "a/preprocess.json").read_text() and spec.folds == 5
    spec = prepare(frame, tmp_path / "b", DataOptions(target="churned", time_column="joined"))
    assert spec.test == 40 and any("the latest" in note for note in spec.notes)


def changed(**columns: object) -> pd.DataFrame:
    return people().assign(**columns)


BAD = {
    "a target that is not there": (people(), {"target": "Churned"}, "no column 'Churned'. Did you mean 'churned'"),
    "targets all missing": (changed(churned=None), {}, "every target is missing"),
    "one class": (changed(churned="yes"), {}, "one class only, 'yes'"),
    "a lonely class": (changed(churned=["maybe"] + ["yes", "no"] * 99 + ["no"]), {}, "too few of: 'maybe'"),
    "lists in cells": (changed(city=[[1]] * 200), {}, "'city' holds a list"),
    "dicts in cells": (changed(city=[{"a": 1}] * 200), {}, "'city' holds a dict"),
    "a list for a target": (changed(churned=[["yes"]] * 200), {}, "there is one label only"),
    "an infinite number": (
        changed(height=[math.inf] + [1.0, 2.0] * 99 + [3.0]),
        {},
        "'height' holds 1 infinite values, the first in row 0",
    ),
    "an infinite target": (changed(churned=[math.inf] + [1.5] * 198 + [2.5]), {}, "1 targets are infinite"),
    "columns of one name": (people().set_axis(["a"] * 10, axis=1), {}, "share a name: 'a'"),
    "a constant table": (pd.DataFrame({"a": [1] * 40, "y": [0, 1] * 20}), {}, "no column is left"),
    "an empty table": (people().iloc[:0], {}, "0 rows"),
    "two rows": (people().iloc[:2], {}, "."),
    "names for a target": (people().drop(columns="churned"), {}, "looks like a name"),
    "a constant quantity": (changed(churned=1.5), {"task": "regression"}, "every target is 1.5"),
    "labels as quantities": (people(), {"task": "regression"}, "must be a number, not"),
    "too many for binary": (changed(churned=["a", "b", "c", "a"] * 50), {"task": "binary"}, "3 classes are not binary"),
    "a strange split": (changed(churned=["a", "b"] * 100), {"split_column": "city"}, "which is not a split"),
    "complex numbers": (changed(height=1j), {}, "neither number"),
    "groups too few": (changed(city="x"), {"group_column": "city"}, "too few rows"),
    "no source": (42, {}, "a int is not a supported data source"),
    "columns unlike": ({"a": [1, 2], "b": [1]}, {}, "do not form a table"),
    "X unlike y": ((np.zeros((5, 2)), np.zeros(4)), {}, "X has 5 rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_an_error(case: str, tmp_path: Path) -> None:
    source, options, said = BAD[case]
    with pytest.raises(LeptonError) as caught:
        prepare(source, tmp_path / "out", DataOptions(**options))
    assert said in str(caught.value) and "What to do" in str(caught.value)
    assert not (tmp_path / "out/rows").exists() and not (tmp_path / "out/spec.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"a,b,a\n1,2,3\n", "share a name: 'a'"),
        (b"a,b\n1,2\n1,2,3,4\n", "cannot be read"),
        (b"a,b\n\xff\xfe\xff,1\n", "not UTF-8"),
    ],
)
def test_bad_files_are_errors(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        prepare(path, tmp_path / "out")


def test_missing_and_damaged_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "notes.docx").write_text("hello")
    for name in ("bad.csv.gz", "bad.parquet"):
        (tmp_path / name).write_bytes(b"\x1f\x8bnothing at all")
        with pytest.raises(DataError, match=f"{name}: the table cannot be read"):
            prepare(tmp_path / name, tmp_path / "out")
    with pytest.raises(DataError, match=r"no such file or folder. Did you mean 'table.csv'"):
        prepare(tmp_path / "tabel.csv", tmp_path / "out")
    with pytest.raises(DataError, match="kind of file is not supported"):
        prepare(tmp_path / "notes.docx", tmp_path / "out")


def test_a_read_only_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the prepared data"):
        prepare(people(), tmp_path / "file" / "out")
    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(DataError, match="the disk is full"):
        prepare(people(), tmp_path / "out")
    assert not (tmp_path / "out" / "rows").exists()


def full_disk(*_: object, **__: object) -> int:
    import errno

    raise OSError(errno.ENOSPC, "No space left on device")


def test_infinite_can_mean_missing(tmp_path: Path) -> None:
    frame = changed(height=[math.inf, -math.inf] + [1.0, 2.0] * 99)
    spec = prepare(frame, tmp_path, DataOptions(infinite="missing"))
    assert "2 infinite values" in spec.warnings[0]


def test_all_wrong_options_are_reported_in_one_error() -> None:
    with pytest.raises(ConfigError, match="6 things are wrong"):
        DataOptions(test_share=2, folds=1, image_size=2, task="binery", categorical="a", numeric="a", class_weight="some")


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.datetimes(), st.binary(max_size=3),
    st.just(pd.NA), st.just(pd.NaT), st.lists(st.integers(), max_size=1), st.complex_numbers(), st.decimals(),
)  # fmt: skip
kinds = [
    cells, st.floats(), st.integers(), st.text(max_size=3), st.sampled_from(["a", "b", None]), st.datetimes(), st.booleans(),
    st.integers(0, 3), st.floats(0, 1),
]  # fmt: skip


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 40))
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    return pd.DataFrame(
        {f"c{n}": pd.Series(draw(st.lists(kind, min_size=rows, max_size=rows))) for n, kind in enumerate(columns)}
    )


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(frames())
@example(pd.DataFrame({"x": [0, 0, 0, 0, 1], "y": pd.Series([None, False, False, Decimal("NaN"), complex("nan")])}))
@example(pd.DataFrame({"flag": [None, False, None, "A", *[None] * 10], "y": [0.0] * 12 + [1.0] * 2}))
def test_any_table_is_prepared_or_refused(tmp_path: Path, frame: pd.DataFrame) -> None:
    try:
        spec = prepare(frame, tmp_path)
    except LeptonError:
        return
    rows, test = arrays(spec, "rows"), arrays(spec, "test")
    assert all(np.isfinite(part).all() for part in rows.values())
    assert len(rows["targets"]) == spec.train + spec.validation and len(test["targets"]) == spec.test
    preprocess = load_preprocess(json.loads((tmp_path / "preprocess.json").read_text()))
    for name, part in preprocess.arrays(json.loads((tmp_path / "example.json").read_text())).items():
        assert np.array_equal(part, rows[name][: len(part)])
    if any("taken as missing" in warning for warning in spec.warnings):
        return  # a text in a test row of a numeric column: the test is scored without it, and a predictor refuses it
    for name, part in preprocess.arrays(
        frame[frame[spec.target].notna()]
    ).items():  # the raw table again, as a predictor sees it
        stored = np.concatenate([rows[name], test[name]])
        assert sorted(row.tobytes() for row in part) == sorted(row.tobytes() for row in stored)


def test_preparing_loads_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
from lepton_automl.data.demo import digits
from lepton_automl.data.prepare import prepare
assert "pandas" not in sys.modules
prepare(digits(), {str(tmp_path)!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_real_tables(shared_data: Path, tmp_path: Path) -> None:
    content = json.loads((shared_data / "tabular/index.json").read_text())
    for name in ("adult", "telco_churn", "california_housing", "hypothyroid", "penguins"):
        spec = prepare(shared_data / f"tabular/{name}.csv.gz", tmp_path / name, DataOptions(target=content[name]["target"]))
        assert spec.task == content[name]["task"], name
        assert spec.train + spec.validation + spec.test == content[name]["rows"]
    adult = json.loads((tmp_path / "adult/preprocess.json").read_text())["input"]["columns"]
    assert [column["name"] for column in adult if column["kind"] == "category"] == content["adult"]["categorical"]

"""Table files: typed as pandas types them where that loses nothing, read the same in training and in bundles, refused where too large.

`benchmarks/input_cases/table_files.py` holds the files of other shapes; `tests/data/test_inputs.py` runs them.
"""

import gzip
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lepton_automl import delimited, unpacked
from lepton_automl.data import reading
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.reading import read_table
from lepton_automl.data.typed import MISSING_TEXTS
from lepton_automl.errors import DataError, InputError
from lepton_automl.example_files import read_examples
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.notation import means_missing
from lepton_automl.shipped import load_preprocess

plain = [
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans(), st.floats(),
    st.sampled_from(["red", "NA-1", "x, y", 'say "x"', "two\nlines"]), st.integers(-9, 9) | st.none(),
]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_plain_columns_are_typed_as_pandas_types_them(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 60))
    kinds = data.draw(st.lists(st.sampled_from(plain), min_size=1, max_size=4))
    columns = {f"c{n}": data.draw(st.lists(kind, min_size=rows, max_size=rows)) for n, kind in enumerate(kinds)}
    text = pd.DataFrame({"n": range(rows), **columns}).to_csv(index=False)
    ours = read_text(text)
    pd.testing.assert_frame_equal(ours, pd.read_csv(io.StringIO(text)))


def read_text(text: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text(text, newline="")
        return read_table(path)


def test_a_column_that_turns_out_to_be_text_is_text_from_its_first_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_CELLS_AT_ONCE", 1)  # 64 rows at a time
    late = {"zeros": "007", "word": "None", "yes": "True"}
    cells = {name: ["1.50", "NA", " 2", ""] * 50 + [last] for name, last in late.items()}
    text = (
        "n,"
        + ",".join(cells)
        + "\n"
        + "".join(f"{n},{','.join(row)}\n" for n, row in enumerate(zip(*cells.values(), strict=True)))
    )
    found = read_text(text)
    assert found["zeros"].tolist()[:3] == ["1.50", "NA", " 2"] and found["zeros"].isna().sum() == 50
    assert found["yes"].tolist()[:3] == ["1.50", "NA", " 2"] and found["yes"].iloc[-1] == "True"
    assert found["word"].dtype == float and found["word"].isna().sum() == 101  # None is missing among numbers
    assert found["n"].dtype == int and found["n"].tolist() == list(range(201))


def test_what_is_missing_in_a_numeric_column_of_a_file_is_missing_in_every_prediction() -> None:
    assert all(map(means_missing, MISSING_TEXTS))


spellings = st.sampled_from(
    ["1", "1.0", "2", "+2", "3e0", " 3", "TRUE", "true", "False", "NA", "#N/A", "NULL", "None", "", " ", "?", "007", "7", "x",
     " x", "1,5", "1.234,5", "12 kg", "2024-01-31", "31/12/2024", "nan", "inf", "-0", "0.10"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(spellings, min_size=1, max_size=5), min_size=1, max_size=3), st.sampled_from(",;\t|"), st.booleans())
@example([["1", "1.0", "TRUE", "true"]], ",", False)
@example([["1", "-0"]], ",", False)
def test_a_bundle_gives_the_arrays_of_training_whatever_the_cells(cells: list[list[str]], by: str, categories: bool) -> None:
    rows = [[(column * 40)[n] for column in cells] + [str(n * n % 31), ("yes", "no")[n % 3 == 0]] for n in range(40)]
    names = [*(f"c{n}" for n in range(len(cells))), "n", "y"]
    text = "".join(by.join(f'"{cell}"' if by in cell else cell for cell in row) + "\n" for row in [names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        file, where = Path(folder) / "rows.csv", Path(folder) / "prepared"
        file.write_text(text)
        options = DataOptions(target="y", folds=0, infinite="missing", categorical=names[: len(cells)] if categories else ())
        try:
            prepare(file, where, options)
        except DataError:  # mixed units, for one
            return
        preprocess = load_preprocess(json.loads((where / "preprocess.json").read_text()))
        arrays = preprocess.arrays(read_examples(str(file), preprocess))
        for name, part in arrays.items():
            stored = np.concatenate([np.load(where / side / f"{name}.npy") for side in ("rows", "test")])
            # Adding zero takes the sign from "-0", which a column of whole numbers does not have.
            assert sorted(row.tobytes() for row in part + 0) == sorted(row.tobytes() for row in stored + 0)


def test_true_and_false_beside_ones_and_zeros_are_numbers_unless_they_stand_for_missing(tmp_path: Path) -> None:
    flags = ["1", "0", "TRUE", "false", " True"] * 20
    frame = pd.DataFrame({"flag": flags, "n": np.arange(100) ** 2 % 31, "y": [0, 1] * 50})
    for missing, truth in (([], 1.0), (["TRUE", "True"], None)):
        where = tmp_path / str(truth)
        spec = prepare(frame, where, DataOptions(target="y", folds=0, missing=missing))
        preprocess = load_preprocess(json.loads((where / "preprocess.json").read_text()))
        read = preprocess.arrays({"flag": [1, truth, 0], "n": [0, 0, 0]})["numeric"]
        for texts in (["1", "TRUE", "false"], ["1.0", " True", "0"]):
            assert np.array_equal(preprocess.arrays({"flag": texts, "n": [0, 0, 0]})["numeric"], read)
        assert any("missing values in training rows: 'flag'" in note for note in spec.notes) == bool(missing)


def test_infinite_numbers_are_missing_in_predictions_where_they_were_in_training(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [np.inf, -np.inf, *np.arange(78.0) ** 2], "y": [0, 1] * 40})
    prepare(frame, tmp_path, DataOptions(infinite="missing", folds=0))
    preprocess = load_preprocess(json.loads((tmp_path / "preprocess.json").read_text()))
    missing = preprocess.arrays({"a": None})["numeric"]
    for way in ({"a": math.inf}, {"a": "-inf"}, frame[:1], np.full((1, 1), -math.inf)):
        assert np.array_equal(preprocess.arrays(way)["numeric"], missing)
    assert np.array_equal(preprocess.arrays(frame)["numeric"][:2], np.concatenate([missing, missing]))


def little_memory(monkeypatch: pytest.MonkeyPatch, *modules: object) -> list[float]:
    """A machine with 50 MB to spare; returns the shares of the file at which the memory was looked at."""
    shares: list[float] = []

    def check(needed: float, path: Path, read: float = 1.0) -> None:
        shares.append(read)
        unpacked.check_memory(needed, path, read)

    monkeypatch.setattr(unpacked, "available", lambda: 50e6)
    for module in modules:
        monkeypatch.setattr(module, "check_memory", check)
    return shares


def test_a_file_that_unpacks_without_end_is_refused_at_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = little_memory(monkeypatch, reading, delimited)
    file = tmp_path / "bomb.csv.gz"
    file.write_bytes(gzip.compress(b"a,b,c\n") + gzip.compress(b"1,2,3\n" * 100_000) * 2_000)  # 1.2 GB of text
    for read in (read_table, lambda path: read_examples(str(path), TablePreprocess([], {}))):
        with pytest.raises((DataError, InputError), match=r"needs about .* GB of memory"):
            read(file)
    assert max(shares) < 0.1


@pytest.mark.parametrize(
    ("repeated", "message"), [(b"\n", "contain no rows"), (b"#\n", "contain no rows"), (b"0", "characters")]
)
def test_lines_without_rows_do_not_bypass_the_limit(
    repeated: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "_MOST_BLANK", 1000)
    monkeypatch.setattr(unpacked, "LONGEST_LINE", 1 << 14)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" + repeated * 100_000))
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "bomb.csv.gz")


def test_a_small_parquet_file_of_many_rows_is_refused_by_its_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "many.parquet"
    pd.DataFrame({"a": np.zeros(1_000_000, np.int64), "b": ["x"] * 1_000_000}).to_parquet(file)
    assert file.stat().st_size < 100_000
    little_memory(monkeypatch, reading)
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("it was read"))
    for read in (read_table, lambda path: read_examples(str(path), TablePreprocess([], {}))):
        with pytest.raises((DataError, InputError), match=r"needs about .* GB of memory"):
            read(file)


NOTHING_ELSE = """
import sys, runpy
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "lepton_automl", "pandas", "pyarrow", "onnx", "sklearn", "mlflow"}:
            raise ImportError(name + " is not installed here")
sys.meta_path.insert(0, Block())
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


@pytest.mark.slow
def test_predict_py_predicts_its_training_files_in_a_clean_process(tmp_path: Path) -> None:
    import torch

    from lepton_automl import families
    from lepton_automl.data.open import open_data
    from lepton_automl.deployment.bundle import write_bundle
    from lepton_automl.deployment.export import export
    from lepton_automl.deployment.predictor import Predictor
    from lepton_automl.models.build import build
    from lepton_automl.models.deployable import deployable

    torch.manual_seed(0)
    rows = [
        f"{n % 5}.0;{('TRUE', 'false', '#N/A')[n % 3]};{n * 7 % 23},5;{('None', 'NULL', 'x ')[n % 3]};{n % 2}"
        for n in range(60)
    ]
    text = "Report of today\na;b;c;d;y\n" + "".join(f"{row};\n" for row in rows)
    files = {
        "a.csv": text.encode(),
        "b.tsv": text.replace(";", "\t").encode("utf-16"),
        "c.csv.gz": gzip.compress(text.encode()),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        data = open_data(tmp_path / name, tmp_path / f"{name}.data", DataOptions(target="y", categorical=["a"], folds=0))
        assert [kind for _, kind in data.spec.input.columns] == ["category", "number", "number", "category"]
        settings = families.smallest(families.space_for(data.spec), data.spec)
        drawn = families.draw(
            {
                hyperparameter.removeprefix("model."): set_
                for hyperparameter, set_ in settings.items()
                if hyperparameter.startswith("model.")
            },
            data.spec,
        )
        module = deployable(build(drawn), data.spec)
        export(module, data.train.rows(slice(0, 5)).inputs, tmp_path / "model.onnx")
        described = json.loads((tmp_path / f"{name}.data/preprocess.json").read_text())
        bundle = tmp_path / f"{name}.bundle"
        write_bundle(
            bundle, model=tmp_path / "model.onnx", weights=b"", recipe={}, preprocess=described, provenance={}, card="# A model"
        )  # fmt: skip
        result = subprocess.run(
            [sys.executable, "-c", NOTHING_ELSE, bundle / "predict.py", tmp_path / name, "--proba"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        answers = [json.loads(line)["1"] for line in result.stdout.splitlines()]
        stored = {
            part: np.concatenate([np.load(tmp_path / f"{name}.data" / side / f"{part}.npy") for side in ("rows", "test")])
            for part in ("numeric", "categorical")
        }
        expected = Predictor(bundle).model(stored)[:, 1]
        assert np.allclose(sorted(answers), sorted(expected.tolist()), atol=2e-6) and len(set(answers)) > 5

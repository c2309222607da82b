"""The forms of requests: what fits becomes rows, and all else is refused in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_automl.serving.inference_v2 import request_of
from lepton_automl.serving.invocations import answer_json, rows_of_csv, rows_of_json
from lepton_automl.serving.refusal import RefusalError

COLUMNS = ("a", "b")
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3)
JSON = st.recursive(LEAVES, lambda one: st.lists(one, max_size=4) | st.dictionaries(st.sampled_from("ab"), one), max_leaves=8)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "x"]) | LEAVES,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | LEAVES,
        "datatype": st.sampled_from(["FP64", "INT8", "BOOL", "BYTES", "COMPLEX"]) | LEAVES,
        "data": st.lists(LEAVES, max_size=4) | JSON,
    },
)


def v2(*tensors, **more):
    return request_of(json.dumps({"inputs": tensors, **more}).encode(), COLUMNS, 3)


def tensor(name, data, kind="FP64", shape=None):
    return {"name": name, "shape": shape or [len(data)], "datatype": kind, "data": data}


def test_inputs_are_columns_or_all_columns_in_one():
    expected = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    assert v2(tensor("a", [1, None]), tensor("b", ["x", "y"], "BYTES")).rows == expected
    assert v2(tensor("a", [1, None], shape=[2, 1]), tensor("b", ["x", "y"], "BYTES", [2, 1])).rows == expected
    assert v2(tensor("all", [1, 2, 3, 4], shape=[2, 2])).rows == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert v2(tensor("a", [[[1], [2]], [[3], [4]]], "UINT8", [1, 2, 2, 1])).rows == [{"a": [[[1], [2]], [[3], [4]]]}]
    assert v2(tensor("a", [1, 2, 3, 4], "UINT8", [1, 2, 2])).rows == [{"a": [[1, 2], [3, 4]]}]


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ([], "list of inputs"),
        ([tensor("a", [1, 2], shape=[3])], "2 elements, and its shape says 3"),
        ([tensor("a", [1], shape=[0])], "integers above 0"),
        ([tensor("a", [1], shape=[10**12])], "1,000,000,000,000 rows are too many"),
        ([tensor("a", [1], "COMPLEX")], "no datatype"),
        ([tensor("a", ["x"])], "'x', which is no FP64"),
        ([tensor("a", [True], "INT64")], "True, which is no INT64"),
        ([tensor("a", [1]), tensor("a", [1])], "two inputs 'a'"),
        ([tensor("a", [1]), tensor("b", [1, 2])], "differ in their number of rows"),
        ([tensor("a", [1, 2, 3, 4])], "4 rows are too many"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(tensors, why):
    with pytest.raises(RefusalError) as refused:
        v2(*tensors)
    assert why in str(json.loads(refused.value.body())["error"]).replace("'True'", "True")


def test_csv_has_a_header_and_rows():
    rows, params = rows_of_csv('\ufeffa,b\r\n1,"x, y"\r\n,z\n\n'.encode(), COLUMNS, 3)
    assert rows == [{"a": "1", "b": "x, y"}, {"a": None, "b": "z"}] and not params
    for body, why in [(b"a\n1", "no column 'b'"), (b"a,b\n1", "1 cells"), (b"a,b\n", "no rows"), (b'a,b\n1,"x', "not CSV")]:
        with pytest.raises(RefusalError) as refused:
            rows_of_csv(body, COLUMNS, 3)
        assert why in refused.value.what and refused.value.status == 400
    with pytest.raises(RefusalError, match="more than 3 rows") as refused:
        rows_of_csv(b"a,b\n" + b"1,2\n" * 4, COLUMNS, 3)
    assert refused.value.status == 413


@given(st.binary(max_size=20) | JSON.map(json.dumps).map(str.encode) | st.lists(TENSORS, max_size=3))
def test_every_body_becomes_rows_or_is_refused_in_words(body):
    content = json.dumps({"inputs": body}).encode() if isinstance(body, list) else body
    for read in (rows_of_json, rows_of_csv, lambda *given: (request_of(*given).rows, {})):
        try:
            rows, _ = read(content, COLUMNS, 3)
        except RefusalError as refused:
            refusal = refused
        else:
            assert 1 <= len(rows) <= 3 and all(isinstance(row, dict) for row in rows)
            continue
        told = json.loads(refusal.body())
        assert 400 <= refusal.status < 500 and len(told["error"]) > 10 and told["message"] == told["error"]


def test_an_answer_is_one_object_for_each_row():
    answer = json.loads(answer_json({"prediction": ["x", "y"], "probability_x": [0.75, 0.25]}))
    assert answer == {"predictions": [{"prediction": "x", "probability_x": 0.75}, {"prediction": "y", "probability_x": 0.25}]}

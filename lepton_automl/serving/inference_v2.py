"""The Open Inference Protocol, version 2: requests, answers, and what it says about a model.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lepton_automl.errors import did_you_mean

from .protocols import Columns, Row
from .refusal import RefusalError
from .served_model import ServedModel

BODY = "the body"
PLATFORM = "lepton_automl"
TYPES = {"boolean": "BOOL", "long": "INT64", "string": "BYTES", "double": "FP64", "any": "BYTES"}
INTEGERS = frozenset({"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"})
FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
DATATYPES = INTEGERS | FLOATS | {"BOOL", "BYTES"}
FORM = 'Send {"inputs": [{"name": COLUMN, "shape": [ROWS], "datatype": "FP64", "data": [...]}]}, one input for each column.'
_MOST_AXES = 6


class V2Request:
    """A request for inference.

    Args:
        content: The JSON of the body.
        columns: The model's columns.
        most: The maximum number of rows.

    Attributes:
        id: The client's own id; None without one.
        rows: Cells by column.
        params: Parameters of the model.
        outputs: Names of the columns that are wanted; None for all.

    Raises:
        RefusalError: It is no such request.
    """

    def __init__(self, content: Any, columns: Sequence[str], most: int) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("inputs"), list) or not content["inputs"]:
            raise RefusalError(400, "it is no object with a list of inputs", where=BODY, fix=FORM)
        self.id: str | None = content.get("id")
        if self.id is not None and (not isinstance(self.id, str) or len(self.id) > 200):
            raise RefusalError(400, "it is no text of at most 200 characters", where="id")
        self.params: Mapping[str, Any] = content.get("parameters") or {}
        if not isinstance(self.params, dict):
            raise RefusalError(400, 'it takes an object, such as {"coverage": 0.9}', where="parameters")
        self.rows: Sequence[Row] = _rows(content["inputs"], columns, most)
        self.outputs = _wanted(content.get("outputs"))

    def answer(self, model: ServedModel, columns: Columns, prediction_id: str) -> bytes:
        """The answer; the prediction id is its `id` if the client gave none, and always among its parameters.

        Raises:
            RefusalError: An output that is wanted does not exist.
        """
        if self.outputs is not None:
            unknown = next((name for name in self.outputs if name not in columns), None)
            if unknown is not None:
                fix = f"Outputs: {', '.join(columns)}.{did_you_mean(unknown, columns)}"
                raise RefusalError(400, f"there is no output {unknown[:50]!r}", where="outputs", fix=fix)
            columns = {name: columns[name] for name in self.outputs}
        types = dict(model.answer_columns)
        content = {
            "model_name": model.name,
            "model_version": model.version,
            "id": prediction_id if self.id is None else self.id,
            "parameters": {"prediction_id": prediction_id},
            "outputs": [_output(name, list(values), types.get(name)) for name, values in columns.items()],
        }
        return json.dumps(content).encode()


def request_of(body: bytes, columns: Sequence[str], most: int) -> V2Request:
    """The request in a body.

    Raises:
        RefusalError: It is not JSON, or no such request.
    """
    try:
        content = json.loads(body)
    except RecursionError:
        raise RefusalError(400, "the JSON is nested too deeply", where=BODY, fix=FORM) from None
    except ValueError as error:  # also for bytes that are not text, and numbers with thousands of digits
        raise RefusalError(400, f"it is not valid JSON: {error}", where=BODY, fix=FORM) from None
    return V2Request(content, columns, most)


def metadata(model: ServedModel, versions: Sequence[str]) -> dict[str, Any]:
    """What the protocol says about a model: its inputs, one a column, and its outputs."""
    inputs = [{"name": name, "datatype": _input_type(model.sample.get(name)), "shape": [-1]} for name in model.columns]
    outputs = [{"name": name, "datatype": TYPES[kind], "shape": [-1]} for name, kind in model.answer_columns]
    about = {"name": model.name, "versions": list(versions), "platform": PLATFORM}
    return {**about, "inputs": inputs, "outputs": outputs, "parameters": {"model_version": model.version}}


def _input_type(sample: Any) -> str:
    if isinstance(sample, bool):
        return "BOOL"
    return "FP64" if isinstance(sample, int | float) else "BYTES"


def _rows(inputs: Sequence[Any], columns: Sequence[str], most: int) -> Sequence[Row]:
    cells: dict[str, list[Any]] = {}
    for number, tensor in enumerate(inputs, 1):
        where = f"input {number}"
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise RefusalError(400, "it is no object with a name", where=where, fix=FORM)
        name, shape = tensor["name"], _shape(tensor, where)
        if shape[0] > most:
            fix = f"Send at most {most:,} in one request."
            raise RefusalError(413, f"{shape[0]:,} rows are too many", where=where, fix=fix)
        values = _values(tensor, shape, where)
        if len(inputs) == 1 and name not in columns and len(shape) == 2 and shape[1] == len(columns):
            return [dict(zip(columns, row, strict=True)) for row in values]  # all columns as one tensor
        if name in cells:
            raise RefusalError(400, f"there are two inputs {name[:50]!r}", where=where, fix=FORM)
        cells[name] = [row[0] for row in values] if shape[1:] == [1] else values
    lengths = {len(values) for values in cells.values()}
    if len(lengths) > 1:
        raise RefusalError(400, "they differ in their number of rows", where="inputs", fix="Send as many of each.")
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _shape(tensor: Mapping[str, Any], where: str) -> list[int]:
    """The shape of a tensor, whose datatype is known and whose data is a list."""
    shape = tensor.get("shape")
    if (
        not isinstance(shape, list)
        or not 0 < len(shape) <= _MOST_AXES
        or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in shape)
    ):
        raise RefusalError(400, "its shape is no list of integers above 0", where=where, fix=FORM)
    if tensor.get("datatype") not in DATATYPES:
        kind = str(tensor.get("datatype"))[:20]
        raise RefusalError(400, f"{kind!r} is no datatype", where=where, fix=f"Use one of {', '.join(sorted(DATATYPES))}.")
    if not isinstance(tensor.get("data"), list):
        raise RefusalError(400, "its data is no list", where=where, fix=FORM)
    return shape


def _values(tensor: Mapping[str, Any], shape: list[int], where: str) -> list[Any]:
    """The rows of a tensor, each a cell or nested lists."""
    flat: list[Any] = tensor["data"]
    for _ in shape[1:]:
        if flat and isinstance(flat[0], list):
            if not all(isinstance(part, list) for part in flat):
                raise RefusalError(400, "its data is nested unevenly", where=where, fix=FORM)
            flat = [cell for part in flat for cell in part]
    if len(flat) != math.prod(shape):
        what = f"its data has {len(flat):,} elements, and its shape says {math.prod(shape):,}"
        raise RefusalError(400, what, where=where, fix=FORM)
    kind = tensor["datatype"]
    allowed = _ALLOWED[kind]
    bad = next((cell for cell in flat if cell is not None and type(cell) not in allowed), None)
    if bad is not None:
        what = f"its data holds {str(bad)[:30]!r}, which is no {kind}"
        raise RefusalError(400, what, where=where, fix="Send null where a cell is missing.")
    rows = flat
    for side in reversed(shape[1:]):
        rows = [rows[start : start + side] for start in range(0, len(rows), side)]
    return rows


_ALLOWED: dict[str, frozenset[type]] = {
    **dict.fromkeys(INTEGERS, frozenset({int})),
    **dict.fromkeys(FLOATS, frozenset({int, float})),
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
}


def _wanted(outputs: Any) -> list[str] | None:
    if outputs is None or outputs == []:
        return None
    named = isinstance(outputs, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs)
    if not named:
        raise RefusalError(400, 'it takes a list such as [{"name": "prediction"}]', where="outputs")
    return [one["name"] for one in outputs]


def _output(name: str, values: list[Any], kind: str | None) -> dict[str, Any]:
    """One column as a tensor; what is neither a number nor a text becomes JSON text."""
    if kind is None:  # a column that a coverage adds
        kind = "double" if values and all(isinstance(value, float) for value in values) else "any"
    if kind == "any":
        values = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return {"name": name, "shape": [len(values)], "datatype": TYPES[kind], "data": values}

"""The description of the endpoints in the form of OpenAPI 3.1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lepton_automl import __version__

from .exchange import Endpoint
from .served_model import ServedModel

PARAMETERS = {"model": "The model's name", "version": "One of its versions; left out, the champion answers"}
STATUSES = {
    "400": "The input does not fit",
    "401": "The key is missing or not valid",
    "403": "The key lacks the role",
    "404": "There is no such model or version",
    "413": "Too long, or too many rows",
    "415": "Another content type",
    "429": "Too many requests with this key",
    "503": "Busy; ask again later",
    "504": "It took too long",
}
_ERROR = {"type": "object", "properties": {name: {"type": "string"} for name in ("error", "error_code", "where", "fix")}}


def openapi(routes: Mapping[str, Mapping[str, Endpoint]], models: Sequence[ServedModel]) -> dict[str, Any]:
    """The whole description.

    Args:
        routes: The endpoints by path and method.
        models: The champions; the first one's made-up row is the example of a request.
    """
    paths = {
        path: {method.lower(): _operation(path, endpoint, models) for method, endpoint in methods.items()}
        for path, methods in routes.items()
    }
    served = ", ".join(f"{model.name} (version {model.version})" for model in models)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Models served by lepton_automl", "version": __version__, "description": f"Champions: {served}"},
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "lepton keys add NAME"}},
            "schemas": {"Error": _ERROR, **{f"Row of {model.name}": _row_schema(model) for model in models}},
        },
    }


def _operation(path: str, endpoint: Endpoint, models: Sequence[ServedModel]) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": endpoint.summary, "responses": {"200": {"description": "The answer"}}}
    names = [name for name in PARAMETERS if "{" + name + "}" in path]
    operation["parameters"] = [
        {"name": name, "in": "path", "required": True, "description": PARAMETERS[name], "schema": {"type": "string"}}
        for name in names
    ]
    if endpoint.role is not None:
        operation["security"] = [{"key": []}]
        operation["description"] = f"Role: {endpoint.role}"
        error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        operation["responses"] |= {code: {"description": text, "content": error} for code, text in STATUSES.items()}
    if endpoint.types:
        example = _example(path, models)
        content = {kind: {"example": example} if kind == "application/json" else {} for kind in _plain(endpoint.types)}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _plain(types: frozenset[str]) -> list[str]:
    return sorted(kind for kind in types if ";" not in kind)


def _example(path: str, models: Sequence[ServedModel]) -> Any:
    row = models[0].sample if models else {}
    if path.endswith("/infer"):
        return {"inputs": [_tensor(name, cell) for name, cell in row.items()]}
    if path == "/feedback":
        return {"id": "the header X-Prediction-Id of an answer", "row": 0, "truth": "the true label or number"}
    if path.endswith("/champion"):
        return {"version": "2"}
    return {"dataframe_records": [row]}


def _tensor(name: str, cell: Any) -> dict[str, Any]:
    kind = "BOOL" if isinstance(cell, bool) else "FP64" if isinstance(cell, int | float) else "BYTES"
    return {"name": name, "shape": [1], "datatype": kind, "data": [cell]}


def _row_schema(model: ServedModel) -> dict[str, Any]:
    properties = {name: _cell_schema(model.sample.get(name)) for name in model.columns}
    return {"type": "object", "required": list(model.columns), "properties": properties}


def _cell_schema(sample: Any) -> dict[str, Any]:
    if sample is None:
        return {}
    kind = "boolean" if isinstance(sample, bool) else "number" if isinstance(sample, int | float) else "string"
    shown = sample if len(json.dumps(sample)) < 200 else "..."
    return {"type": [kind, "null"], "examples": [shown]}

"""A study's data as MLflow shows a data set: name, digest, schema and profile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lepton_automl.specs import DataSpec

KINDS = {"number": "double", "time": "datetime", "category": "string"}  # MLflow's words for a column's kinds
MOST_CLASSES = 100  # whose counts are told


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """What is to be written about a data set.

    Args:
        name: For people.
        digest: Its fingerprint.
        source: The folder that it was prepared in.
        schema: JSON: its columns, or the shape of a picture, and the target.
        profile: JSON: how many rows of what.
    """

    name: str
    digest: str
    source: str
    schema: str
    profile: str


def dataset_record(spec: DataSpec) -> DatasetRecord:
    """What a store should hold about prepared data."""
    return DatasetRecord(
        name=spec.name,
        digest=spec.digest,
        source=spec.folder,
        schema=json.dumps({"mlflow_colspec": _columns(spec)}),
        profile=json.dumps(_profile(spec)),
    )


def _columns(spec: DataSpec) -> list[dict[str, Any]]:
    """The schema as columns, of pictures too: of a tensor MLflow's page shows nothing but that it is one."""
    if spec.modality == "image":
        channels, height, width = spec.shape
        given = [("image", f"uint8 [{height}, {width}, {channels}]")]
    else:
        given = [(name, KINDS.get(kind, kind)) for name, kind in spec.columns]
    answer = "double" if spec.task == "regression" else f"one of {len(spec.classes)} classes"
    told = [{"name": name, "type": kind, "required": False} for name, kind in given]
    return [*told, {"name": spec.target, "type": f"target: {answer}", "required": True}]


def _profile(spec: DataSpec) -> dict[str, Any]:
    """Rows by split, and by class among those that are learnt from; nothing nested, as MLflow's page shows pairs only."""
    rows = {"num_rows": spec.train + spec.validation + spec.test, "train": spec.train, "validation": spec.validation}
    told: dict[str, Any] = {**rows, "test (sealed)": spec.test}
    if spec.folds:
        told["folds"] = spec.folds
    told |= {"columns": len(spec.columns)} if spec.modality == "table" else {"shape": str(list(spec.shape))}
    if spec.task == "regression":
        return told | {"target mean": spec.target_mean, "target deviation": spec.target_scale}
    named = [f"train, class {label}" for label in spec.classes[:MOST_CLASSES]]
    return told | {"classes": len(spec.classes)} | dict(zip(named, spec.counts, strict=False))

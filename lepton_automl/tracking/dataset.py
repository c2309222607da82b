"""A study's data as MLflow shows a data set: name, digest, schema and profile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lepton_automl.modality import modality_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of


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
    columns = [{"name": name, "type": kind, "required": False} for name, kind in modality_of(spec).schema(spec)]
    return [*columns, {"name": spec.target, "type": f"target: {task_of(spec).schema(spec)}", "required": True}]


def _profile(spec: DataSpec) -> dict[str, Any]:
    """Rows by split, and by class among those that are learnt from; nothing nested, as MLflow's page shows pairs only."""
    rows = {"num_rows": spec.train + spec.validation + spec.test, "train": spec.train, "validation": spec.validation}
    profile: dict[str, Any] = {**rows, "held-out test": spec.test}
    if spec.folds:
        profile["folds"] = spec.folds
    return profile | modality_of(spec).facts(spec) | task_of(spec).facts(spec)

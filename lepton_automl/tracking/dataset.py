"""A study's data as an MLflow dataset: name, digest, schema and profile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lepton_automl.modality import modality_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A dataset as MLflow stores it.

    Args:
        name: The display name.
        digest: The fingerprint.
        source: The folder of the prepared data.
        schema: JSON: the columns, or the shape of an image, and the target.
        profile: JSON: the number of rows by split and class.
    """

    name: str
    digest: str
    source: str
    schema: str
    profile: str


def dataset_record(spec: DataSpec) -> DatasetRecord:
    """The dataset record of prepared data."""
    return DatasetRecord(
        name=spec.name,
        digest=spec.digest,
        source=spec.folder,
        schema=json.dumps({"mlflow_colspec": _columns(spec)}),
        profile=json.dumps(_profile(spec)),
    )


def _columns(spec: DataSpec) -> list[dict[str, Any]]:
    """The schema as columns, for images too: the MLflow UI shows no details of a tensor schema."""
    columns = [{"name": name, "type": kind, "required": False} for name, kind in modality_of(spec).schema(spec)]
    return [*columns, {"name": spec.target, "type": f"target: {task_of(spec).schema(spec)}", "required": True}]


def _profile(spec: DataSpec) -> dict[str, Any]:
    """Rows by split, and training rows by class; not nested, as the MLflow UI shows pairs only."""
    rows = {"num_rows": spec.train + spec.validation + spec.test, "train": spec.train, "validation": spec.validation}
    profile: dict[str, Any] = {**rows, "held-out test": spec.test}
    if spec.folds:
        profile["folds"] = spec.folds
    return profile | modality_of(spec).facts(spec) | task_of(spec).facts(spec)

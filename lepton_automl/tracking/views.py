"""Saved views of a study's run list: MLflow's default shows the start and the source of a run, but no metrics."""

from __future__ import annotations

import base64
import json
import zlib

SHOWN = ("attributes.`Description`", "metrics.`score`", "metrics.`latency_ms.p50`", "metrics.`size_bytes`")
PREFIX = "mlflow.sharedViewState."  # prefix of the experiment tags in which the UI of MLflow 3.17 stores views


def views() -> dict[str, str]:
    """Experiment tags for two views in the Views menu above the run list; other versions of MLflow ignore them."""
    front = {"searchFilter": "tags.lepton.on_front = 'true'", "orderByKey": "metrics.`latency_ms.p50`", "orderByAsc": True}
    # By name, which is the order of creation: sorted by start time, MLflow collapses trials under the study's run.
    trials = {"searchFilter": "tags.lepton.trial != ''", "orderByKey": "tags.`mlflow.runName`", "orderByAsc": True}
    return _view("Front", front) | _view("Trials", trials)


def _view(name: str, sorted_by: dict[str, object]) -> dict[str, str]:
    """One view in the format of the MLflow UI: the state is base64 of zlib-compressed JSON."""
    usual = {"startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs"}
    state = json.dumps({**usual, **sorted_by, "selectedColumns": SHOWN, "runsExpanded": {}, "runsPinned": [], "runsHidden": []})
    packed = "deflate;" + base64.b64encode(zlib.compress(state.encode())).decode()
    return {f"{PREFIX}lepton-{name.lower()}": json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": packed})}

"""Saved views of a study's run list: MLflow's own shows when a run began and what started it, and no figure."""

from __future__ import annotations

import base64
import json
import zlib

SHOWN = ("attributes.`Description`", "metrics.`score`", "metrics.`latency_ms.p50`", "metrics.`size_bytes`")
PREFIX = "mlflow.sharedViewState."  # the experiment tags in which MLflow 3.17's pages keep views


def views() -> dict[str, str]:
    """An experiment's tags that make two views, under Views at the top of its run list; other versions ignore them."""
    front = {"searchFilter": "tags.lepton.on_front = 'true'", "orderByKey": "metrics.`latency_ms.p50`", "orderByAsc": True}
    # By name, which is by age: in the order of their start MLflow's page folds them away under the study's run.
    trials = {"searchFilter": "tags.lepton.trial != ''", "orderByKey": "tags.`mlflow.runName`", "orderByAsc": True}
    return _view("Front", front) | _view("Trials", trials)


def _view(name: str, sorted_by: dict[str, object]) -> dict[str, str]:
    """One view, as MLflow's pages write it: the state is zlib's JSON in base 64."""
    usual = {"startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs"}
    state = json.dumps({**usual, **sorted_by, "selectedColumns": SHOWN, "runsExpanded": {}, "runsPinned": [], "runsHidden": []})
    packed = "deflate;" + base64.b64encode(zlib.compress(state.encode())).decode()
    return {f"{PREFIX}lepton-{name.lower()}": json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": packed})}

"""Screenshots of MLflow's pages of a study, by playwright in Debian's chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_automl.tracking.projector import STUDY
from lepton_automl.tracking.store import opened_store

CHROMIUM = "/usr/bin/chromium"
# Select the pages for model training; otherwise MLflow opens its pages for language models.
SET_UP = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
PATIENCE, DRAWN = 120_000, 8_000  # milliseconds


def take(address: str, home: Path, study: str, folder: Path) -> None:
    """Take screenshots of the run list, the study's run, a trial, a comparison and, if there is one, the registered model.

    Args:
        address: The address of MLflow's server.
        home: The folder of all studies.
        study: The name of the study and of its registered model.
        folder: The folder for the screenshots.
    """
    from playwright.sync_api import sync_playwright  # needed for screenshots only

    folder.mkdir(parents=True, exist_ok=True)
    pages = _pages(home, study)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (url, sign) in pages.items():
            page = browser.new_page(viewport={"width": 1680, "height": 1050})
            page.add_init_script(
                f"for (const [k, v] of Object.entries({json.dumps(SET_UP)})) localStorage.setItem(k, JSON.stringify(v))"
            )
            page.goto(f"{address}/#/{url}")
            _settled(page, sign)
            page.screenshot(path=folder / f"{name}.png")
            page.close()
        browser.close()


def _settled(page: Any, sign: str) -> None:
    """Wait for the page's content, then for its charts; some pages never stop sending requests."""
    page.get_by_text(sign).first.wait_for(timeout=PATIENCE)
    page.wait_for_timeout(DRAWN)


def _pages(home: Path, study: str) -> dict[str, tuple[str, str]]:
    """Each page's address, and a text that shows when it is loaded."""
    with opened_store(home) as store:
        client, experiment = store.client, store.experiment(study)
        parent = client.search_runs([experiment], f"tags.`{STUDY}` != ''", max_results=1)[0].info.run_id
        front = client.search_runs([experiment], "tags.lepton.on_front = 'true'", max_results=6)
        stopped = client.search_runs([experiment], "tags.lepton.status = 'stopped'", max_results=1)
        registered = client.search_registered_models(f"name = '{study}'")
        artifacts = [artifact.path for artifact in client.list_artifacts(parent) if artifact.path.endswith((".html", ".md"))]
    runs, first = f"experiments/{experiment}/runs", front[0].info.run_id
    some = json.dumps([run.info.run_id for run in front]).replace(" ", "").replace('"', "%22")
    pages = {
        "runs": (runs, "Run Name"),
        "view_front": (f"{runs}?viewStateShareKey=lepton-front", "Run Name"),
        "view_trials": (f"{runs}?viewStateShareKey=lepton-trials", "Run Name"),
        "charts": (f"{runs}?compareRunsMode=CHART", "Run Name"),
        "parent": (f"{runs}/{parent}", "About this run"),
        "parent_metrics": (f"{runs}/{parent}/model-metrics", "best_score"),
        "trial": (f"{runs}/{first}", "About this run"),
        "trial_metrics": (f"{runs}/{first}/model-metrics", "accuracy"),
        "compare": (f"compare-runs?runs={some}&experiments=[%22{experiment}%22]", "Run Name"),
    }
    if stopped:
        pages["stopped"] = f"{runs}/{stopped[0].info.run_id}", "About this run"
    pages |= {f"parent_{path.replace('.', '_')}": (f"{runs}/{parent}/artifacts/{path}", "Path") for path in artifacts}
    if registered:
        pages |= {"model": (f"models/{study}", "Version 1"), "version": (f"models/{study}/versions/1", "Source Run")}
    return pages

"""How long MLflow's pages take to load for a study of 2,000 trials, with screenshots of them."""

from __future__ import annotations

import dataclasses
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.jobs import TrialJob
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget, Deployment
from lepton_automl.state import StudyState
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.projector import STUDY
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracker import Tracker

from .made_up import recorded, study, weighed
from .mlflow_server import Page, served
from .paced import all_scores
from .report import Figure, Result

NAME, DAY = "reviewed", 86_400.0


def run(*, trials: int = 2_000, repeats: int = 5, screenshots: str = "", home: str = "") -> Result:
    """Send the requests of MLflow's pages to a real server.

    Args:
        trials: Simulated trials of the study.
        repeats: Repeats of each request.
        screenshots: A folder for screenshots of the pages, by playwright and chromium; none if empty.
        home: A folder to keep the study in; empty for a temporary one.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore(home or folder)
        figures = _project(store, trials)
        with served(store.folder) as address:
            figures += _page_times(store, address, repeats)
            if screenshots:
                from .screenshots import take

                take(address, store.folder, NAME, Path(screenshots))
    return Result(figures=figures, notes=NOTES)


SECONDS = (
    "Seconds for complete responses of `mlflow ui` with one worker over SQLite: run_list is the first page of 100 runs, run_list_last"
    " the last one, sorted is sorted by latency, front is filtered by a tag; parent is the run, its first ten children and its"
    " versions; compare is 50 runs at once and then the artifacts of each; curves is one chart of 50 runs."
)
NOTES = [SECONDS, "complete_rows and so on: number of rows of one such run in the tables of parameters, metrics and tags."]


def _project(home: StudyStore, trials: int) -> list[Figure]:
    """Write a study's journal to MLflow; for a kept study, only what is missing."""
    folder = home.path(NAME)
    journal = Journal(folder / "journal.jsonl")
    if not StudyState.replay(journal).ended:
        _play(home, trials)
    began = time.perf_counter()
    written = Tracker(journal, home.folder).catch_up()
    seconds = time.perf_counter() - began
    timed = [Figure(name="project_ms_per_run", value=1000 * seconds / written, unit="ms")] if written else []
    size = (home.folder / "mlflow.db").stat().st_size / 1e6
    return [*timed, *_rows(home, StudyState.replay(journal)), Figure(name="database_mb", value=size, unit="MB")]


def _play(home: StudyStore, trials: int) -> None:
    """Run a search on a virtual clock that began a day ago; an interrupted one continues."""
    folder = home.path(NAME) if home.path(NAME).exists() else home.create(NAME)
    config = study(Budget(trials=trials), name=NAME, sampler="random", deployment=Deployment(max_latency_ms=20.0))
    search(config, folder, SimulatedExecutor(2, _played, weighed(1.0), began=time.time() - DAY))


def _played(job: TrialJob) -> Recording:
    """A simulated training with all the scores of a real one; a few fail."""
    recording = recorded(job)
    curve = tuple(all_scores(report["accuracy"]) for report in recording.curve)
    failure = "" if job.trial % 97 else "the loss is not finite after epoch 3"
    return dataclasses.replace(recording, curve=curve, final=all_scores(recording.final["accuracy"]), failure=failure)


def _rows(home: StudyStore, state: StudyState) -> list[Figure]:
    """Number of rows of each kind of run in the tables of parameters, metrics and tags."""
    rows_by_kind: dict[str, list[int]] = {}
    with closing(sqlite3.connect(home.folder / "mlflow.db")) as store:
        counts: dict[str, int] = {}
        for table in ("params", "metrics", "latest_metrics", "tags"):
            for run_id, count in store.execute(f"SELECT run_uuid, COUNT(*) FROM {table} GROUP BY run_uuid"):
                counts[run_id] = counts.get(run_id, 0) + count
        kinds = dict(store.execute("SELECT run_uuid, value FROM tags WHERE key = 'lepton.status'").fetchall())
    for run_id, count in counts.items():
        rows_by_kind.setdefault(kinds.get(run_id, ""), []).append(count)
    shares = {kind: sum(trial.status == kind for trial in state.trials.values()) for kind in rows_by_kind}
    return [
        figure
        for kind in ("complete", "stopped", "infeasible", "failed")
        if kind in rows_by_kind
        for figure in (Figure(name=f"{kind}_runs", value=shares[kind]), Figure.of(f"{kind}_rows", rows_by_kind[kind]))
    ]


def _page_times(home: StudyStore, address: str, repeats: int) -> list[Figure]:
    with opened_store(home.folder) as store:
        experiment = store.experiment(NAME)
        parent = store.client.search_runs([experiment], f"tags.`{STUDY}` != ''", max_results=1)[0].info.run_id
        some = [
            run.info.run_id for run in store.client.search_runs([experiment], "tags.lepton.status = 'complete'", max_results=50)
        ]
    page = Page(address, experiment)
    token = _last_page(page)
    questions: dict[str, Callable[[], Any]] = {
        "run_list_s": page.runs,
        "run_list_last_s": lambda: page.runs(token=token),
        "sorted_s": lambda: page.runs(order="metrics.`latency_ms.p50` ASC"),
        "front_s": lambda: page.runs(sieve="tags.lepton.on_front = 'true'"),
        "parent_s": lambda: page.run(parent),
        "compare_50_s": lambda: page.compare(some),
        "curves_50_s": lambda: page.histories(some, "accuracy"),
    }
    return [Figure.of(name, [_seconds(ask) for _ in range(repeats)], unit="s") for name, ask in questions.items()]


def _last_page(page: Page) -> str:
    """The token of the last page of the run list; empty if there is only one page."""
    token, last = page.runs().get("next_page_token", ""), ""
    while token:
        last, token = token, page.runs(token=token).get("next_page_token", "")
    return last


def _seconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began

"""Journals of made-up trials, and what an experiment holds of them."""

from lepton_automl.events import (
    StudyStarted,
    TrialEnded,
    TrialProposed,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from tests import samples

SPEC = samples.image_spec(counts=(100,) * 10)
STARTED = StudyStarted(
    at=1.0,
    config=samples.config(SPEC),
    versions={"torch": "2.0"},
    machine={"name": "here"},
    git={"commit": "abc", "branch": "main", "dirty": "true"},
    environment=("numpy==2.0", "torch==2.0"),
)


def life(name, number, *args, **kwargs):
    """A trial's events, with a uid of its study's own."""
    return [
        e.replace(uid=f"{name}-{number}") if isinstance(e, TrialProposed) else e
        for e in samples.trial_events(number, *args, **kwargs)
    ]


def journal_of(folder, name, *said):
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / f"{name}.jsonl")
    for event in (STARTED.replace(config=samples.config(SPEC, name=name)), *said):
        journal.append(event, durable=False)
    return journal


def failed(name, number, at):
    result = TrialResult(
        trial=number, status="failed", reason="it diverged", traceback="Traceback: diverged", printed="nan nan nan"
    )
    proposed = TrialProposed(at=at, trial=number, uid=f"{name}-{number}", config={}, recipe={}, origin="sampler")
    return [proposed, TrialEnded(at=at + 1, result=result)]


def runs_of(client, name):
    """The study's parent run, and its trials' runs by number."""
    experiment = client.get_experiment_by_name(f"lepton/{name}")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    by_number = {int(run.data.tags["lepton.trial"]): run for run in children}
    assert len(by_number) == len(children), "a trial was written twice"
    return parent, by_number


def text(client, run, path):
    with open(client.download_artifacts(run.info.run_id, path), encoding="utf-8") as file:
        return file.read()

"""Studies of made-up trials in a home, and the runs that an experiment holds of them."""

from lepton_automl.events import (
    StudyEnded,
    StudyStarted,
)
from lepton_automl.journal import Journal
from lepton_automl.specs import Tracking as Place
from lepton_automl.study.study import Study
from tests import samples

OWN = Place()


def study(home, name, trials=3, *, place=OWN, ended=True):
    """A study of made-up trials, in its folder."""
    journal = Journal(home.create(name) / "journal.jsonl")
    journal.append(StudyStarted(at=1000.0, config=samples.config(name=name, tracking=place)), durable=False)
    for number in range(trials):
        first, *rest = samples.trial_events(number, 0.5 + number / 100, 1.0 + number, at=1001.0 + number)
        for event in (first.replace(uid=f"{name}-{number}"), *rest):
            journal.append(event, durable=False)
    if ended:
        journal.append(StudyEnded(at=2000.0, reason="done", chosen=0), durable=False)
    return Study(name, home)


def runs_of(store, experiment):
    """The runs of an experiment, by the trial's number; the study's own by None."""
    found = store.runs(store.client.get_experiment_by_name(experiment).experiment_id, None)
    by_number = {run.data.tags.get("lepton.trial"): run for run in found}
    assert len(by_number) == len(found), "a run is there twice"
    return by_number

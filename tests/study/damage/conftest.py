"""What the tests of damaged journals share."""

from __future__ import annotations

import warnings

import pytest

from lepton_automl.study.launch import write_request
from lepton_automl.study_store import JOURNAL, StudyStore, study_journal
from tests.samples import config

from .journals import EVENTS, NAME


@pytest.fixture
def home(tmp_path):
    """A home with a study that has every kind of event."""
    home = StudyStore(tmp_path / "home")
    folder = home.create(NAME)
    write_request(config(), folder)
    journal = study_journal(folder)
    for event in EVENTS[:-1]:
        journal.append(event, durable=False)
    return home


@pytest.fixture
def path(home):
    return home.path(NAME) / JOURNAL


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""A study with every kind of event in its journal, and what its windows and commands show of it."""

from __future__ import annotations

import zlib

from hypothesis import HealthCheck, settings
from typer.testing import CliRunner

from lepton_automl import cli
from lepton_automl.state import StudyState
from lepton_automl.study.client import StudyClient
from lepton_automl.study_store import SPARE
from tests.samples import events

EVENTS = events()
NAME = "sample"
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def bare(home):
    """Without the copies: what the journal itself gives."""
    for spare in home.path(NAME).rglob(SPARE):
        spare.unlink()


def line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def seen(home) -> StudyState:
    """The state that a handle shows; every window can draw it."""
    handle = StudyClient(NAME, home)
    state = handle.state
    assert handle.damage and "lepton repair sample" in handle.damage
    assert any("lepton repair" in note.text for note in state.notes)
    assert len(state.front()) <= 1
    return state


def command(home, *words: str):
    return CliRunner().invoke(cli.app, words, env={"LEPTON_HOME": str(home.folder), "COLUMNS": "200"})

"""Requests to workers are handled by their class, and known to both ends by its name."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass

import pytest

from lepton_automl import request
from lepton_automl.api import AutoML
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.execution import executor
from lepton_automl.execution.channel import Channel
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.pipelines.requests import HANDLERS, respond


@dataclass(frozen=True, kw_only=True)
class Question(request.Request):
    number: int


@dataclass(frozen=True, kw_only=True)
class Double(request.Response):
    number: int


CODE = """
from dataclasses import dataclass
from lepton_automl.request import Request

@dataclass(frozen=True, kw_only=True)
class FarRequest(Request):
    number: int
"""


def test_a_new_request_needs_its_class_and_its_handler(monkeypatch):
    with pytest.raises(StudyError, match="no worker handles a Question"):
        respond(Question(number=2))
    steps = []
    monkeypatch.setitem(HANDLERS, Question, lambda job, progress: (progress("doubling"), Double(number=2 * job.number))[1])
    assert respond(Question(number=2), steps.append) == Double(number=4) and steps == ["doubling"]


def test_it_is_sent_like_ours_and_its_module_is_imported_where_it_arrives(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "far_requests.py").write_text(CODE)
    ours, theirs = (Channel(end) for end in socket.socketpair())
    ours.send(Question(number=3))
    assert theirs.receive() == [Question(number=3)]
    assert "far_requests" not in sys.modules
    ours.socket.sendall(b'{"kind":"FarRequest","module":"far_requests","value":{"number":5}}\n')
    (received,) = theirs.receive()
    assert (type(received).__name__, received.number) == ("FarRequest", 5)
    del request.MESSAGES["FarRequest"], sys.modules["far_requests"]
    ours.close()
    theirs.close()


def test_every_request_has_a_handler():
    ours = {kind for kind in request.Request.__subclasses__() if kind.__module__.startswith("lepton_automl.")}
    assert {kind.__name__ for kind in ours} == {kind.__name__ for kind in HANDLERS}


def test_an_executor_is_chosen_by_name(tmp_path, monkeypatch):
    started = executor.start_executor("local", 1, tmp_path / "study" / "workers", name="study")
    started.close()
    assert isinstance(started, LocalExecutor)
    with pytest.raises(ConfigError, match=r"there is no executor 'rai'.*\n.*Use one of: local"):
        executor.start_executor("rai", 1, tmp_path)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"there is no executor 'rai'"):
        AutoML(executor="rai")
    assert AutoML().executor == "local"

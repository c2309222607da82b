"""Ids of predictions: valid for their caller alone, whoever changes what."""

import time

from hypothesis import assume, given
from hypothesis import strategies as st

from lepton_automl.serving.prediction_ids import PredictionIds

SECRET = bytes(range(32))
IDS = PredictionIds(SECRET)


@given(st.text(max_size=20))
def test_an_id_is_valid_for_its_caller_and_knows_its_age(caller):
    before = time.time()
    issued = IDS.issue(caller)
    at = PredictionIds(SECRET).issued_at(issued, caller)  # also after a restart
    assert at is not None and before - 0.01 <= at <= time.time()
    assert IDS.issue(caller) != issued


@given(st.text(max_size=20), st.text(max_size=20), st.binary(min_size=32, max_size=40))
def test_an_id_is_not_valid_for_others(caller, other, secret):
    issued = IDS.issue(caller)
    assume(caller != other and secret != SECRET)
    assert IDS.issued_at(issued, other) is None
    assert PredictionIds(secret).issued_at(issued, caller) is None


@given(st.integers(0, 43), st.characters(codec="ascii"))
def test_a_changed_id_is_not_valid(at, letter):
    issued = IDS.issue("one")
    changed = issued[:at] + letter + issued[at + 1 :]
    assert (IDS.issued_at(changed, "one") is None) == (changed != issued)


@given(st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text(), max_size=2))
def test_nothing_else_is_an_id(anything):
    assert IDS.issued_at(anything, "one") is None


def test_an_id_from_the_future_is_not_valid(monkeypatch):
    issued, now = IDS.issue("one"), time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert IDS.issued_at(issued, "one") is None

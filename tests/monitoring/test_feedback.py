"""True answers by prediction id: whose, once, in time, within the schema; and each key's share of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lepton_automl.errors import ConfigError
from lepton_automl.monitoring.errors import FeedbackError
from lepton_automl.monitoring.feedback import FeedbackStore, read_feedback
from lepton_automl.monitoring.ids import PredictionIds
from lepton_automl.monitoring.joined import joined_feedback
from lepton_automl.monitoring.log.segments import DAY
from lepton_automl.monitoring.log.settings import LogSettings
from lepton_automl.monitoring.log.writer import LoggedRows, RequestLog
from lepton_automl.monitoring.shares import limited_rows

NOW = 1e9
SECRET = bytes(range(32))
IDS = PredictionIds(SECRET)


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / "feedback", IDS, ["yes", "no"], max_days=7, clock=lambda: NOW)


def test_an_answer_gets_one_true_answer_and_corrections_are_new_events(store, tmp_path):
    issued = IDS.issue("ann", NOW)
    store.add(issued, "yes", "ann")
    with pytest.raises(FeedbackError, match="reported for this prediction id before"):
        store.add(issued, "no", "ann")
    store.add(issued, "no", "ann", correction=True)
    assert [event.truth for event in read_feedback(tmp_path / "feedback")] == ["yes", "no"]
    again = FeedbackStore(tmp_path / "feedback", IDS, ["yes", "no"])
    assert [event.truth for event in again.events()] == ["no"] and again.get(f"{issued}.0").correction
    with pytest.raises(FeedbackError, match="nothing was reported"):
        store.add(IDS.issue("ann", NOW), "no", "ann", correction=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda issued: (issued, "eve"), "not issued to this key"),
        (lambda issued: (("B" if issued[0] == "A" else "A") + issued[1:], "ann"), "not issued to this key"),
        (lambda issued: ("?", "ann"), "not issued to this key"),
        (lambda issued: (issued + ".2", "ann"), "has 2 rows"),
        (lambda issued: (issued, "ann"), "has 2 rows"),
        (lambda issued: (issued + ".-1", "ann"), "has 2 rows"),
        (lambda issued: (IDS.issue("ann", NOW - 8 * DAY), "ann"), "older than 7 days"),
    ],
)
def test_an_id_of_someone_else_or_of_nothing_is_refused(store, change, message):
    prediction_id, key = change(IDS.issue("ann", NOW, rows=2))
    with pytest.raises(FeedbackError, match=message):
        store.add(prediction_id, "yes", key)
    assert len(store) == 0


def test_a_label_outside_the_schema_is_refused(store, tmp_path):
    with pytest.raises(FeedbackError, match=r"(?s)'Yes' is no label.*Did you mean 'yes'"):
        store.add(IDS.issue("ann", NOW), "Yes", "ann")
    numbers = FeedbackStore(tmp_path / "numbers", IDS, clock=lambda: NOW)
    for wrong in ("1", float("nan"), None, True, [1]):
        with pytest.raises(FeedbackError, match="not a finite number"):
            numbers.add(IDS.issue("ann", NOW), wrong, "ann")
    assert numbers.add(IDS.issue("ann", NOW), 2, "ann").truth == 2.0


def test_of_several_reports_all_or_none_are_recorded(store):
    first, second = IDS.issue("ann", NOW), IDS.issue("ann", NOW)
    with pytest.raises(FeedbackError, match=r"(?s)2 things are wrong.*no label.*there twice"):
        store.add_all([(first, "yes"), (second, "maybe"), (first, "no")], "ann")
    assert len(store) == 0 and len(store.add_all([(first, "yes"), (second, "no")], "ann")) == 2


def test_old_reports_are_forgotten(tmp_path):
    time = [NOW]
    store = FeedbackStore(tmp_path / "feedback", IDS, clock=lambda: time[0])
    store.add(IDS.issue("ann", NOW), 1, "ann")
    time[0] += 90 * DAY
    store.add(IDS.issue("ann", time[0]), 2, "ann")
    assert store.forget(before=time[0] - 60 * DAY) == 1
    store.add(IDS.issue("ann", time[0]), 3, "ann")
    assert [event.truth for event in read_feedback(tmp_path / "feedback")] == [2.0, 3.0]


def test_ids_differ_and_their_secret_is_kept(tmp_path):
    ids = PredictionIds.open(tmp_path / "secret")
    issued = {ids.issue("ann", NOW) for _ in range(1000)}
    assert len(issued) == 1000 and (tmp_path / "secret").stat().st_mode & 0o077 == 0
    known = PredictionIds.open(tmp_path / "secret").check(ids.rows(issued.pop(), 1)[0], "ann")
    assert known.at == NOW and known.row == 0


@given(st.text(max_size=20), st.text(max_size=20), st.binary(min_size=32, max_size=40))
def test_an_id_is_not_valid_for_others(key, other, secret):
    issued = IDS.issue(key, NOW)
    assume(key != other and secret[:32] != SECRET)
    assert PredictionIds(SECRET).check(issued, key).at == NOW  # also after a restart
    for ids, asking in ((IDS, other), (PredictionIds(secret), key)):
        with pytest.raises(FeedbackError, match="not issued to this key"):
            ids.check(issued, asking)


@given(st.integers(0, 42), st.characters(codec="ascii"))
def test_a_changed_id_is_not_valid(at, letter):
    issued = IDS.issue("one", NOW)
    changed = issued[:at] + letter + issued[at + 1 :]
    assume(changed != issued)
    with pytest.raises(FeedbackError):
        IDS.check(changed, "one")


def test_a_short_secret_is_refused():
    with pytest.raises(ConfigError, match="has 6 bytes"):
        PredictionIds(b"secret")


@given(st.lists(st.sampled_from("abcde"), max_size=60), st.floats(0.2, 1.0))
def test_no_key_has_more_than_its_share(keys, share):
    rows = limited_rows(np.array(keys), share)
    kept = np.array(keys)[rows]
    _, counts = np.unique(kept, return_counts=True)
    assert (np.diff(rows) > 0).all()
    assert len(set(keys)) < 2 or not len(kept) or counts.max() <= share * len(kept)
    assert len(set(keys)) > 1 or len(rows) == len(keys)


def test_a_flood_of_one_key_does_not_displace_the_others():
    keys = np.array(["eve"] * 1000 + ["ann"] * 10 + ["bob"] * 20)
    kept = keys[limited_rows(keys)]
    assert (kept == "ann").sum() == 10 and (kept == "bob").sum() == 20 and (kept == "eve").sum() == 30
    with pytest.raises(ConfigError, match="share is 0"):
        limited_rows(keys, 0)


def test_true_answers_are_joined_with_what_was_answered(tmp_path):
    log = RequestLog(tmp_path / "log", LogSettings(share=0.5))
    store = FeedbackStore(tmp_path / "feedback", IDS, ["yes", "no"], clock=lambda: NOW)
    issued = [IDS.issue(key, NOW) for key in ("ann", "bob") * 20]
    for place, one in enumerate(issued):
        log.add(LoggedRows(ids=IDS.rows(one, 1), features={}, answers=["yes"], confidence=[place / 40]))
        store.add(one, "no" if place % 4 else "yes", "bob" if place % 2 else "ann")
    log.close()
    feedback = joined_feedback(tmp_path / "log", store.events())
    expected = [place for place, one in enumerate(issued) if log.is_logged(one + ".0")]
    assert feedback.confidence.tolist() == [place / 40 for place in expected] and 5 < len(feedback) < 35
    assert feedback.truth.tolist() == ["no" if place % 4 else "yes" for place in expected]
    assert feedback.keys.tolist() == [("ann", "bob")[place % 2] for place in expected]
    assert not len(joined_feedback(tmp_path / "log", []))

"""Keys of callers: kept hashed, found by the key alone, limited in rate."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_automl.errors import ConfigError
from lepton_automl.serving.keys import ROLES, KeyFile, KeyRing
from lepton_automl.serving.rate_limit import TokenBucket


def test_a_key_is_shown_once_and_kept_hashed(tmp_path):
    file = KeyFile(tmp_path / "state")
    key = file.add("robot", ["feedback", "predict"], rate=5, burst=2)
    assert key.startswith("lepton_") and len(key) > 40
    assert key.removeprefix("lepton_") not in file.path.read_text()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600 and stat.S_IMODE(file.folder.stat().st_mode) == 0o700
    caller = KeyRing(file).caller(key.encode())
    assert caller.name == "robot" and caller.roles == {"predict", "feedback"} and caller.bucket.rate == 5
    issued = file.prediction_ids().issue("robot", 1.0)
    assert file.prediction_ids().check(issued, "robot").at == 1.0 and len((file.folder / "secret").read_bytes()) == 32
    assert stat.S_IMODE((file.folder / "secret").stat().st_mode) == 0o600


def test_a_running_server_learns_of_new_and_removed_keys(tmp_path):
    file = KeyFile(tmp_path)
    ring = KeyRing(file)
    first = file.add("first", ["predict"], rate=1, burst=1)
    assert ring.caller(first.encode()) is None
    ring.refresh()
    assert not ring.caller(first.encode()).bucket.take()
    second = file.add("second", ["read"])
    ring.refresh()
    assert ring.caller(first.encode()).bucket.take() > 0  # what it has used is not forgotten
    file.remove("first")
    ring.refresh()
    assert ring.caller(first.encode()) is None and ring.caller(second.encode()).name == "second"
    file.path.write_text("{")
    with pytest.raises(ConfigError, match="the keys cannot be read"):
        ring.refresh()
    assert ring.caller(second.encode()) is not None


def test_wrong_keys_are_refused_with_all_reasons(tmp_path):
    file = KeyFile(tmp_path)
    file.add("robot", ROLES)
    with pytest.raises(
        ConfigError, match=r"a key 'robot' already[\s\S]*'predicted' is not a role[\s\S]*Did you mean 'predict'"
    ):
        file.add("robot", ["predicted"])
    with pytest.raises(ConfigError, match=r"no key 'robo'[\s\S]*Did you mean 'robot'"):
        file.remove("robo")


def test_keys_that_are_made_at_the_same_time_are_all_kept(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda number: KeyFile(tmp_path).add(f"key {number}", ["read"]), range(24)))
    ring = KeyRing(KeyFile(tmp_path))
    assert len(ring) == len(made) == 24 and all(ring.caller(key.encode()) for key in made)


@given(st.binary(max_size=60))
def test_nothing_else_is_a_key(tmp_path_factory, anything):
    file = KeyFile(tmp_path_factory.getbasetemp() / "others")
    if not file.entries():
        file.add("one", ["read"])
    ring = KeyRing(file)
    assert ring.caller(anything) is None
    assert all(ring.caller(key.hash.encode()) is None for key in file.entries())  # the file alone opens nothing


@given(st.floats(0.1, 100), st.integers(1, 20), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_a_rate_holds_in_the_long_run_and_a_burst_at_once(rate, burst, waits):
    now = 0.0
    bucket = TokenBucket(rate, burst, lambda: now)
    taken = 0
    for wait in waits:
        now += wait
        taken += not bucket.take()
    assert taken <= burst + rate * now + 1e-6
    wait = bucket.take()
    now += wait + 1e-6
    assert wait == 0.0 or bucket.take() == 0.0  # who waits as long as told is served


def test_no_rate_is_no_limit():
    bucket = TokenBucket(0.0, 1)
    assert not any(bucket.take() for _ in range(1000))

"""The log of requests: what is kept, for how long, what is never written, and who reads it."""

from __future__ import annotations

import errno
import time

import numpy as np
import pandas as pd
import pytest

from lepton_automl.errors import ConfigError
from lepton_automl.monitoring.errors import MonitoringError
from lepton_automl.monitoring.log.frames import FrameFile, read_frames
from lepton_automl.monitoring.log.reader import read_log
from lepton_automl.monitoring.log.segments import DAY, SegmentFolder, closed_segments, open_files
from lepton_automl.monitoring.log.settings import LogSettings
from lepton_automl.monitoring.log.writer import LoggedRows, RequestLog


def some_rows(first, count=3, at=1e9, **changes):
    features = {
        "age": np.arange(count) + 0.5,
        "name": np.array(["Ann"] * count, object),
        "city": np.array([None] * count, object),
    }
    known = {
        "ids": [f"id{first + place}" for place in range(count)],
        "features": features,
        "answers": ["yes"] * count,
        "at": at,
    }
    return LoggedRows(**{**known, **changes})


def logged(folder, *batches, **settings):
    log = RequestLog(folder, LogSettings(**settings), clock=lambda: 1e9)
    for batch in batches:
        log.add(batch)
    assert log.flush()
    return log


def test_rows_are_read_while_they_are_written_and_after(tmp_path):
    log = logged(tmp_path, some_rows(0), some_rows(3, confidence=[0.9, 0.8, 0.7]))
    assert read_log(tmp_path)["id"].to_pylist() == [f"id{n}" for n in range(6)] and log.written == 6
    log.close()
    (segment,) = closed_segments(tmp_path)
    frame = pd.read_parquet(segment)
    assert frame["confidence"].isna().sum() == 3 and frame["feature.age"].tolist() == [0.5, 1.5, 2.5] * 2
    assert frame["at"][0] == pd.Timestamp(1e9, unit="s", tz="UTC") and frame["feature.city"].isna().all()
    assert read_log(tmp_path, since=1e9 + 1).num_rows == 0


def test_what_must_not_be_written_is_not(tmp_path):
    """Columns that are never kept, and raw inputs unless they are asked for, are in no file."""
    log = logged(tmp_path / "a", some_rows(0, raw=["Ann, 1 Main Street"] * 3), never=("name",))
    files = b"".join(path.read_bytes() for path in (tmp_path / "a").iterdir())
    assert b"Ann" not in files and b"Main Street" not in files and b"feature.name" not in files
    log.close()
    logged(tmp_path / "b", some_rows(0, raw=[{"street": "Main"}] * 3), raw=True).close()
    assert read_log(tmp_path / "b")["raw"].to_pylist() == ['{"street": "Main"}'] * 3


def test_a_share_of_rows_is_chosen_by_their_ids_alone(tmp_path):
    log = logged(tmp_path, *[some_rows(first) for first in range(0, 3000, 3)], share=0.2)
    ids = read_log(tmp_path)["id"].to_pylist()
    assert 500 < len(ids) < 700 and all(map(log.is_logged, ids)) and log.dropped == 0
    log.close()


def test_too_many_waiting_rows_are_dropped_and_counted(tmp_path, monkeypatch):
    slow = SegmentFolder.append
    monkeypatch.setattr(SegmentFolder, "append", lambda self, batch: (time.sleep(0.3), slow(self, batch)))
    log = RequestLog(tmp_path, LogSettings(max_waiting=10, flush_seconds=0.01))
    began = time.monotonic()
    for first in range(0, 300, 3):
        log.add(some_rows(first))
    assert time.monotonic() - began < 0.2, "the caller waited"
    log.close()
    assert log.dropped > 0 and log.written + log.dropped == 300
    assert read_log(tmp_path).num_rows == log.written


def test_a_full_disk_loses_rows_and_nothing_else(tmp_path, monkeypatch):
    log = logged(tmp_path, some_rows(0))
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        log.add(some_rows(3))
        log.flush()
        assert log.lost == 3 and "No space left" in log.trouble
    log.add(some_rows(6))
    log.flush()
    assert log.trouble == "" and read_log(tmp_path)["id"].to_pylist() == ["id0", "id1", "id2", "id6", "id7", "id8"]
    log.close()


def test_rows_that_cannot_be_logged_do_not_disturb_the_caller(tmp_path):
    log = logged(tmp_path, some_rows(0, features={"age": np.arange(2)}), some_rows(3, confidence=["high"] * 3), some_rows(6))
    assert log.lost == 6 and log.written == 3 and read_log(tmp_path)["id"].to_pylist() == ["id6", "id7", "id8"]
    log.add(some_rows(9))
    assert log.flush() and log.trouble == "" and "id9" in read_log(tmp_path)["id"].to_pylist()
    log.close()
    assert not log.flush(timeout=0.1)


def test_old_segments_are_removed_also_when_the_clock_was_set_back(tmp_path):
    for at in (1e9 - 40 * DAY, 1e9 - 20 * DAY, 1e9 + 5 * DAY):
        logged(tmp_path, some_rows(0, at=at), max_days=1e6).close()
    RequestLog(tmp_path, LogSettings(max_days=30), clock=lambda: 1e9).close()
    assert len(closed_segments(tmp_path)) == 2


def test_the_oldest_segments_make_room(tmp_path):
    for number in range(4):
        names = np.array([f"{number} {place}" for place in range(2000)], object)
        logged(tmp_path, some_rows(0, 2000, at=1e9 + number, features={"name": names})).close()
    size = closed_segments(tmp_path)[0].stat().st_size
    limit = 2.5 * size / 1e6
    RequestLog(tmp_path, LogSettings(max_mb=limit, segment_mb=limit), clock=lambda: 1e9).close()
    assert [path.name.split("-")[1] for path in closed_segments(tmp_path)] == ["00000003", "00000004"]


def test_one_process_writes_to_a_log(tmp_path):
    log = RequestLog(tmp_path)
    with pytest.raises(MonitoringError, match="another process writes"):
        RequestLog(tmp_path)
    log.close()
    RequestLog(tmp_path).close()
    with pytest.raises(MonitoringError, match="there is no log"):
        read_log(tmp_path / "nothing")


def test_wrong_settings_are_refused_together():
    with pytest.raises(ConfigError, match=r"(?s)share is 2.*max_days is 0"):
        LogSettings(share=2, max_days=0)


@pytest.mark.parametrize("cut", [1, 5, 9, 40])
def test_a_torn_frame_is_cut_off(tmp_path, cut):
    path = tmp_path / "frames"
    file = FrameFile(path)
    for content in (b"first", b"second" * 20):
        file.append(content)
    file.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(read_frames(path)) == [b"first"]
    file = FrameFile(path)
    file.append(b"third")
    file.close()
    assert list(read_frames(path)) == [b"first", b"third"]


def test_a_damaged_frame_ends_the_file(tmp_path):
    path = tmp_path / "frames"
    file = FrameFile(path)
    for content in (b"first", b"second", b"third"):
        file.append(content)
    file.close()
    content = bytearray(path.read_bytes())
    content[8 + 5 + 8] ^= 1
    path.write_bytes(content)
    assert list(read_frames(path)) == [b"first"]


def test_a_segment_that_was_half_closed_is_neither_lost_nor_doubled(tmp_path):
    """The process was killed while it wrote the segment, or between the segment and the removal of its frames."""
    log = logged(tmp_path, some_rows(0))
    (frames,) = open_files(tmp_path)
    content = frames.read_bytes()
    log.close()
    frames.write_bytes(content)
    (tmp_path / "open-00000009.part").write_bytes(b"half")
    assert read_log(tmp_path).num_rows == 3
    RequestLog(tmp_path, clock=lambda: 1e9).close()
    assert read_log(tmp_path).num_rows == 3 and len(closed_segments(tmp_path)) == 1 and not list(tmp_path.glob("*.part"))
